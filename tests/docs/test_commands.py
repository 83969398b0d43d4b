"""The commands on all pages exist: their programs, options and files, and the names of DAGs."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import runpy
import shlex
import sys
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

import pytest
from airflow.cli.cli_parser import get_parser

from local.commands import _parser as local_parser
from local.run import _parser as run_local_parser
from scripts.bootstrap_gcp.options import parser as bootstrap_parser
from scripts.smoke_gcp.options import parser as smoke_parser
from stellar_etl.cli import main as stellar_etl
from tests import gcloud
from tests.shared import REPO

PAGES = [
    page
    for page in (*sorted(REPO.glob("*.md")), *sorted((REPO / "docs").glob("*.md")))
    if page.name not in ("CHANGELOG.md", "tables.md")
]

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"<!-- \w+: as the script prints it -->\n```sh\n.*?^```", re.MULTILINE | re.DOTALL)
"""The output of a dry run, which another test compares with the script."""
QUOTED = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")

OURS = re.compile(r"(\./|\.ci/|\.venv/bin/|scripts/|benchmarks/run|python3? |stellar-etl |airflow |make |gcloud )\S")
"""How a command in the middle of a sentence begins, if this project, Airflow or gcloud has it."""

OTHERS = {
    *(
        "a-password-manager",
        "bq",
        "cd",
        "curl",
        "diff",
        "docker",
        "done",
        "echo",
        "export",
        "for",
        "gcloud",
        "jq",
        "kill",
    ),
    *("kubectl", "pre-commit", "sort", "source", "vault", "dbt"),
}
"""Programs of others, and words of the shell."""


def lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the lines of a page's blocks, and quotations that begin like a command of this project.

    Yields:
        The line, and whether it is complete: a quotation may lack arguments.
    """
    text = PRINTED.sub("", text)
    for _, language, block in FENCE.findall(text):
        if language in ("", "sh") and "─" not in block:
            yield from ((line, True) for line in block.replace("\\\n", " ").splitlines())
    for quoted in QUOTED.findall(FENCE.sub("", text)):
        if OURS.match(quoted) and "…" not in quoted:
            yield " ".join(quoted.split()), False


def commands(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line of shell, each as its words without environment variables."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    for word in (*lexer, ";"):
        if word and not set(word) - set("|;&"):
            while (words and re.match(r"\w+=", words[0])) or words[:1] == ["do"]:
                words = words[1:]
            if words:
                yield words
            words = []
        else:
            words.append(word)


@functools.cache
def help_of(module: str, *words: str) -> str:
    """Return the help of a module that is a program."""
    argv, text = sys.argv, io.StringIO()
    try:
        sys.argv = [module, *words, "--help"]
        with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.argv = argv
    assert not ended.value.code, (module, words)
    return text.getvalue()


def assert_options(words: Sequence[str], text: str) -> None:
    """Assert that a text names each option."""
    for word in words:
        if word.startswith("-") and word not in ("-", "--"):
            assert re.search(rf"(?<![\w-]){re.escape(word.partition('=')[0])}(?![\w-])", text), f"no option {word}"


def assert_airflow(words: Sequence[str], is_complete: bool) -> None:
    """Assert that Airflow accepts a command, and that its DAG exists; of an incomplete one, that the command exists."""
    if not is_complete:
        with contextlib.redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as ended:
            get_parser().parse_args([*takewhile(lambda word: word[0] != "-", words), "--help"])
        assert not ended.value.code, f"no command {shlex.join(words)}"
        return
    arguments = get_parser().parse_args(list(words))
    dag_id = getattr(arguments, "dag_id", None)
    if isinstance(dag_id, str) and re.fullmatch(r"[a-z_]+", dag_id):
        assert (REPO / "dags" / f"{dag_id}_dag.py").exists(), f"no DAG {dag_id}"
    if conf := getattr(arguments, "conf", None):
        json.loads(conf)


def assert_module(module: str, words: Sequence[str]) -> None:
    """Assert that a module is a program with these subcommands and options."""
    text = help_of(module)
    if words and "COMMAND ..." in text:
        assert re.search(rf"^    {re.escape(words[0])}\b", text, re.MULTILINE), f"no command {words[0]}"
        text += help_of(module, words[0])
    assert_options(words, text)


def assert_valid(words: list[str], is_complete: bool, config: pytest.Config) -> None:
    """Assert that a command has an existing program, options and files.

    Raises:
        SystemExit: a parser of options rejects it.
    """
    program, *rest = words
    program = re.sub(r"^\.venv(-\w+)?/bin/", "", program)
    for word in rest:
        top = word.split("/")[0]
        if "/" in word and top in {path.name for path in REPO.iterdir() if path.is_dir()} and top[0] != ".":
            assert list(REPO.glob(word)), f"no file {word}"
    match program, *rest:
        case ["python", "-m", "local", "airflow", "--", *arguments]:
            assert_airflow(arguments, is_complete)
        case ["python", "-m", "local", *arguments] if arguments[0] != "airflow":
            local_parser().parse_args(arguments)
        case ["python", "-m", module, *arguments] if module != "local":
            assert_module(module, arguments)
        case ["python", script, *arguments] if script.endswith(".py"):
            assert_options(arguments, (REPO / script).read_text())
        case ["./run_local.sh", *arguments]:
            assert_options(arguments, run_local_parser().format_help())
        case ["./run_tests.sh", *arguments]:
            for option in (argument for argument in arguments if argument.startswith("--")):
                config.getoption(option.removeprefix("--").replace("-", "_"))
        case ["scripts/bootstrap_gcp.sh", *arguments]:
            assert_options(arguments, bootstrap_parser().format_help())
        case ["scripts/smoke_gcp.sh", *arguments]:
            assert_options(arguments, smoke_parser().format_help())
        case ["stellar-etl", command, *arguments]:
            text = io.StringIO()
            with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as ended:
                stellar_etl([command, "--help"])
            assert not ended.value.code, f"no command {command}"
            assert_options(arguments, text.getvalue())
        case ["airflow", *arguments]:
            assert_airflow(arguments, is_complete)
        case ["make", target, *_]:
            assert re.search(rf"^{re.escape(target)}:", (REPO / "Makefile").read_text(), re.MULTILINE), target
        case ["benchmarks/run.sh", *names]:
            assert all((REPO / "benchmarks" / f"{name}.py").exists() for name in names), names
        case ["gcloud", *arguments] if gcloud.LIST.exists():
            gcloud.assert_exists(arguments)
        case [script, *arguments] if "/" in script:
            path = REPO / script
            assert os.access(path, os.X_OK if path.suffix in ("", ".sh") else os.R_OK), f"no program {script}"
            assert_options(arguments, path.read_text())
        case _:
            assert program in OTHERS, f"unknown program {program}: add it to OTHERS if another project has it"


def problems(page: Path, config: pytest.Config) -> list[str]:
    """Return the commands of a page that do not exist, each with the reason."""
    found = []
    for line, is_complete in lines(page.read_text()):
        for words in commands(line):
            try:
                assert_valid(words, is_complete, config)
            except (AssertionError, ValueError, SystemExit) as error:
                found.append(f"{shlex.join(words)}: {error}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_each_command_exists(page: Path, pytestconfig: pytest.Config) -> None:
    assert problems(page, pytestconfig) == []


@pytest.mark.parametrize(
    "line",
    [
        "python -m local tablets",
        "python -m local airflow -- dags trigger no_such_dag",
        "airflow dags trigger ledger_audit --conf '{start_ledger: 3}'",
        "PYTHONPATH=dags .venv/bin/python -m stellar_etl_airflow.certify --ledger 3-9 --no-such",
        "PYTHONPATH=dags python -m stellar_etl_airflow.settings verify",
        "./run_tests.sh --no-such",
        "./run_local.sh --no-such",
        "scripts/no_such.sh",
        "scripts/lock.sh; scripts/bootstrap_gcp.sh --no-such",
        "stellar-etl export_nothing -s 3",
        "stellar-etl export_ledgers --no-such",
        "make nothing",
        "benchmarks/run.sh nothing",
        "docker build -f dbt/NoSuchFile .",
        "no-such-program",
    ],
)
def test_a_command_that_does_not_exist_is_found(tmp_path: Path, pytestconfig: pytest.Config, line: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"Run this:\n\n```sh\necho right\n{line}\n```\n")
    assert len(problems(page, pytestconfig)) == 1
