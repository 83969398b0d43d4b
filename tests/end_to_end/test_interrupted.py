"""Ctrl-C in the middle of the main job."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.local.stack.test_stack import assert_nothing_is_left
from tests.shared import REPO
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]


def test_an_interrupted_job_leaves_nothing_running(tmp_path: Path) -> None:
    process = subprocess.Popen(
        ["./run_local.sh", "--dir", str(tmp_path)],
        cwd=REPO,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert any("running: " in line for line in process.stdout), process.communicate()[1]
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert_nothing_is_left(tmp_path)
