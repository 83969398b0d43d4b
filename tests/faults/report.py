"""The table of faults as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from tests.faults.table import FAULTS
from tests.faults.trial import Outcome
from tests.shared import REPO

FILE = REPO / "docs" / "faults.md"
PACKAGES = (
    "apache-airflow",
    "apache-airflow-providers-cncf-kubernetes",
    "apache-airflow-providers-google",
    "bqemulator",
    "gcp-storage-emulator",
)
HEAD = ("fault", "where", "recovered", "took s", "extra s", "rows lost", "rows doubled", "seen on", "")

PAGE = """# Faults

What breaks in the middle of a batch, and how it recovers: by Airflow's retries alone, or after a person cleared the
task that its message names. Before each fault half of the batch's rows are deleted from the tables, after it every
table is compared with what a batch without a fault leaves, row by row: a row that is not published is lost, one that
is published beside an older one is doubled. No two merges into a table overlapped, and no pod and no staging table
is left.

Written by `./run_tests.sh tests/faults --faults all`, which replaces the rows of the faults that it makes,
on the laptop stack:

{versions}

There a task is tried again after a second, and three times at most; the DAGs as shipped wait 30 s, then longer, and try
five times.

`extra s` is what a batch took longer than one of its kind without a fault, which is timed once, before the first fault
of that kind. Where the machine does other work meanwhile, both times change with it, and the difference says little.

{table}
"""

Row = tuple[str, ...]

ROW = "fault_row"
"""What a test's report carries: its row of the table."""


def row_of(outcome: Outcome) -> Row:
    """An outcome as a row of the table."""
    return (
        outcome.fault.name,
        outcome.fault.where,
        outcome.recovered,
        f"{outcome.took:.0f}",
        f"{outcome.took - outcome.usual:+.0f}",
        str(outcome.lost),
        str(outcome.doubled),
        f"{datetime.now(UTC):%Y-%m-%d}",
        "; ".join(outcome.problems).replace("\n", " ").replace("|", "/") or "well",
    )


def as_markdown(rows: Iterable[Row]) -> str:
    """The table."""
    lines = [HEAD, tuple("---" for _ in HEAD), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def kept() -> list[Row]:
    """The rows that `docs/faults.md` holds."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    rows = [tuple(line.strip("| ").split(" | ")) for line in lines if line.startswith("| ")]
    return [row for row in rows if row[0] not in (HEAD[0], "---")]


def keep(made: Sequence[Row]) -> None:
    """Writes `docs/faults.md`: the table with new rows in the place of old ones, and the versions."""
    rows = {row[:2]: row for row in (*kept(), *made)}
    ordered = [rows[fault.name, fault.where] for fault in FAULTS if (fault.name, fault.where) in rows]
    versions = "\n".join(f"- {name} {version(name)}" for name in PACKAGES)
    FILE.write_text(PAGE.format(versions=versions, table=as_markdown(ordered)))
