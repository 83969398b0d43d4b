"""The table of faults as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from tests.end_to_end.faults.trial import Outcome
from tests.shared import REPO

FILE = REPO / "docs" / "faults.md"
PACKAGES = (
    "apache-airflow",
    "apache-airflow-providers-cncf-kubernetes",
    "apache-airflow-providers-google",
    "bqemulator",
    "gcp-storage-emulator",
)
HEAD = ("fault", "where", "recovered", "extra s", "rows lost", "rows doubled", "")


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """The table, a row a fault."""
    rows = [
        (
            outcome.fault.name,
            outcome.fault.where,
            outcome.recovered,
            f"{max(outcome.extra, 0):.0f}",
            str(outcome.lost),
            str(outcome.doubled),
            "; ".join(outcome.problems).replace("\n", " ") or "well",
        )
        for outcome in outcomes
    ]
    lines = [HEAD, tuple("---" for _ in HEAD), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


PAGE = """# Faults

What breaks in the middle of a batch, and how it recovers: by Airflow's retries alone, or after a person cleared the
task that its message names. Before each fault half of the batch's rows are deleted from the tables, after it every
table is compared with what a batch without a fault leaves, row by row: a row that is not published is lost, one that
is published beside an older one is doubled. No two merges into a table overlapped, and no pod and no staging table
is left.

Written by `./run_tests.sh tests/end_to_end/faults --faults all` on {date}, on the laptop stack: {versions}. A
batch without a fault took {seconds:.0f} s. There a task is tried again after a second, and three times at most; the
DAGs as shipped wait 30 s, then longer, and try five times.

{table}
"""


def keep(outcomes: Sequence[Outcome], seconds: float) -> None:
    """Writes the page: the table with its date, versions, and how long a batch without a fault took."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    FILE.write_text(
        PAGE.format(
            date=f"{datetime.now(UTC):%Y-%m-%d}", versions=versions, seconds=seconds, table=as_markdown(outcomes)
        )
    )
