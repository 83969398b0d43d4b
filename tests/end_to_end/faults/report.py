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


def keep(outcomes: Sequence[Outcome]) -> None:
    """Writes it to `docs/faults.md`, with its date and versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    FILE.write_text(
        f"# Faults\n\nWhat breaks, and how a batch recovers, as `./run_tests.sh tests/end_to_end/faults --faults all` "
        f"saw it on {datetime.now(UTC):%Y-%m-%d}, with {versions}.\n\n{as_markdown(outcomes)}\n"
    )
