"""The main job's command line, where it can't do what is asked, and its line of progress."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from local.run import summary
from tests.shared import REPO


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "local.run", *arguments],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO / "dags")},
        capture_output=True,
        text=True,
        check=False,
    )


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
        (["--to", "2025-12-31T00:00:00Z"], "has to be before --to"),
        (
            ["--lake", "nowhere", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T01:00:00Z"],
            "--lake nowhere: there is no such folder",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path, arguments, words):
    done = run("--dir", str(tmp_path / "stack"), *arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "stack").exists()


def test_progress_is_one_line_with_what_runs_and_what_will_be_tried_again():
    now = [("export", "running"), ("export", "deferred"), ("ledgers.merge", "running"), ("trades.load", "up_for_retry")]
    assert summary(9, 3, 1, now) == (
        "3 of 9 tasks done; running: 2 export, ledgers.merge; to be tried again: trades.load; failed: 1"
    )
    assert summary(9, 9, 0, []) == "9 of 9 tasks done"
