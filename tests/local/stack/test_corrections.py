"""Airflow's supervisor of a task notices its end, although the task's sockets close before its process ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys, time, uuid
from airflow.sdk.execution_time.supervisor import WatchedSubprocess
from local.stack.corrections import notice_ended_tasks

def close_and_end():
    os.closerange(0, 1024)
    time.sleep(0.3)
    os._exit(7)

if sys.argv[1] == "corrected":
    notice_ended_tasks()
task = WatchedSubprocess.start(id=uuid.uuid4(), target=close_and_end)
while (status := task._service_subprocess(max_wait_time=float(sys.argv[2]))) is None or task._open_sockets:
    print("waits", flush=True)
print("ended", status)
"""

HEARTBEAT_SECONDS = 600
"""Longer than the test: a supervisor that waits for the next heartbeat does not notice the end."""


@pytest.mark.parametrize("form", ["corrected", "original"])
def test_the_end_of_a_task_is_noticed_before_the_next_heartbeat(form: str, tmp_path: Path) -> None:
    """If Airflow's own code notices it as well, the correction is no longer needed."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, form, str(HEARTBEAT_SECONDS)],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if form == "corrected":
            printed, _ = program.communicate()
            assert printed.splitlines()[-1] == "ended 7"
        else:
            assert program.stdout is not None
            assert "waits" in program.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                program.wait(timeout=2)
    finally:
        program.kill()
        program.wait()
