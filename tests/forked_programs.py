"""Starts Python programs by a fork of a process that has imported them already.

A start costs a few milliseconds of processor time. The imports of the exporter or of a script take up to half a second,
which is most of the time of a short test. The program has its own process, arguments, environment, folder and standard
streams. Tests of the start itself, of memory and of signals use the installed programs.

This file is also the server, a process with one thread: `forked_programs.py SOCKET`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent

PROGRAMS = {
    "stellar-etl": ("stellar_etl.cli", ["google.cloud.storage", "pyarrow.parquet", "stellar_etl.export"]),
    "bootstrap_gcp": ("scripts.bootstrap_gcp.__main__", []),
    "local.sample_network": ("local.sample_network.__main__", []),
    "local.warehouse": ("local.warehouse.__main__", ["bqemulator.server", "local.warehouse.corrections"]),
}
"""The module with a program's `main`, and the modules that it imports later."""


class Process:
    """A running program, with the methods of `subprocess.Popen` that tests use.

    Attributes:
        returncode: the exit status, or the negative number of the signal that ended it; None while it runs.
    """

    def __init__(
        self, program: str, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, *streams: int
    ) -> None:
        self.args, self.returncode = [program, *arguments], None
        self._report, theirs = socket.socketpair()
        request = {"program": program, "arguments": list(arguments), "env": dict(env), "cwd": str(cwd)}
        with theirs:
            _ask(_server(program), request, [*streams, theirs.fileno()])
        (self.pid,) = struct.unpack("i", _receive(self._report, 4))

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status.

        Raises:
            subprocess.TimeoutExpired: the program has not ended yet.
        """
        if self.returncode is None:
            self._report.settimeout(timeout)
            try:
                (status,) = struct.unpack("i", _receive(self._report, 4))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._report.close()
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit status, None while the program runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the program has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def start(program: str, arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Process:
    """Start a program with the standard streams of this process."""
    return Process(program, arguments, env, cwd, 0, 1, 2)


def run(
    program: str,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    standard_input: str = "",
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a program like `subprocess.run` with captured output.

    Raises:
        subprocess.TimeoutExpired: it was killed after the timeout.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        given.write(standard_input.encode())
        given.seek(0)
        streams = [file.fileno() for file in (given, output, errors)]
        process = Process(program, arguments, env, cwd or Path.cwd(), *streams)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            raise
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(process.args, status, *texts)


@functools.cache
def _server(program: str) -> socket.socket:
    """Start the server of a program; it ends with this process."""
    own, theirs = socket.socketpair()
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": f"{REPO}:{REPO}/dags"}
    process = subprocess.Popen(
        [sys.executable, __file__, str(theirs.fileno()), program],
        pass_fds=[theirs.fileno()],
        env=environment,
        cwd=REPO,
        start_new_session=True,  # Ctrl-C goes to the tests, which close the socket
    )
    theirs.close()

    def end() -> None:
        own.close()
        process.wait()

    atexit.register(end)
    return own


_lock = threading.Lock()


def _ask(server: socket.socket, request: Mapping[str, Any], files: Sequence[int]) -> None:
    content = json.dumps(request).encode()
    with _lock:
        socket.send_fds(server, [struct.pack("i", len(content))], files)
        server.sendall(content)


def _receive(sender: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = sender.recv(size - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def _serve(control: socket.socket, program: str) -> None:
    """Fork for each request, and report each end, until the tests close the socket; then end what still runs."""
    if program == "local.warehouse":  # as its `main` does before the imports, which log
        from bqemulator.config import LogFormat, LogLevel
        from bqemulator.observability.logging_ import configure_logging

        configure_logging(level=LogLevel.WARNING, fmt=LogFormat.CONSOLE)
    module, later = PROGRAMS[program]
    main = importlib.import_module(module).main
    for name in later:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    ready = selectors.DefaultSelector()
    ready.register(control, selectors.EVENT_READ)
    running: set[int] = set()
    while True:
        for key, _ in ready.select():
            if key.fileobj is not control:
                pid, report = key.data
                ready.unregister(key.fileobj)
                os.close(key.fd)
                running.discard(pid)
                with report:
                    _, status = os.waitpid(pid, 0)
                    _send(report, status)
                continue
            size, files, _, _ = socket.recv_fds(control, 4, 4)
            if not size:
                for pid in running:
                    os.kill(pid, signal.SIGTERM)
                return
            *streams, reporting = files
            request = json.loads(_receive(control, struct.unpack("i", size)[0]))
            pid = os.fork()
            if pid == 0:
                for key in ready.get_map().values():  # the reports of others end with their own processes
                    if key.fileobj is not control:
                        key.data[1].close()
                ready.close()
                control.close()
                os.close(reporting)
                os._exit(_run(main, request, streams))
            for stream in streams:
                os.close(stream)
            running.add(pid)
            report = socket.socket(fileno=reporting)
            _send(report, pid)
            ready.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, report))


def _send(report: socket.socket, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # its test gave up
        report.sendall(struct.pack("i", number))


def _run(main: Any, request: Mapping[str, Any], streams: Sequence[int]) -> int:
    """Run the program in this process as its start would; return its exit status."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    tempfile.tempdir = None
    sys.argv = [request["program"], *request["arguments"]]
    status: Any = 1
    try:
        status = main()
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
    if isinstance(status, str):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status or 0


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
    os._exit(0)  # some libraries complain when Python ends
