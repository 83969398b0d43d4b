"""Stand-ins for programs of Google Cloud: short shell scripts, which send their arguments to a server of the test.

A script under test starts a hundred, and each start of a Python program takes 30 to 70 ms of processor time.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = """#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port}
given=
case "$*" in *--data-file=-*) given=$(cat; echo .) ;; esac
printf '%s\\n' "$(($# + 4))" >&3
printf '%s\\0' {program} "$PPID" "$KUBECONFIG" "${{given%.}}" "$@" >&3
read -r status <&3
if ((status)); then cat <&3 >&2; else cat <&3; fi
exit "$status"
"""
"""It sends the number of texts, and its name, its parent, its kubeconfig, its standard input and its arguments."""


@dataclass(frozen=True)
class Call:
    """The start of a program.

    Attributes:
        parent: the process that started it.
        kubeconfig: its variable KUBECONFIG.
        given: its standard input.
    """

    program: str
    parent: int
    kubeconfig: Path
    given: str
    arguments: tuple[str, ...]


Answer = Callable[[Call], str]
"""Returns the output of a program, or raises `FailedError`."""


class FailedError(Exception):
    """The program fails with this text on standard error."""


class Programs(socketserver.TCPServer):
    """The server.

    Attributes:
        answer: executes the calls. Each test sets its own.
    """

    answer: Answer

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    def write(self, folder: Path, name: str) -> Path:
        """Write a program."""
        path = folder / name
        path.write_text(_PROGRAM.format(port=self.server_address[1], program=name))
        path.chmod(0o755)
        return path


class _Handler(socketserver.StreamRequestHandler):
    server: Programs

    def handle(self) -> None:
        texts = [self._text() for _ in range(int(self.rfile.readline()))]
        program, parent, kubeconfig, given, *arguments = texts
        try:
            shown = f"0\n{self.server.answer(Call(program, int(parent), Path(kubeconfig), given, tuple(arguments)))}"
        except FailedError as error:
            shown = f"1\n{error}\n"
        except Exception as error:
            shown = f"2\n{error!r}\n"
        self.wfile.write(shown.encode())

    def _text(self) -> str:
        found = bytearray()
        while (byte := self.rfile.read(1)) != b"\0":
            found += byte
            assert byte, "the program ended"
        return found.decode()


@contextmanager
def serving() -> Iterator[Programs]:
    """Serve calls in a thread."""
    with Programs() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()
