"""Keeps a stack's services running: `python -m local.stack.supervisor DIR`.

A service that dies is restarted on the same data and port, at once the first time and after growing pauses later. A
service that no longer responds is ended first. When the supervisor ends, everything ends; if it is killed, the guards
end their services. Once a day it lets Airflow delete old rows of its database.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.stack import cleaning
from local.stack.health import answers
from local.stack.layout import StackLayout, State, ensure_secrets, write_private
from local.stack.services import Service, image_map, preparation, services

POLL_SECONDS = 0.2
HEALTH_SECONDS = 5.0
FIRST_ANSWER_SECONDS = 300.0
"""The time-out for a service's first response: Airflow's API server imports for minutes on a busy machine."""
UNHEALTHY_SECONDS = 120.0
"""The time-out for later responses of a service."""
STEADY_SECONDS = 20.0
PATIENCE = (0.0, 0.5, 1.0, 2.0, 4.0, 4.0)
"""Seconds before each further start of a crashing service."""


@dataclass
class Child:
    """A service with its guard."""

    service: Service
    guard: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    starts: int = 0
    deaths: int = 0
    next_start: float = 0.0
    healthy_at: float = 0.0
    checked: float = 0.0


class Supervisor:
    """Runs a stack until it gets a signal."""

    def __init__(self, layout: StackLayout) -> None:
        self.layout = layout
        state = State.load(layout)
        assert state is not None, "the stack's state is saved before its supervisor starts"
        self.state = state
        self.keys = ensure_secrets(layout)
        self.children: list[Child] = []
        self.stopping = False
        self.preparation: subprocess.Popen[bytes] | None = None
        self.prepared = False
        self.cleaning: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; exit with status 1 if Airflow's database can't be prepared."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        for folder in (self.layout.logs, self.layout.lineage, self.layout.run, self.layout.airflow_home / "config"):
            folder.mkdir(parents=True, exist_ok=True)
        images = image_map({**self.state.ports, **self.state.options.proxies}, os.environ)
        write_private(self.layout.images, json.dumps(images))
        (self.layout.airflow_home / "config" / "airflow_local_settings.py").write_text(
            "from local.stack.preload import preload\n\npreload()\n"
        )
        self.children = [Child(service) for service in services(self.layout, self.state, self.keys, os.environ)]
        failed, cleaned = False, cleaning.Schedule(self.layout.cleaned, datetime.now(UTC))
        try:
            self._begin_preparation()
            while not self.stopping and not failed:
                failed = not self._preparation_is_healthy()
                for child in self.children:
                    self._tend(child)
                self._clean_database(cleaned)
                time.sleep(POLL_SECONDS)
        finally:
            self._end()
        return 1 if failed else 0

    def _stop(self, _number: int, _frame: object) -> None:
        self.stopping = True

    # Airflow's database -----------------------------------------------------------------------------------------

    def _begin_preparation(self) -> None:
        self.layout.migrated.unlink(missing_ok=True)  # of an earlier start, perhaps of an older version of Airflow
        argv = [sys.executable, "-m", "local.stack.guard", str(self.layout.run / "prepare.json"), "--"]
        self.preparation = self._spawn([*argv, *preparation(self.layout)], self._airflow(), "prepare")

    def _preparation_is_healthy(self) -> bool:
        if self.prepared or self.preparation is None or self.preparation.poll() is None:
            return True
        self.prepared = self.preparation.returncode == 0
        return self.prepared

    def _clean_database(self, schedule: cleaning.Schedule) -> None:
        now = datetime.now(UTC)
        if self.cleaning is None:
            if self.prepared and schedule.is_due(now):
                argv = [sys.executable, "-m", "local.stack.guard", str(self.layout.run / "clean.json"), "--"]
                self.cleaning = self._spawn([*argv, *cleaning.command(now)], self._airflow(), "clean")
            return
        if self.cleaning.poll() is None:
            return
        if self.cleaning.returncode == 0:
            cleaning.delete_logs(self.layout.airflow_home / "logs", now)
            schedule.done(now)
        else:
            self._log(f"airflow db clean ended with status {self.cleaning.returncode}: see clean.log")
            schedule.failed(now)
        self.cleaning = None

    def _airflow(self) -> Service:
        """Return a service with the address of Airflow's database in its environment."""
        return next(child.service for child in self.children if child.service.needs_database)

    def _can_start(self, service: Service) -> bool:
        """Return whether Airflow's database has what a service needs."""
        if service.needs_dags:
            return self.prepared
        return not service.needs_database or self.layout.migrated.exists()

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

    def _tend(self, child: Child) -> None:
        now = time.monotonic()
        if child.guard is None:
            if now >= child.next_start and self._can_start(child.service):
                self._start(child, now)
            return
        if child.guard.poll() is not None:
            self._died(child, now)
            return
        if child.service.health and now - child.checked >= HEALTH_SECONDS:
            child.checked = now
            silent, patience = now - child.healthy_at, UNHEALTHY_SECONDS
            if child.healthy_at < child.started:
                silent, patience = now - child.started, FIRST_ANSWER_SECONDS
            if answers(child.service.health):
                child.healthy_at = now
            elif silent > patience:
                self._log(f"{child.service.name} has not answered for {silent:.0f} s: restarting it")
                child.guard.terminate()

    def _start(self, child: Child, now: float) -> None:
        name = child.service.name
        argv = [sys.executable, "-m", "local.stack.guard", str(self.layout.run / f"{name}.json")]
        argv += [f"--stop={child.service.stop:d}", *(["--leave"] if child.service.leaves else [])]
        argv += ["--", *child.service.argv]
        child.guard = self._spawn(argv, child.service, name)
        child.started = now
        child.starts += 1
        self._note()

    def _died(self, child: Child, now: float) -> None:
        assert child.guard is not None
        child.deaths = 1 if now - child.started > STEADY_SECONDS else child.deaths + 1
        wait = PATIENCE[min(child.deaths - 1, len(PATIENCE) - 1)]
        self._log(f"{child.service.name} ended with status {child.guard.returncode}; it restarts in {wait} s")
        child.guard, child.next_start = None, now + wait

    def _note(self) -> None:
        starts = {child.service.name: child.starts for child in self.children}
        write_private(self.layout.run / "supervisor.json", json.dumps({"pid": os.getpid(), "starts": starts}))

    def _end(self) -> None:
        """End Airflow's services before their database and the emulators: they still use these while they stop."""
        running = [(child.service.needs_database, child.guard) for child in self.children if child.guard is not None]
        running += [(True, process) for process in (self.preparation, self.cleaning) if process is not None]
        for needs_database in (True, False):
            _end_all([guard for needs, guard in running if needs == needs_database])
        with contextlib.suppress(FileNotFoundError):
            (self.layout.run / "supervisor.json").unlink()

    def _log(self, message: str) -> None:
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {message}", flush=True)


def _end_all(guards: Sequence[subprocess.Popen[bytes]]) -> None:
    for guard in guards:
        with contextlib.suppress(ProcessLookupError):
            guard.terminate()
    for guard in guards:
        try:
            guard.wait(timeout=30)
        except subprocess.TimeoutExpired:
            guard.kill()


if __name__ == "__main__":
    sys.exit(Supervisor(StackLayout(Path(sys.argv[1]).resolve())).run())
