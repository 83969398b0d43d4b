#!/usr/bin/env python
"""Writes docs/dags.md out of the DAGs: what each is for, when it runs, its tasks and tables, a drawing of it.

The DAG files are parsed as Airflow parses them, without its database, and with nothing of the developer's environment:
the document shows the defaults. `--check` changes nothing, and fails if the document is not what the code says.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import DAG, BaseOperator
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from stellar_etl_airflow.model.tables import Table

    Task = BaseOperator | MappedOperator

REPO = Path(__file__).resolve().parent.parent
DOCUMENT = REPO / "docs" / "dags.md"

HEAD = """\
# The DAGs

Made out of the code by `scripts/dag_docs.py`; a test fails while it says something else. What stands below each heading
is the DAG's own text, which Airflow's UI shows too. Schedules and numbers are the defaults: the README says which
[environment variables](../README.md#schedule) and [Airflow Variables](../README.md#airflow-variables) change them.

In the drawings a box with a double frame is a task for each item of a list that is known when the run comes to it. What
is alike for several tables is drawn once, with how many tables there are. A try may take as long as the Variable
`task_timeout` says for its builder; the tables of tasks show the shipped values, and what holds where it has none.
"""

REFERENCES = {"DagRunQueuedAtDeadline": "it was queued", "DagRunLogicalDateDeadline": "its logical date"}
"""From when a deadline counts."""

KEPT_ENVIRONMENT = ("HOME", "LANG", "PATH", "TMPDIR")


def clear_environment(home: str) -> None:
    """Leaves what a process needs, and nothing that a DAG file could read."""
    for name in set(os.environ) - set(KEPT_ENVIRONMENT):
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",  # a busy machine needs more than Airflow's 30 s
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }


def parsed_dags() -> list[DAG]:
    """The DAGs of this checkout, by name.

    Raises:
        SystemExit: a DAG file can't be imported.
    """
    sys.path.insert(0, str(REPO / "dags"))
    from airflow.dag_processing.dagbag import DagBag

    logging.disable(logging.WARNING)
    bag = DagBag(str(REPO / "dags"), load_op_links=False)
    if bag.import_errors:
        raise SystemExit("\n".join(f"{file}: {error}" for file, error in bag.import_errors.items()))
    return [bag.dags[dag_id] for dag_id in sorted(bag.dags)]


# A DAG's tasks, alike ones together ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """Tasks that are drawn as one: a single task, or those that are alike for several tables.

    Attributes:
        name: the task's name; of several with `<table>` in place of what tells them apart.
        tasks: the tasks, at least one.
        group: the name of the task group that it is in, "" for none.
    """

    name: str
    tasks: tuple[Task, ...]
    group: str = ""

    @property
    def task(self) -> Task:
        """One of the tasks: they are alike."""
        return self.tasks[0]

    @property
    def is_mapped(self) -> bool:
        """Whether there is a task for each item of a list."""
        return bool(self.task.is_mapped)


def table_of(task: Task) -> Table | None:
    """The table that a task works on."""
    return getattr(task, "table", None)


def name_of(task: Task) -> str:
    """A task's name, with `<table>` in place of its table's data type."""
    table = table_of(task)
    return task.task_id if table is None else task.task_id.replace(table.data_type, "<table>", 1)


class Drawing:
    """A DAG's tasks as boxes, in the order in which they run."""

    def __init__(self, dag: DAG) -> None:
        self.dag = dag

    @cached_property
    def boxes(self) -> list[Box]:
        """Tasks that differ in nothing but their table, and follow on and come before the like, are one box."""
        alike: dict[tuple[Any, ...], list[Task]] = {}
        for task in self.dag.topological_sort():  # type: ignore[no-untyped-call]
            near = (self._names(task.upstream_task_ids), self._names(task.downstream_task_ids))
            alike.setdefault((name_of(task), task.task_type, *near), []).append(task)
        return [self._box(tasks) for tasks in alike.values()]

    def _names(self, task_ids: Iterable[str]) -> frozenset[str]:
        return frozenset(name_of(self.dag.get_task(task_id)) for task_id in task_ids)

    def _box(self, tasks: Sequence[Task]) -> Box:
        name = tasks[0].task_id if len(tasks) == 1 else name_of(tasks[0])
        return Box(name, tuple(tasks), name.rpartition(".")[0])

    @cached_property
    def _box_of(self) -> dict[str, int]:
        return {task.task_id: number for number, box in enumerate(self.boxes) for task in box.tasks}

    def _lines(self) -> Iterator[str]:
        groups: dict[str, list[int]] = {}
        for number, box in enumerate(self.boxes):
            groups.setdefault(box.group, []).append(number)
        for group, numbers in groups.items():
            if group:
                count = len(self.boxes[numbers[0]].tasks)
                yield f'    subgraph g{numbers[0]}["{f"for each of {count} tables" if count > 1 else group}"]'
            for number in numbers:
                yield ("    " * (2 if group else 1)) + self._shape(number)
            if group:
                yield "    end"
        edges = {
            (self._box_of[task.task_id], self._box_of[other])
            for task in self.dag.tasks
            for other in task.downstream_task_ids
        }
        yield from (f"    t{one} --> t{other}" for one, other in sorted(edges))

    def _shape(self, number: int) -> str:
        box = self.boxes[number]
        label = box.name.removeprefix(f"{box.group}.").replace("<table>", "…")
        if len(box.tasks) > 1 and not box.group:
            label += f"<br>{len(box.tasks)} tables"
        return f't{number}[["{label}"]]' if box.is_mapped else f't{number}["{label}"]'

    def mermaid(self) -> str:
        """The drawing."""
        return "\n".join(["```mermaid", "flowchart LR", *self._lines(), "```"])


# What is said of a DAG -----------------------------------------------------------------------------------------------


def span(length: timedelta | float) -> str:
    """A length of time, in whole seconds, in words."""
    rest = int(length.total_seconds() if isinstance(length, timedelta) else length)
    parts = []
    for unit, seconds in (("day", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}")
    return " ".join(parts) or "0 s"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in lines)


def code(names: Iterable[object]) -> str:
    """Names between backticks, with a comma between them."""
    return ", ".join(f"`{name}`" for name in names)


def schedule_of(dag: DAG) -> str:
    """When it runs, in a cell."""
    timetable: Any = dag.timetable
    if not timetable.can_be_scheduled:
        return "none: a person starts it"
    start = f", from {dag.start_date:%Y-%m-%d %H:%M}" if dag.start_date else ""
    past = "intervals that passed are made up for" if dag.catchup else "intervals that passed are left out"
    return f"`{timetable.expression}` {timetable.timezone}{start}; {past}"


def deadlines_of(dag: DAG) -> str:
    """When somebody is told that a run takes too long, in a cell."""
    alerts: Any = dag.deadline or ()
    return "; ".join(
        f"{span(alert.interval) if isinstance(alert.interval, timedelta) else alert.interval}"
        f" after {REFERENCES.get(alert.reference.reference_name, alert.reference.reference_name)}"
        for alert in alerts
    )


def retries_of(tasks: Collection[Task]) -> str:
    """How often tasks are tried again, and when, in a cell."""
    found = []
    for task in tasks:
        growing = f", doubling up to {span(task.max_retry_delay)}" if task.max_retry_delay else ""
        pace = f"{task.retries}, the first after {span(task.retry_delay)}"
        found.append(pace + (growing if task.retry_exponential_backoff else ""))
    if len(set(found)) == 1:
        return found[0]
    usual = max(set(found), key=found.count)
    odd = [f"`{task.task_id}`: {text}" for task, text in zip(tasks, found, strict=True) if text != usual]
    return f"{usual}; {'; '.join(odd)}"


def facts(dag: DAG) -> str:
    """The DAG's arguments."""
    rows = [
        ("file", f"[dags/{Path(dag.fileloc).name}](../dags/{Path(dag.fileloc).name})"),
        ("schedule", schedule_of(dag)),
        ("runs at a time", str(dag.max_active_runs)),
        ("a run may take", span(dag.dagrun_timeout) if dag.dagrun_timeout else "what its tasks may"),
        ("deadlines", deadlines_of(dag)),
        ("retries", retries_of(dag.tasks)),
        ("owner", code(sorted({task.owner for task in dag.tasks}))),
        ("tags", code(sorted(dag.tags))),
    ]
    return table(("", ""), [row for row in rows if row[1]])


def timeout_of(task: Task, limits: Mapping[str, int]) -> str:
    """How long a try of a task may take, in a cell."""
    if task.task_type == "TriggerDagRunOperator":
        return "what the run may"  # Airflow waits for it outside of what the time-out covers
    if answer := getattr(task, "response_timeout", None):
        return f"{span(answer)} for the answer"
    limit = limits.get(getattr(task, "builder", ""))
    allowed = timedelta(seconds=limit) if limit else task.execution_timeout
    return span(allowed) if allowed else "for ever"


def meaning_of(task: Task) -> str:
    """What a task does: its own words, or its operator's first line."""
    text = task.doc_md or type(task).__doc__ or ""
    return re.split(r"\n\s*\n", text)[0].strip().replace("\n", " ")


def tasks_of(drawing: Drawing, limits: Mapping[str, int]) -> str:
    """The tasks, alike ones in one row."""
    rows = []
    for box in drawing.boxes:
        pools = {task.pool for task in box.tasks} - {"default_pool"}
        pool = "" if not pools else f"`{pools.pop()}`" if len(pools) == 1 else "each table's own"
        rows.append((f"`{box.name}`", meaning_of(box.task), timeout_of(box.task, limits), pool))
    return table(("task", "what it does", "a try may take", "pool"), rows)


def tables_of(dag: DAG) -> str:
    """The tables that the DAG's tasks work on, one at a time."""
    found = {one.data_type: one for one in map(table_of, dag.tasks) if one is not None}
    if not found:
        return ""
    names = [f"`{one.table_id}`" + (f" ({name})" if name != one.table_id else "") for name, one in found.items()]
    return f"**Tables**, with what the exporter calls them: {', '.join(names)}."


def params_of(dag: DAG) -> str:
    """What a run may be asked for."""
    rows = []
    for name, param in dag.params.items():  # type: ignore[no-untyped-call]
        schema = param.schema
        types = schema.get("type", "")
        kinds = [kind for kind in ([types] if isinstance(types, str) else types) if kind != "null"]
        limits = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
        values = [json.dumps(value) for value in schema.get("enum", ()) if value is not None]
        given = "none" if "null" in types else "must be given"
        default = code([json.dumps(param.value)]) if param.has_value else given
        allowed = code(values) if values else " ".join([*kinds, *limits])
        rows.append((f"`{name}`", allowed, default, param.description or ""))
    return table(("param", "value", "default", ""), rows) if rows else ""


def own_words(dag: DAG) -> str:
    """The DAG's text, its heading one level down."""
    return re.sub(r"^# ", "## ", (dag.doc_md or "").strip(), count=1)


def section(dag: DAG, limits: Mapping[str, int]) -> str:
    """All of one DAG."""
    drawing = Drawing(dag)
    title, _, text = own_words(dag).partition("\n")
    parts = (
        title,
        f"`{dag.dag_id}`",
        text.strip(),
        facts(dag),
        drawing.mermaid(),
        tasks_of(drawing, limits),
        tables_of(dag),
        params_of(dag),
    )
    return "\n\n".join(filter(None, parts))


def document(dags: Sequence[DAG], limits: Mapping[str, int]) -> str:
    """The whole document.

    Args:
        dags: the DAGs.
        limits: the Variable `task_timeout`: seconds by builder.
    """
    contents = table(
        ("DAG", "", "schedule"),
        [(f"[`{dag.dag_id}`](#{anchor(dag)})", dag.description or "", schedule_of(dag)) for dag in dags],
    )
    return "\n\n".join([HEAD.strip(), contents, *(section(dag, limits) for dag in dags)]) + "\n"


def anchor(dag: DAG) -> str:
    """Where GitHub puts a section: its heading in lower case, with dashes for spaces."""
    title = own_words(dag).partition("\n")[0].removeprefix("## ")
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def main() -> int:
    """Exit status 0, or 1 if the document is not what the code says."""
    parser = argparse.ArgumentParser(prog="scripts/dag_docs.py", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the document is stale")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="airflow-home-") as home:
        clear_environment(home)
        variables = json.loads((REPO / "airflow_variables.json").read_text())
        text = document(parsed_dags(), variables["task_timeout"])
    if not asked.check:
        DOCUMENT.write_text(text)
    elif not DOCUMENT.is_file() or DOCUMENT.read_text() != text:
        print("docs/dags.md is not what the DAGs say: run .venv/bin/python scripts/dag_docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
