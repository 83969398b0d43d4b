"""The number of inputs of these tests, and their summary: inputs, errors by kind, the slowest input."""

from __future__ import annotations

import pytest

from tests.dags.conftest import airflow_environment, bucket, cluster, make_context, pods, record, start  # noqa: F401
from tests.hostile import inputs
from tests.stellar_etl.archives import EVERY_TYPE, live, write_archive


def pytest_configure(config: pytest.Config) -> None:
    """Set the number before test modules are imported, because their decorators read it."""
    if config.getoption("--all"):
        inputs.EFFORT = 5


def pytest_terminal_summary(terminalreporter) -> None:
    if not inputs.TALLIES:
        return
    terminalreporter.section("hostile inputs")
    for target, tally in sorted(inputs.TALLIES.items()):
        kinds = ", ".join(f"{kind} {count}" for kind, count in tally.outcomes.most_common())
        memory = f", {tally.memory:.0f} MiB" if tally.memory else ""
        line = f"{target}: {tally.outcomes.total()} inputs ({kinds}), {tally.slowest:.3f} s{memory}"
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """A history archive of one checkpoint, with entries of every type."""
    return write_archive(tmp_path_factory.mktemp("archive") / "sound", [list(map(live, EVERY_TYPE))])
