"""The end of a run: the slowest tests, the time per folder, and the machine's load."""

from __future__ import annotations

import os
import time
from collections import defaultdict

import pytest

SLOWEST = 20
MINIMUM_SECONDS = 1.0
"""Tests that took less time are not listed."""


class Summary:
    """Add up the time of each test with its fixtures, and print the figures at the end."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.ran: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.when == "call" and not report.skipped:
            self.ran.add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section(f"slowest {SLOWEST} tests, with their fixtures")
        for line in slowest(self.seconds):
            terminalreporter.write_line(line)
        terminalreporter.section("time per folder")
        for line in per_folder(self.seconds, self.ran):
            terminalreporter.write_line(line)
        wall, load = time.monotonic() - self.begun, os.getloadavg()
        terminalreporter.write_line(
            f"{wall:8.1f} s on the clock; load averages {load[0]:.1f} {load[1]:.1f} {load[2]:.1f}"
        )


def slowest(seconds: dict[str, float]) -> list[str]:
    """Return a line for each of the slowest tests, the slowest first."""
    found = sorted(seconds.items(), key=lambda item: -item[1])[:SLOWEST]
    return [f"{took:8.1f} s  {nodeid}" for nodeid, took in found if took >= MINIMUM_SECONDS]


def per_folder(seconds: dict[str, float], ran: set[str]) -> list[str]:
    """Return a line per folder and one for all: seconds of all workers, and tests that ran."""
    took: defaultdict[str, float] = defaultdict(float)
    count: defaultdict[str, int] = defaultdict(int)
    for nodeid, each in seconds.items():
        folder = nodeid.partition("::")[0].rpartition("/")[0]
        for name in (folder, "all"):
            took[name] += each
            count[name] += nodeid in ran
    folders = sorted(took.keys() - {"all"}) + ["all"] * bool(took)
    return [f"{took[name]:8.1f} s  {count[name]:5d} tests  {name}" for name in folders]
