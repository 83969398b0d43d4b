"""One stack of its own for all faults, and the table of what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.faults.report import as_markdown, keep, row_of
from tests.end_to_end.faults.stage import Stage
from tests.end_to_end.faults.table import FAULTS
from tests.end_to_end.faults.trial import Outcome

OUTCOMES = pytest.StashKey[list[Outcome]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault" in metafunc.fixturenames:
        every = metafunc.config.getoption("--faults") == "all"
        faults = [fault for fault in FAULTS if every or fault.quick]
        metafunc.parametrize("fault", faults, ids=[fault.id for fault in faults])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, lake: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("faults"), lake)
    try:
        stage.up()
        yield stage
    finally:
        stage.down()


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> list[Outcome]:
    return request.config.stash.setdefault(OUTCOMES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the table, and keeps it if it is not of a handful alone."""
    outcomes = config.stash.get(OUTCOMES, [])
    if outcomes:
        terminalreporter.section("faults")
        terminalreporter.write_line(as_markdown(map(row_of, outcomes)))
    if outcomes and config.getoption("--faults") == "all":
        keep(outcomes)
