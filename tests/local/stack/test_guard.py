"""A guard ends with its program, ends the program's children, and ends all of them when it is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.local.cluster_server import is_alive
from tests.shared import REPO
from tests.waiting import PATIENCE, wait_until

SLEEPS = "sleep 1000 & echo $! > child.new; mv child.new child"


def guarded(folder: Path, program: str, *options: str) -> list[str]:
    """Return the command line of a guard for a shell's program."""
    return [sys.executable, "-m", "local.stack.guard", str(folder / "pid.json"), *options, "--", "sh", "-c", program]


def started(folder: Path, program: str, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(guarded(folder, program, *options), cwd=folder, env={"PYTHONPATH": str(REPO)})


def child_of(folder: Path) -> psutil.Process:
    wait_until((folder / "child").exists, "the program has no child")
    return psutil.Process(int((folder / "child").read_text()))


def runs(process: psutil.Process) -> bool:
    try:
        return is_alive(process)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(("options", "stays"), [((), False), (("--leave",), True)], ids=["ends", "leaves"])
def test_the_end_of_a_program_ends_its_children_unless_they_are_to_stay(
    tmp_path: Path, options: tuple[str, ...], stays: bool
) -> None:
    guard = started(tmp_path, f"{SLEEPS}; while [ ! -e end ]; do sleep 0.01; done; exit 3", *options)
    child = child_of(tmp_path)
    noted = json.loads((tmp_path / "pid.json").read_text())
    assert noted["guard"] == guard.pid
    assert psutil.Process(noted["pid"]).ppid() == guard.pid
    (tmp_path / "end").touch()
    assert guard.wait(PATIENCE) == 3
    assert runs(child) is stays
    assert not (tmp_path / "pid.json").exists()
    if stays:
        child.kill()


def test_a_stopped_guard_sends_the_programs_own_signal_and_ends_everything(tmp_path: Path) -> None:
    program = f"trap 'touch stopped; exit 5' USR1; {SLEEPS}; while :; do sleep 0.01; done"
    guard = started(tmp_path, program, f"--stop={signal.SIGUSR1:d}")
    child = child_of(tmp_path)
    guard.terminate()
    assert guard.wait(PATIENCE) == 5
    assert (tmp_path / "stopped").exists()
    assert not runs(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports the death of a parent")
def test_a_guard_whose_parent_is_killed_ends_everything(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys; subprocess.run(sys.argv[1:])",
            *guarded(tmp_path, SLEEPS + "; wait"),
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPO)},
    )
    child = child_of(tmp_path)
    pid_file = tmp_path / "pid.json"
    wait_until(pid_file.exists, "the guard notes no process")  # it does so after the program's start
    guard = psutil.Process(json.loads(pid_file.read_text())["guard"])
    parent.kill()
    parent.wait(PATIENCE)
    wait_until(lambda: not runs(guard) and not runs(child), "the guard or the program's child still runs")
