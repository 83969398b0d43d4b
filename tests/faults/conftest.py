"""A separate stack for all faults, and the table of their results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.report import ROW, as_markdown, keep
from tests.faults.stage import Stage
from tests.faults.table import FAULTS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault" in metafunc.fixturenames:
        every = metafunc.config.getoption("--faults") == "all"
        faults = [fault for fault in FAULTS if every or fault.quick]
        # By default tests/end_to_end/test_stack.py kills the scheduler, on the stack of the other tests.
        marks = () if every else pytest.mark.slow
        metafunc.parametrize("fault", [pytest.param(fault, id=fault.id, marks=marks) for fault in faults])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, lake: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("faults"), lake)
    try:
        stage.up()
        yield stage
    finally:
        stage.down()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, and write it to the page unless only the quick faults ran."""
    reports = [one for state in ("passed", "failed") for one in terminalreporter.getreports(state)]
    properties = [dict(one.user_properties) for one in reports]
    rows = [tuple(one[ROW]) for one in properties if ROW in one]
    if rows:
        terminalreporter.section("faults")
        terminalreporter.write_line(as_markdown(rows))
    if rows and config.getoption("--faults") == "all":
        keep(rows)
