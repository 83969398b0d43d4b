"""Runs the exporter as pods run it: the program in a separate process, forked from one with its imports."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from stellar_etl.cli.options import pairs
from stellar_etl.transforms.registry import HISTORY
from tests import forked_programs, validator
from tests.shared import REPO

PROGRAM = str(Path(sys.executable).with_name("stellar-etl"))

Row = dict[str, Any]

TABLES = {
    "ledger_transaction": "",  # these types have no table
    "token_transfers": "token_transfers_raw",
    "signers": "account_signers",
    "trustlines": "trust_lines",
    **{type_: f"history_{type_}" for type_ in HISTORY if type_ not in ("ledger_transaction", "token_transfers")},
}
"""The tables whose names differ from their types'."""

BATCH_COLUMNS = {"batch_id", "batch_run_date", "batch_insert_ts"}
"""The columns that a load adds to every row: a test may omit them."""


def command(type_: str) -> str:
    return "export_token_transfer" if type_ == "token_transfers" else f"export_{type_}"


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    own, env = list(map(str, arguments)), {**os.environ, **environment}
    if any(name.startswith("PYTHON") for name in environment):  # read by Python's start
        done = subprocess.run([PROGRAM, *own], env=env, capture_output=True, text=True, timeout=120, check=False)
    else:
        done = forked_programs.run("stellar-etl", own, env=env)
    if done.returncode == 0:
        refused = refused_rows(own)
        assert not refused, "\n".join(refused[:20])
    return done


def option(arguments: Sequence[str], *names: str) -> str:
    return next((arguments[place + 1] for place, name in enumerate(arguments[:-1]) if name in names), "")


def refused_rows(arguments: Sequence[str]) -> list[str]:
    """Return the reasons for which BigQuery would refuse rows of a local export: file, line, column."""
    output, end = option(arguments, "-o", "--output"), option(arguments, "-e", "--end-ledger")
    if not arguments or not arguments[0].startswith("export_") or not output:
        return []
    start = option(arguments, "-s", "--start-ledger") or "2"
    name = f"{output}.manifest.json"
    if arguments[0] in ("export_all_history", "export_ledger_entry_changes"):
        name = f"{output.rstrip('/')}/{start}-{end}-manifest.json"
    if arguments[0] == "export_bucket_list":
        checkpoint = (int(end) + 1) // 64 * 64 - 1
        name = f"{output.rstrip('/')}/{checkpoint}-{checkpoint}-manifest.json"
    if option(arguments, "--cloud-provider") or not Path(name).is_file():
        return []
    fields = itertools.pairwise(arguments)
    extra = {key for name, text in fields if name in ("-u", "--extra-fields") for key in pairs(name)(text)}
    return [
        f"{file['name']}:{number}: {problem}"
        for file in json.loads(Path(name).read_text())["files"]
        if (fields := schema(file["type"]))
        for number, row in enumerate(rows(Path(file["name"])), start=1)
        for problem in validator.problems(
            {key: value for key, value in row.items() if key not in extra},
            [field for field in fields if field["name"] not in extra | BATCH_COLUMNS],
        )
    ]


@cache
def schema(type_: str) -> list[validator.Field]:
    """Return the fields of a type's table, none if it has no table."""
    path = REPO / "schemas" / f"{TABLES.get(type_, type_)}_schema.json"
    fields: list[validator.Field] = json.loads(path.read_text()) if path.exists() else []
    return fields


def succeed(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    done = run(*arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done


def fail(*arguments: object, status: int = 1, **environment: str) -> str:
    """Run the program, expect a status and one line on standard error; return that line."""
    done = run(*arguments, **environment)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def as_set(some_rows: list[Row]) -> list[str]:
    """Return rows in a form that compares as JSON values do: 1.0 equals 1, and the order of keys and rows is free."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return sorted(json.dumps(plain(row), sort_keys=True) for row in some_rows)
