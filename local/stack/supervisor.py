"""Keeps a stack's services alive: `python -m local.stack.supervisor DIR`.

What dies is started again on the same data and port, at once the first time and with growing patience after that. What
answers no more is ended first. When the supervisor ends, so does everything; if it is killed, the guards see to that.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from local.stack.health import answers
from local.stack.layout import StackLayout, State, ensure_secrets, write_private
from local.stack.services import Service, image_map, services

POLL_SECONDS = 0.2
HEALTH_SECONDS = 5.0
FIRST_ANSWER_SECONDS = 300.0
"""How long a service may take to answer after its start: Airflow's API server imports for minutes on a busy machine."""
UNWELL_SECONDS = 120.0
"""How long a service that has answered may then be silent."""
STEADY_SECONDS = 20.0
PATIENCE = (0.0, 0.5, 1.0, 2.0, 4.0, 4.0)
"""Seconds before each further start of a service that keeps dying."""


@dataclass
class Held:
    """A service with the guard that holds it."""

    service: Service
    guard: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    starts: int = 0
    deaths: int = 0
    next_start: float = 0.0
    well: float = 0.0
    checked: float = 0.0


class Supervisor:
    """Runs a stack until it is told to stop."""

    def __init__(self, layout: StackLayout) -> None:
        self.layout = layout
        state = State.load(layout)
        assert state is not None, "the stack's state is saved before its supervisor starts"
        self.state = state
        self.keys = ensure_secrets(layout)
        self.held: list[Held] = []
        self.stopping = False
        self.preparation: subprocess.Popen[bytes] | None = None
        self.prepared = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT; status 1 if Airflow's database can't be made."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        for folder in (self.layout.logs, self.layout.lineage, self.layout.run, self.layout.airflow_home / "config"):
            folder.mkdir(parents=True, exist_ok=True)
        write_private(self.layout.images, json.dumps(image_map({**self.state.ports, **self.state.options.proxies})))
        (self.layout.airflow_home / "config" / "airflow_local_settings.py").write_text(
            "from local.stack.preload import preload\n\npreload()\n"
        )
        self.held = [Held(service) for service in services(self.layout, self.state, self.keys, os.environ)]
        failed = False
        try:
            self._begin_preparation()
            while not self.stopping and not failed:
                failed = not self._preparation_goes_well()
                for held in self.held:
                    self._tend(held)
                time.sleep(POLL_SECONDS)
        finally:
            self._end()
        return 1 if failed else 0

    def _stop(self, _number: int, _frame: object) -> None:
        self.stopping = True

    # Airflow's database -----------------------------------------------------------------------------------------

    def _begin_preparation(self) -> None:
        airflow = next(held.service for held in self.held if held.service.needs_database)
        argv = [sys.executable, "-m", "local.stack.guard", str(self.layout.run / "prepare.json"), "--"]
        argv += [sys.executable, "-m", "local.stack.prepare", str(self.layout.variables)]
        self.preparation = self._spawn(argv, airflow, "prepare")

    def _preparation_goes_well(self) -> bool:
        if self.prepared or self.preparation is None or self.preparation.poll() is None:
            return True
        self.prepared = self.preparation.returncode == 0
        return self.prepared

    # Services ---------------------------------------------------------------------------------------------------

    def _spawn(self, argv: list[str], service: Service, name: str) -> subprocess.Popen[bytes]:
        with (self.layout.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                argv,
                env=dict(service.env),
                cwd=self.layout.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _tend(self, held: Held) -> None:
        now = time.monotonic()
        if held.guard is None:
            if now >= held.next_start and (self.prepared or not held.service.needs_database):
                self._start(held, now)
            return
        if held.guard.poll() is not None:
            self._died(held, now)
            return
        if held.service.health and now - held.checked >= HEALTH_SECONDS:
            held.checked = now
            silent, patience = now - held.well, UNWELL_SECONDS
            if held.well < held.started:
                silent, patience = now - held.started, FIRST_ANSWER_SECONDS
            if answers(held.service.health):
                held.well = now
            elif silent > patience:
                self._log(f"{held.service.name} has not answered for {silent:.0f} s: it is started again")
                held.guard.terminate()

    def _start(self, held: Held, now: float) -> None:
        name = held.service.name
        argv = [sys.executable, "-m", "local.stack.guard", str(self.layout.run / f"{name}.json")]
        argv += [f"--stop={held.service.stop:d}", *(["--leave"] if held.service.leaves else [])]
        argv += ["--", *held.service.argv]
        held.guard = self._spawn(argv, held.service, name)
        held.started = now
        held.starts += 1
        self._note()

    def _died(self, held: Held, now: float) -> None:
        assert held.guard is not None
        held.deaths = 1 if now - held.started > STEADY_SECONDS else held.deaths + 1
        wait = PATIENCE[min(held.deaths - 1, len(PATIENCE) - 1)]
        self._log(f"{held.service.name} ended with status {held.guard.returncode}; it starts again in {wait} s")
        held.guard, held.next_start = None, now + wait

    def _note(self) -> None:
        starts = {held.service.name: held.starts for held in self.held}
        write_private(self.layout.run / "supervisor.json", json.dumps({"pid": os.getpid(), "starts": starts}))

    def _end(self) -> None:
        guards = [held.guard for held in self.held if held.guard is not None]
        if self.preparation is not None:
            guards.append(self.preparation)
        for guard in guards:
            with contextlib.suppress(ProcessLookupError):
                guard.terminate()
        for guard in guards:
            try:
                guard.wait(timeout=30)
            except subprocess.TimeoutExpired:
                guard.kill()
        with contextlib.suppress(FileNotFoundError):
            (self.layout.run / "supervisor.json").unlink()

    def _log(self, message: str) -> None:
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {message}", flush=True)


if __name__ == "__main__":
    sys.exit(Supervisor(StackLayout(Path(sys.argv[1]).resolve())).run())
