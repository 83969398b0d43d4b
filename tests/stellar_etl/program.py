"""Runs the exporter as pods run it: the program, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = str(Path(sys.executable).with_name("stellar-etl"))

Row = dict[str, Any]


def command(type_: str) -> str:
    return "export_token_transfer" if type_ == "token_transfers" else f"export_{type_}"


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )


def succeed(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    done = run(*arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done


def fail(*arguments: object, status: int = 1, **environment: str) -> str:
    """Runs it, expects a status and one line on standard error; gives that line."""
    done = run(*arguments, **environment)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def as_set(some_rows: list[Row]) -> list[str]:
    """Rows in a form that compares as JSON values do: 1.0 is 1, the order of keys and rows is none."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return sorted(json.dumps(plain(row), sort_keys=True) for row in some_rows)
