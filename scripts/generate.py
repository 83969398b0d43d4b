"""Writes the files that are generated from the registry of tables and the settings' models.

    python scripts/generate.py [--check]

`airflow_variables.json` and `airflow_pools.json` contain every Airflow Variable and pool with its shipped value;
`docs/variables.md` has the table of Variables and the test that shows each Variable's effect, between comments;
`docs/tables.md` describes every published table. With `--check` nothing is written, and the exit status is 1 if a file
is out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "dags"))

from pydantic.fields import FieldInfo  # noqa: E402

from stellar_etl_airflow.model.schema import Field, mode_of, read_schema  # noqa: E402
from stellar_etl_airflow.model.tables import POOLS, PUBLISHED, VIEWS, Publish, Table, View, sources_of  # noqa: E402
from stellar_etl_airflow.settings.base import extra_of, shipped_value  # noqa: E402
from stellar_etl_airflow.settings.groups import GROUPS  # noqa: E402

FIELDS: dict[str, FieldInfo] = dict(
    sorted((item for group in GROUPS for item in group.model_fields.items()), key=lambda item: item[0])
)
"""Every Variable by key."""

EFFECTS = REPO / "tests/dags/settings/effects.json"
"""By Variable, the test that changes it and checks the result."""

LINE = 120
"""The longest line of a JSON file."""

SHORT = 60
"""The longest value that the table shows."""

PAGE = "docs/variables.md"


def as_json(value: Any, before: int = 0, indent: int = 0) -> str:
    """Return JSON with one entry of an object or list per line, if a single line would be too long.

    Args:
        value: what to write.
        before: the number of characters before it in its line.
        indent: the spaces at the start of its line.
    """
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or before + len(short) < LINE:
        return short
    pad = " " * (indent + 2)
    if isinstance(value, list):
        return "\n".join(["[", ",\n".join(pad + as_json(one, indent + 2, indent + 2) for one in value), pad[2:] + "]"])
    keys = {f"{pad}{json.dumps(key)}: ": one for key, one in value.items()}
    inner = (f"{key}{as_json(one, len(key), indent + 2)}" for key, one in keys.items())
    return "\n".join(["{", ",\n".join(inner), pad[2:] + "}"])


def in_order(value: Any) -> Any:
    """Return a map by table, DAG or builder in the order of its keys, and any other value as it is."""
    return dict(sorted(value.items())) if isinstance(value, dict) else value


def variables() -> str:
    """The text of `airflow_variables.json`."""
    return as_json({key: in_order(shipped_value(field)) for key, field in FIELDS.items()}) + "\n"


def pools() -> str:
    """The text of `airflow_pools.json`."""
    return json.dumps(POOLS, indent=2) + "\n"


def type_of(annotation: Any) -> str:
    """Return a Variable's type in words."""
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    for kind, name in ((bool, "true or false"), (int, "number"), (float, "number"), (str, "text")):
        if annotation is kind:
            return name
    return "list" if get_origin(annotation) is list else "object"


def shipped_text(field: FieldInfo) -> str:
    """Return a Variable's shipped value as JSON, or a reference if it is long."""
    text = json.dumps(shipped_value(field))
    return f"`{text}`" if len(text) <= SHORT else "see `airflow_variables.json`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def settings_table() -> str:
    """The table of all Variables."""
    rows = (
        (f"`{key}`", type_of(field.annotation), shipped_text(field), str(field.description), extra_of(field)["when"])
        for key, field in FIELDS.items()
    )
    return table(("Variable", "type", "shipped value", "what it is", "change it if"), rows)


def effects_table() -> str:
    """The table of the tests that show each Variable's effect.

    Raises:
        ValueError: a Variable has no test, or a test has no Variable.
    """
    tests: Mapping[str, str] = json.loads(EFFECTS.read_text())
    if lone := sorted(FIELDS.keys() ^ tests.keys()):
        raise ValueError(f"{EFFECTS.relative_to(REPO)} must name one test for each Variable: {', '.join(lone)}")
    return table(("Variable", "test that shows its effect"), ((f"`{key}`", f"`{tests[key]}`") for key in FIELDS))


def with_table(text: str, name: str, content: str) -> str:
    """Return a page with a table between the two comments of this name.

    Raises:
        ValueError: the page lacks a comment.
    """
    begin, end = f"<!-- {name}: made by scripts/generate.py -->", f"<!-- end of {name} -->"
    before, mark, rest = text.partition(begin)
    _, last, after = rest.partition(end)
    if not mark or not last:
        raise ValueError(f"{PAGE} must have a line {begin} and a line {end}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def page() -> str:
    """The text of `docs/variables.md` with its two tables."""
    text = with_table((REPO / PAGE).read_text(), "Variables", settings_table())
    return with_table(text, "Effects", effects_table())


def grain(published: Table) -> str:
    """Return the grain of a table, in words."""
    keys = ", ".join(f"`{key}`" for key in published.keys)
    if published.unique:
        return f"one row per {keys}"
    identity = ", ".join(f"`{column}`" for column in published.identity)
    return f"one row per event: per {identity}, where these are not NULL"


def example(published: Table, fields: Sequence[Field], dataset: str = "stellar") -> str:
    """A query of a few rows of a table that reads one day's partition.

    Args:
        published: the table.
        fields: its columns.
        dataset: the dataset, or project and dataset.
    """
    plain = [field["name"] for field in fields if field["type"] != "RECORD" and mode_of(field) != "REPEATED"]
    chosen = dict.fromkeys([published.closed_at_column, *published.keys, *published.cluster, *plain])
    columns = ", ".join(f"`{name}`" for name in [*chosen][:6])
    closed_at = f"`{published.closed_at_column}`"
    day = f"WHERE {closed_at} >= TIMESTAMP '2026-01-01' AND {closed_at} < TIMESTAMP '2026-01-02'\n"
    where = day if published.partition else ""
    return f"SELECT {columns}\nFROM `{dataset}.{published.table_id}`\n{where}ORDER BY {closed_at}\nLIMIT 10"


def table_page(published: Table) -> str:
    """A table's section in `docs/tables.md`."""
    fields = read_schema(str(REPO / "schemas"), published.table_id)
    made = [f"Loaded by `{published.dag_id}` from the exporter's `{published.data_type}`."]
    if published.derivation:
        sources = ", ".join(f"`{source.table_id}`" for source in sources_of(published).values())
        made = [f"{published.derivation.title}, derived by `{published.dag_id}` from {sources}."]
        made.append(published.derivation.definition)
    facts = [
        ("grain", grain(published)),
        ("keys", ", ".join(f"`{key}`" for key in published.keys)),
        ("partition", f"`{published.closed_at_column}`, {published.partition}" if published.partition else "none"),
        ("clusters", ", ".join(f"`{column}`" for column in published.cluster)),
        (
            "ledger",
            f"`{published.ledger_column}`" + (f" >> {published.ledger_shift}" if published.ledger_shift else ""),
        ),
    ]
    if published.publish is Publish.KEEP_EARLIEST:
        facts.append(("a repeated key", "the row of the oldest ledger is kept; a load corrects rows of its ledgers"))
    if published.entry_keys:
        facts.append(("views", f"`{published.table_id}_current`, `{published.table_id}_history`"))
    columns = table(
        ("column", "type", "what it is"),
        ((f"`{name}`", kind_of(one), str(one["description"]).replace("|", "\\|")) for name, one in flat(fields)),
    )
    parts = [f"## {published.table_id}", *made, table(("", ""), facts), columns]
    return "\n\n".join([*parts, f"```sql\n{example(published, fields)}\n```"])


def view_page(view: View) -> str:
    """A view's section in `docs/tables.md`."""
    fields = read_schema(str(REPO / "schemas"), view.view_id)
    grain = ", ".join(f"`{column}`" for column in view.grain)
    columns = table(
        ("column", "type", "what it is"),
        ((f"`{one['name']}`", kind_of(one), str(one["description"]).replace("|", "\\|")) for one in fields),
    )
    chosen = ", ".join(f"`{field['name']}`" for field in fields[:6])
    query = f"SELECT {chosen}\nFROM `stellar.{view.view_id}`\nORDER BY {grain}\nLIMIT 10"
    facts = table(("", ""), [("grain", f"one row per {grain}"), ("made by", f"`{view.table.dag_id}`")])
    made = f"A view, computed when it is read. {view.definition}"
    return "\n\n".join([f"## {view.view_id}", made, facts, columns, f"```sql\n{query}\n```"])


def flat(fields: Sequence[Field], prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Yield columns with their nested fields, each with its full name."""
    for field in fields:
        yield f"{prefix}{field['name']}", field
        yield from flat(field.get("fields", ()), f"{prefix}{field['name']}.")


def kind_of(field: Field) -> str:
    """A column's type as the page shows it."""
    return f"ARRAY of {field['type']}" if mode_of(field) == "REPEATED" else str(field["type"])


def tables() -> str:
    """The text of `docs/tables.md`."""
    ids = (*(one.table_id for one in PUBLISHED.values()), *VIEWS)
    names = ", ".join(f"[`{one}`](#{one})" for one in ids)
    head = f"""\
# Tables

Every published table, and every view on derived tables: its columns, what identifies a row, its partition, a query.
`make generate` writes this page from the registry of tables and the schema files. Names, partitions and clusters are
the shipped ones: the Variables `table_ids`, `partition_fields` and `cluster_fields` change them. Queries need a
condition on the partition column, or they read the whole table. [history.md](history.md) describes the views of ledger
entries.

{names}"""
    return "\n\n".join([head, *map(table_page, PUBLISHED.values()), *map(view_page, VIEWS.values())]) + "\n"


def main() -> int:
    """Write the files, or check them. Exit status 0, or 1 with a line for each problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    check = parser.parse_args().check
    try:
        files = {
            "airflow_variables.json": variables(),
            "airflow_pools.json": pools(),
            PAGE: page(),
            "docs/tables.md": tables(),
        }
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    old = [name for name, text in files.items() if not (REPO / name).is_file() or (REPO / name).read_text() != text]
    for name in old:
        if check:
            print(f"{name} is out of date: run make generate", file=sys.stderr)
        else:
            (REPO / name).write_text(files[name])
            print(f"wrote {name}")
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
