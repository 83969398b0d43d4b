"""Writes what is made from the registry of tables and the settings' models.

    python scripts/generate.py [--check]

`airflow_variables.json` and `airflow_pools.json` hold every Airflow Variable and pool with the value that is shipped;
`docs/variables.md` has the test that shows each Variable's effect; the README has the table of Variables, between two
comments. With `--check` nothing is written, and the exit status is 1 if a file is out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "dags"))

from pydantic.fields import FieldInfo  # noqa: E402

from stellar_etl_airflow.model.tables import POOLS  # noqa: E402
from stellar_etl_airflow.settings.base import extra_of, shipped_value  # noqa: E402
from stellar_etl_airflow.settings.groups import GROUPS  # noqa: E402

FIELDS: dict[str, FieldInfo] = dict(
    sorted((item for group in GROUPS for item in group.model_fields.items()), key=lambda item: item[0])
)
"""Every Variable by key."""

EFFECTS = REPO / "tests/dags/settings/effects.json"
"""By Variable, the test that changes it and looks at the result."""

LINE = 120
"""The longest line of a JSON file."""

SHORT = 60
"""The longest value that the README's table shows."""

BEGIN, END = "<!-- Variables: made by scripts/generate.py -->", "<!-- end of Variables -->"


def as_json(value: Any, before: int = 0, indent: int = 0) -> str:
    """Write JSON with the entries of an object or list on lines of their own where one line would be too long.

    Args:
        value: what to write.
        before: characters that stand before it in its line.
        indent: spaces that its line begins with.
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
    """A Variable's type in words."""
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    for kind, name in ((bool, "true or false"), (int, "number"), (float, "number"), (str, "text")):
        if annotation is kind:
            return name
    return "list" if get_origin(annotation) is list else "object"


def shipped_text(field: FieldInfo) -> str:
    """A Variable's shipped value as JSON, or where to find it if it is long."""
    text = json.dumps(shipped_value(field))
    return f"`{text}`" if len(text) <= SHORT else "see `airflow_variables.json`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def readme(text: str) -> str:
    """The README with its table of Variables.

    Raises:
        ValueError: it has no place for the table.
    """
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"README.md must have a line {BEGIN} and a line {END} for the table of Variables")
    rows = (
        (f"`{key}`", type_of(field.annotation), shipped_text(field), str(field.description), extra_of(field)["when"])
        for key, field in FIELDS.items()
    )
    head = ("Variable", "type", "shipped value", "what it is", "change it when")
    return f"{before}{BEGIN}\n{table(head, rows)}\n{END}{after}"


def effects() -> str:
    """The text of `docs/variables.md`.

    Raises:
        ValueError: a Variable has no test that shows its effect, or a test is of no Variable.
    """
    tests: Mapping[str, str] = json.loads(EFFECTS.read_text())
    if lone := sorted(FIELDS.keys() ^ tests.keys()):
        raise ValueError(f"{EFFECTS.relative_to(REPO)} must name one test for each Variable: {', '.join(lone)}")
    rows = table(("Variable", "test that shows its effect"), ((f"`{key}`", f"`{tests[key]}`") for key in FIELDS))
    return f"""\
# Tests of each Variable's effect

The README lists the Airflow Variables and says when to change each. This table names, for each Variable, a test that
changes it and checks the effect: on the pod, the BigQuery job, the table or the event. `make generate` writes this page
from `dags/stellar_etl_airflow/settings/` and `tests/dags/settings/effects.json`.

{rows}
"""


def main() -> int:
    """Write the files, or check them. Exit status 0, or 1 with a line for each problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    check = parser.parse_args().check
    try:
        files = {
            "airflow_variables.json": variables(),
            "airflow_pools.json": pools(),
            "docs/variables.md": effects(),
            "README.md": readme((REPO / "README.md").read_text()),
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
