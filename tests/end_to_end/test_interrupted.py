"""Ctrl-C in the middle of the main job."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from local.stack import Stack
from tests.local.stack.processes import assert_nothing_is_left
from tests.shared import REPO
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]


@pytest.mark.parametrize("options", [(), ("--keep",)], ids=["stops", "keeps"])
def test_an_interrupted_job_acts_as_announced(tmp_path: Path, options: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        ["./run_local.sh", "--dir", str(tmp_path), *options],
        cwd=REPO,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert any("running: " in line for line in process.stdout), process.communicate()[1]
    os.killpg(process.pid, signal.SIGINT)
    said = next((line for line in process.stderr if line.startswith("interrupted")), "")  # after lines of progress
    os.killpg(process.pid, signal.SIGINT)  # an impatient user
    # A shell shows 130 for both: the second Ctrl-C may come after Python has stopped handling it.
    assert process.wait(PATIENCE) in (130, -signal.SIGINT)
    stack = Stack(tmp_path)
    if options:
        assert "the stack stays up (--keep)" in said
        assert all(status.pid for status in stack.status())
        assert stack.down()
    else:
        assert said == "interrupted: stopping the stack\n"
    assert_nothing_is_left(tmp_path)
