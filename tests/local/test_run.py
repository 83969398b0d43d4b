"""The main job's command line: errors, interruption, and its line of progress."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.interrupts import interruption, stops_stack
from local.run import main, summary
from local.stack import Stack
from tests.local.stack.running import running_stack
from tests.shared import REPO
from tests.waiting import PATIENCE, wait_until


def command(*arguments: str) -> dict[str, Any]:
    """Return the arguments of `subprocess` for a job."""
    return {
        "args": [sys.executable, "-m", "local.run", *arguments],
        "cwd": REPO,
        "env": {**os.environ, "PYTHONPATH": str(REPO / "dags")},
        "text": True,
    }


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the job in this process, as from the repository's folder, because importing all of it takes a second."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.chdir(REPO), contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
    return subprocess.CompletedProcess(arguments, status, output.getvalue(), errors.getvalue())


def test_help_names_every_option():
    done = run("--help")
    assert done.returncode == 0
    for option in (
        "--lake",
        "--from",
        "--to",
        "--interval",
        "--dags",
        "--json",
        "--keep",
        "--fresh",
        "--lineage",
        "--dir",
    ):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lake", "/tmp"], "--lake needs --from and --to"),
        (["--from", "yesterday"], "--from 'yesterday' is not a time"),
        (["--interval", "7"], "--interval 7"),
        (["--dags", "state_rebuild"], "--dags state_rebuild: choose from history_archive_without_captive_core"),
        (["--to", "2025-12-31T00:00:00Z"], "must be before --to"),
        (
            ["--lake", "nowhere", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T01:00:00Z"],
            "--lake nowhere: the folder does not exist",
        ),
        (
            ["--lake", "scripts", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T01:00:00Z"],
            "--lake scripts: the folder contains no ledgers",
        ),
        (
            ["--lake", "s3://b/lake", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T01:00:00Z"],
            "--lake s3://b/lake: an address begins with one of",
        ),
        (["--json", "nowhere/report.json"], "nowhere is not a folder"),
        (["--json", "scripts"], "--json scripts: this is a folder"),
        (["--json", "README.md/report.json"], "README.md is not a folder"),
    ],
)
def test_an_error_is_one_line_and_stops_no_running_stack(tmp_path, arguments, words):
    """The job checks its options before it touches a stack that runs in the folder."""
    with running_stack(tmp_path / "stack") as (stack, kept):
        done = run("--dir", str(stack.layout.root), "--fresh", *arguments)
        assert done.returncode == 1
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert stack.supervisor() is not None
        assert kept.exists()


def test_an_unusable_folder_is_named():
    assert "--dir README.md/stack: " in run("--dir", "README.md/stack").stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux has a file system without free space: /proc")
def test_a_full_disk_is_named():
    done = run("--dir", "/proc/stack")
    assert "the disk of /proc is full (0 MB free)" in done.stderr
    assert done.returncode == 1


def test_a_second_job_in_a_folder_is_refused_with_the_first_ones_process_id(tmp_path):
    stack = Stack(tmp_path)
    with stack.layout.job.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        done = run("--dir", str(tmp_path), "--fresh")
    assert done.returncode == 1
    assert f"process 4711 is another ./run_local.sh in {tmp_path}" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [stack.layout.job.name]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interrupted_job_announces_its_steps_and_its_status_is_130(tmp_path, number):
    process = subprocess.Popen(
        **command("--dir", str(tmp_path), "--keep"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until(lambda: (tmp_path / "lake").exists(), "the job did not begin", pause=0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    assert said == "interrupted: nothing was started\n"
    assert process.returncode == 130
    assert Stack(tmp_path).supervisor() is None


@pytest.mark.parametrize("is_up", [False, True])
@pytest.mark.parametrize("was_up", [False, True])
@pytest.mark.parametrize("keep", [False, True])
def test_a_job_stops_its_stack_unless_keep_is_set(keep, was_up, is_up):
    said = interruption(keep=keep, was_up=was_up, is_up=is_up, runs=True)
    if was_up or (keep and is_up):
        assert not stops_stack(keep=keep, was_up=was_up, is_up=is_up)
        assert "the stack stays up" in said
        assert "python -m local down" in said
    else:
        assert stops_stack(keep=keep, was_up=was_up, is_up=is_up)
        assert said == "interrupted: stopping the stack"


def test_an_interrupted_job_does_not_mention_a_stack_that_does_not_run():
    assert interruption(keep=True, was_up=False, is_up=False, runs=False) == "interrupted: nothing was started"
    assert interruption(keep=True, was_up=True, is_up=False, runs=False) == "interrupted: the stack is down"


def test_progress_is_one_line_with_running_and_retried_tasks():
    now = [("export", "running"), ("export", "deferred"), ("ledgers.merge", "running"), ("trades.load", "up_for_retry")]
    assert summary(9, 3, 1, now) == (
        "3 of 9 tasks done; running: 2 export, ledgers.merge; up for retry: trades.load; failed: 1"
    )
    assert summary(9, 9, 0, []) == "9 of 9 tasks done"
