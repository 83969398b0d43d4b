"""Airflow's command line in a process that has Airflow imported already, which saves seconds per command.

    python -m tests.end_to_end.airflow_shell SOCKET             # serve: run one command after the other
    python tests/end_to_end/airflow_shell.py SOCKET WORD…       # run one command: `airflow WORD…`

The server forks for each command, and the child runs Airflow's own entry point.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.stack import Stack

REPO = Path(__file__).resolve().parents[2]


READY = "the shell is ready\n"
"""The server prints this line when it is ready, among Airflow's output during the import."""


@dataclass(frozen=True)
class Ended:
    """The result of a command."""

    status: int
    printed: str


def ask(address: str, words: Sequence[str]) -> Ended:
    """Let the server run a command."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        with connection.makefile("rw") as file:
            print(json.dumps(list(words)), file=file, flush=True)
            return Ended(**json.loads(file.readline()))


class AirflowShell:
    """`airflow` in a stack's environment: by the method `run`, and by the program `airflow` in `folder`."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.folder = folder
        self._address = str(folder / "socket")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.airflow_shell", self._address],
            cwd=REPO,
            env=stack.environment() | {"COLUMNS": "200"},
            stdout=subprocess.PIPE,
            text=True,
        )
        program = folder / "airflow"
        client = shlex.join([sys.executable, "-I", str(Path(__file__).resolve()), self._address])
        program.write_text(f'#!/bin/sh\nexec {client} "$@"\n')
        program.chmod(0o755)

    def wait(self) -> None:
        """Wait until the server is ready."""
        assert self._process.stdout is not None
        assert READY in iter(self._process.stdout.readline, ""), "the server has ended"

    def run(self, words: Sequence[str]) -> Ended:
        """Run one command to its end."""
        return ask(self._address, words)

    def close(self) -> None:
        """End the process, if it still runs."""
        with self._process:
            self._process.terminate()


def run_here(words: list[str]) -> None:
    """Run a command in this process, and end it with the command's status."""
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", *words]
    try:
        airflow()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    else:
        status = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def serve(address: str) -> None:
    """Run commands, one after the other."""
    import airflow.__main__
    import airflow.cli.commands.dag_command
    import airflow.cli.commands.task_command
    import airflow.sdk  # noqa: F401

    from local.stack.preload import preload_modules

    preload_modules()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print(READY, end="", flush=True)
        while True:
            connection, _ = server.accept()
            with connection, connection.makefile("rw") as file, tempfile.TemporaryFile("w+") as output:
                words = json.loads(file.readline())
                if not (child := os.fork()):
                    os.dup2(output.fileno(), 1)
                    os.dup2(output.fileno(), 2)
                    run_here(words)
                _, status = os.waitpid(child, 0)
                output.seek(0)
                ended = {"status": os.waitstatus_to_exitcode(status), "printed": output.read()}
                print(json.dumps(ended), file=file, flush=True)


def main() -> None:
    """Serve, or run a command."""
    _, address, *words = sys.argv
    if not words:
        serve(address)
        return
    ended = ask(address, words)
    print(ended.printed, end="")
    sys.exit(ended.status)


if __name__ == "__main__":
    main()
