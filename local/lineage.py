"""The graph of lineage that the stack's tasks reported: from the lake to each table; as text, and as Mermaid.

Objects and staging tables of each run are shown once for all runs, with stars in their names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OF_A_RUN = (
    (re.compile(r"/[^/]+/\d{8}T\d{6}Z-[^/]+/\d+-\d+-(?=[^/]+$)"), "/*/*/*-"),
    (re.compile(r"_staging_[0-9a-f]{16}$"), "_staging_*"),
)
"""The run's part of an object's and of a staging table's name."""


@dataclass(frozen=True)
class Graph:
    """The graph of datasets.

    Attributes:
        jobs: by source and destination, the jobs that make it, `dag.task`.
        columns: the known columns of each dataset.
    """

    jobs: Mapping[tuple[str, str], frozenset[str]]
    columns: Mapping[str, tuple[str, ...]]

    def made_of(self, name: str) -> list[str]:
        """The direct destinations of a dataset."""
        return sorted(target for source, target in self.jobs if source == name)

    @property
    def sources(self) -> list[str]:
        """The datasets without a source."""
        return sorted({source for source, _ in self.jobs} - {target for _, target in self.jobs})


def read_events(folder: Path) -> Iterator[dict[str, Any]]:
    """The events of OpenLineage's file transport, one per file, in their order."""
    for path in sorted(folder.glob("*.json")):
        yield json.loads(path.read_text())


def name_of(dataset: Mapping[str, Any]) -> str:
    """Return a dataset's display name: tables and files need no namespace."""
    namespace, name = dataset["namespace"], dataset["name"]
    return str(name if namespace in ("bigquery", "file") else f"{namespace}/{name.lstrip('/')}")


def _of_all_runs(name: str) -> str:
    for pattern, stars in _OF_A_RUN:
        name = pattern.sub(stars, name)
    return name


def read_graph(events: Iterable[Mapping[str, Any]]) -> Graph:
    """Return the graph of the successful tasks."""
    jobs: dict[tuple[str, str], frozenset[str]] = {}
    columns: dict[str, tuple[str, ...]] = {}
    for event in events:
        if event["eventType"] != "COMPLETE":
            continue
        inputs, outputs = ({_of_all_runs(name_of(one)): one for one in event[kind]} for kind in ("inputs", "outputs"))
        for name, dataset in (inputs | outputs).items():
            fields = dataset.get("facets", {}).get("schema", {}).get("fields", [])
            columns[name] = tuple(field["name"] for field in fields) or columns.get(name, ())
        job = event["job"]["name"]
        for edge in ((source, target) for source in inputs for target in outputs):
            jobs[edge] = jobs.get(edge, frozenset()) | {job}
    return Graph(jobs, columns)


def as_text(graph: Graph) -> str:
    """Return a tree for each source; after a name its columns, and the task that makes it."""
    rows: list[tuple[str, str]] = []
    shown: set[str] = set()

    def add(name: str, parent: str, branch: str, indent: str) -> None:
        count = len(graph.columns.get(name, ()))
        made_by = ", ".join(sorted(graph.jobs.get((parent, name), ())))
        rows.append((f"{indent}{branch}{name}", f"{f'{count} columns' if count else '':12}{made_by}".rstrip()))
        if name in shown:  # its destinations are shown above
            return
        shown.add(name)
        below = graph.made_of(name)
        for number, child in enumerate(below, 1):
            last = number == len(below)
            add(child, name, "└─ " if last else "├─ ", indent + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch])

    for source in graph.sources:
        add(source, "", "", "")
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:{width}}  {behind}".rstrip() for name, behind in rows)


def as_mermaid(graph: Graph) -> str:
    """Return a flow chart for Markdown pages and https://mermaid.live."""
    names = sorted({name for edge in graph.jobs for name in edge})
    ids = {name: f"d{number}" for number, name in enumerate(names)}
    boxes = (f'    {ids[name]}["{name.replace(chr(34), "#quot;")}"]' for name in names)
    arrows = (f"    {ids[source]} --> {ids[target]}" for source, target in sorted(graph.jobs))
    return "\n".join(["flowchart LR", *boxes, *arrows])
