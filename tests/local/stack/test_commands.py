"""Errors of the stack's commands. No stack runs here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.arguments import lake_of
from local.commands import main
from local.plan import format_time
from local.sample import END, START
from local.stack import Stack
from local.stack.layout import State
from tests.local.stack.running import running_stack
from tests.shared import REPO


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--schedule", "every day"], "--schedule 'every day' is not a cron expression"),
        (["--schedule", "61 * * * *"], "--schedule '61 * * * *' is not a cron expression"),
        (["--start-date", "yesterday"], "--start-date 'yesterday' is not a time"),
        (["--end-date", "2026-01-01"], "--end-date '2026-01-01' has no time zone"),
        (["--start-date", "2026-02-01T00:00:00Z", "--end-date", "2026-01-01T00:00:00Z"], "must be before --end-date"),
        (["--lake", "nowhere"], "--lake nowhere: the folder does not exist"),
        (["--lake", "scripts"], "--lake scripts: the folder contains no ledgers"),
        (["--lake", "ftp://host/lake"], "--lake ftp://host/lake: an address begins with one of"),
        (["--dags", "nowhere"], "--dags nowhere: the folder does not exist"),
        (["--dags", "docs"], "--dags docs: the folder contains no file *.py"),
    ],
)
def test_up_refuses_invalid_options_and_does_not_store_them(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(REPO)
    with running_stack(tmp_path / "stack") as (stack, _):
        before = State.load(stack.layout)
        assert main(["up", "--dir", str(stack.layout.root), *arguments]) == 1
        said = capsys.readouterr()
        assert words in said.err
        assert len(said.err.strip().splitlines()) == 1
        assert State.load(stack.layout) == before
        assert stack.supervisor() is not None


def changes(stack: Stack, *arguments: str) -> dict[str, object]:
    """Return the settings that `up` derives from arguments and stores."""
    from local.commands import _changes_of, _parser

    found = _changes_of(stack, _parser().parse_args(["up", "--dir", str(stack.layout.root), *arguments]))
    stack.configure(**found)
    return found


def test_up_without_a_lake_uses_the_sample_network_in_any_folder(tmp_path, lake):
    stack = Stack(tmp_path / "stack")
    sample = {
        "lake": str(stack.sample_lake),
        "dataset": "stellar",
        "start_date": format_time(START),
        "end_date": format_time(END),
    }
    assert changes(stack) == sample
    assert changes(stack, "--lake", str(lake)) == {
        "lake": lake_of(str(lake)), "dataset": "stellar_sample", "start_date": "", "end_date": "",
    }  # fmt: skip
    assert changes(stack) == sample
    changes(stack, "--end-date", "2026-01-02T00:00:00+01:00")
    assert stack.options.end_date == "2026-01-01T23:00:00Z"
    changes(stack)
    assert stack.options.end_date == "2026-01-01T23:00:00Z", "the same lake keeps its times"


@pytest.mark.parametrize(
    "arguments", [["query", "SELECT 1"], ["tables"], ["coverage"], ["airflow", "--", "dags", "list"]], ids=str
)
def test_a_command_that_needs_the_stack_reports_in_one_line_that_it_is_down(tmp_path, capsys, arguments):
    stack = Stack(tmp_path)
    stack.configure()
    command, *rest = arguments
    assert main([command, "--dir", str(tmp_path), *rest]) == 1
    assert capsys.readouterr().err == "local: the stack is down: start it with python -m local up\n"


def test_an_unwritable_picture_path_is_refused_at_once(tmp_path, capsys):
    assert main(["coverage", "--dir", str(tmp_path), "--svg", "nowhere/picture.svg"]) == 1
    assert "nowhere is not a folder" in capsys.readouterr().err


def test_outside_the_virtual_environment_the_error_is_one_line():
    python = Path(shutil.which("python3", path=os.defpath) or "")
    if not python.is_file():
        pytest.skip("there is no Python outside the virtual environment")
    done = subprocess.run(
        [
            python,
            "-I",
            "-c",
            "import runpy, sys; sys.path.insert(0, '.'); runpy.run_module('local', run_name='__main__')",
        ],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Run it in the virtual environment: source .venv/bin/activate" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
