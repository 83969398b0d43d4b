"""One writer per table: jobs on a table do not overlap, and if they do, the final rows are right.

BigQuery runs insert-only merges at the same time; the laptop's warehouse does not. A model of BigQuery shows the
resulting rows: each job reads the table in its state when the job begins.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import Conflict, Forbidden, NotFound

from stellar_etl_airflow.bigquery import warehouse as warehouse_module
from stellar_etl_airflow.bigquery import writers
from stellar_etl_airflow.bigquery.jobs import TARGET_LABEL, Job, job_id_base, target_label
from stellar_etl_airflow.bigquery.tables import WarehouseError
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator

TABLE = "p.d.t"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
RANGES = (range(10), range(5, 15), range(10), range(20))
"""The ledger ranges of writers that run at the same time."""


Row = tuple[int, int]
"""A row: its ledger and the export attempt that exported it."""


class _KilledError(BaseException):
    """A client ends, as by kill -9."""


class _BigQuery:
    """A model of jobs that replace rows of ledgers in a table, and of the order in which clients and jobs proceed.

    Each request and each step of a job is a turn. A random number decides who has the next turn, so one seed gives one
    order of all events. A running job enters the list `list_delay` turns late. A client is killed with a probability of
    `deaths` at each turn.
    """

    def __init__(self, seed: int, list_delay: int = 0, deaths: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.list_delay, self.deaths = list_delay, deaths
        self.rows: Counter[Row] = Counter()
        self.jobs: dict[str, _Job] = {}
        self.turns = itertools.count()
        self.now = 0
        self.turn_taken = threading.Condition()
        self.waiting: dict[str, bool] = {}
        self.chosen: str | None = None

    # The order of events ---------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Wait for this client's turn, while jobs proceed."""
        name = threading.current_thread().name
        with self.turn_taken:
            self.waiting[name] = True
            self._choose()
            self.turn_taken.wait_for(lambda: self.chosen == name)
            self.chosen = None
            self.waiting[name] = False
            self.may_die()

    def may_die(self) -> None:
        if self.random.random() < self.deaths:
            raise _KilledError

    def leave(self) -> None:
        """Remove a client that has ended."""
        with self.turn_taken:
            del self.waiting[threading.current_thread().name]
            self._choose()

    def _choose(self) -> None:
        """When all clients wait, run some steps of the jobs, then choose the next client."""
        if self.chosen is not None or not self.waiting or not all(self.waiting.values()):
            return
        self.now += 1
        for job in sorted(self.jobs.values(), key=lambda job: job.job_id):
            if self.random.random() < 0.4:
                job.step(self)
        self.chosen = self.random.choice(sorted(self.waiting))
        self.turn_taken.notify_all()

    # Methods of BigQuery's client ------------------------------------------------------------------------------------

    def insert(
        self, job_id: str, labels: dict[str, str], ledgers: range, chosen: Iterable[int] | None = None, attempt: int = 0
    ) -> _Job:
        self.turn()
        if job_id in self.jobs:
            raise Conflict(job_id)
        job = _Job(self, job_id, labels, ledgers if chosen is None else chosen, attempt, ledgers)
        self.jobs[job_id] = job
        self.may_die()  # the client dies before it reads the reply
        return job

    def get_job(self, job_id: str, **_: object) -> _Job:
        self.turn()
        if job_id not in self.jobs:
            raise NotFound(job_id)
        return self.jobs[job_id]

    def list_jobs(self, project, *, all_users, page_size, state_filter=None, min_creation_time=None, **_):
        self.turn()
        assert (project, all_users) == ("p", True)
        return _Listed(
            job
            for job in self.jobs.values()
            if (state_filter is None or job.state.lower() == state_filter)
            and (job.state == "DONE" or self.now - job.number >= self.list_delay)
        )

    def cancel_job(self, job_id: str, **_: object) -> _Job:
        self.turn()
        self.jobs[job_id].cancelled = True
        return self.jobs[job_id]


class _Listed:
    """Listed jobs as Google's client returns them: a page as the server sent it, and the parameters of requests."""

    def __init__(self, jobs: Iterable[_Job]) -> None:
        self.pages = [SimpleNamespace(raw_page={"jobs": [job.resource() for job in jobs]})]
        self.extra_params: dict[str, str] = {}


class _Job:
    """A job: pending, then running on the rows it found, then done."""

    def __init__(
        self,
        bigquery: _BigQuery,
        job_id: str,
        labels: dict[str, str],
        ledgers: Iterable[int],
        attempt: int,
        requested: range,
    ) -> None:
        self.bigquery, self.job_id, self.labels = bigquery, job_id, labels
        self.ledgers, self.attempt, self.requested = ledgers, attempt, requested
        self.number = bigquery.now
        self.created = EPOCH + timedelta(seconds=bigquery.now)
        self.state, self.ended, self.error_result, self.cancelled = "PENDING", None, None, False
        self.found: Counter[Row] = Counter()

    def resource(self) -> dict[str, Any]:
        """Return the job in its present state, as in a list."""
        moments = {"creationTime": self.created, "endTime": self.ended}
        return {
            "jobReference": {"jobId": self.job_id},
            "configuration": {"labels": self.labels},
            "status": {"state": self.state} | ({"errorResult": self.error_result} if self.error_result else {}),
            "statistics": {key: str(int(at.timestamp() * 1000)) for key, at in moments.items() if at is not None},
        }

    def replaces(self, ledger: int, attempt: int) -> bool:
        return ledger in self.requested and attempt <= self.attempt

    def step(self, bigquery: _BigQuery) -> None:
        if self.state == "PENDING":
            self.state = "RUNNING"
            self.found = Counter({row: count for row, count in bigquery.rows.items() if self.replaces(*row)})
        elif self.state == "RUNNING" and bigquery.random.random() < 0.5:
            self.state, self.ended = "DONE", EPOCH + timedelta(seconds=bigquery.now)
            # A cancelled job may still succeed. A job fails with a conflict if another job deleted its rows meanwhile.
            gone = any(bigquery.rows[row] < count for row, count in self.found.items())
            if gone or (self.cancelled and bigquery.random.random() < 0.5):
                self.error_result = {"reason": "stopped" if self.cancelled else "invalidQuery"}
                return
            bigquery.rows -= self.found
            bigquery.rows += Counter((ledger, self.attempt) for ledger in self.ledgers)

    def running(self) -> bool:
        return self.state != "DONE"

    def result(self, **_: object) -> None:
        while self.state != "DONE":
            self.bigquery.turn()
        if self.error_result:
            raise Conflict(str(self.error_result))


def write(bigquery: _BigQuery, number: int, ledgers: range) -> None:
    """Submit a job as a task does, with retries until it succeeds."""
    warehouse = Warehouse(bigquery, SimpleNamespace(bq_project="p", bq_dataset="d"))
    warehouse.location = "US"
    job = Job("merge", {"query": {"query": f"MERGE `{TABLE}` {number}"}})

    def start(job, job_id, work, parts):
        return bigquery.insert(job_id, {TARGET_LABEL: target_label(TABLE)}, ledgers)

    warehouse._start = start
    base = job_id_base("dag", f"run-{number}", "merge", "merge")
    try:
        while True:
            try:
                warehouse.run(job, base)
            except (Conflict, _KilledError):  # Airflow retries the task
                continue
            return
    finally:
        bigquery.leave()


class _Publish(BigQueryJobsOperator):
    """Publish the ledgers of an export attempt, except those that a newer attempt has published."""

    waits_for_budget = False

    def __init__(self, *, bigquery: _BigQuery, attempt: int, ledgers: range, **kwargs: Any) -> None:
        super().__init__(task_id=f"merge_{attempt}", deferrable=False, **kwargs)
        self.bigquery, self.attempt, self.requested = bigquery, attempt, ledgers
        self.warehouse = Warehouse(bigquery, SimpleNamespace(bq_project="p", bq_dataset="d"))
        self.warehouse.location = self.location = "US"
        self.project_id, self.hook = "p", SimpleNamespace()

    def jobs(self, context, warehouse):
        self.bigquery.turn()
        looked_at = EPOCH + timedelta(seconds=self.bigquery.now)
        newer = {ledger for ledger, attempt in +self.bigquery.rows if attempt > self.attempt}
        self.chosen = [ledger for ledger in self.requested if ledger not in newer]
        return [Job("merge", {"query": {"query": f"MERGE `{TABLE}` {self.chosen}"}}, looked_at)]

    def _submit_job(self, hook, job_id):
        return self.bigquery.insert(job_id, self.configuration["labels"], self.requested, self.chosen, self.attempt)

    def _handle_job_error(self, job):
        assert not job.error_result

    def done(self, context, warehouse, jobs):
        return None


def publish(bigquery: _BigQuery, number: int, ledgers: range) -> None:
    """Publish as a merge task does, with retries until it succeeds."""
    ti = SimpleNamespace(dag_id="dag", run_id=f"run-{number}", task_id="merge", xcom_push=lambda **_: None)
    try:
        while True:
            try:
                _Publish(bigquery=bigquery, attempt=number, ledgers=ledgers)._run({"ti": ti}, [])
            except (Conflict, _KilledError):
                continue
            return
    finally:
        bigquery.leave()


def play(seed: int, writer: Callable[..., None] = write, **conditions: float) -> _BigQuery:
    """Run all writers at the same time."""
    bigquery = _BigQuery(seed, **conditions)
    threads = [
        threading.Thread(target=writer, args=(bigquery, number, ledgers), name=str(number))
        for number, ledgers in enumerate(RANGES)
    ]
    bigquery.waiting = dict.fromkeys((thread.name for thread in threads), False)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), f"seed {seed}: a writer hangs"
    return bigquery


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(writers, "PAUSES", (0.0,))


@pytest.mark.parametrize(
    "conditions", [{}, {"list_delay": 3}, {"deaths": 0.05}, {"list_delay": 3, "deaths": 0.05}], ids=str
)
def test_rows_are_right_in_every_order_of_events(no_pauses, conditions):
    for seed in range(40):
        bigquery = play(seed, **conditions)
        assert bigquery.rows == Counter((ledger, 0) for ledger in range(20)), f"seed {seed}"


NEWEST = Counter((ledger, 3) for ledger in range(20))
"""The rows of the last of `RANGES`: it is the newest export attempt and covers all ledgers."""


CONDITIONS = [{}, {"list_delay": 3}, {"deaths": 0.05}, {"list_delay": 3, "deaths": 0.05}]


@pytest.mark.parametrize("conditions", CONDITIONS, ids=str)
def test_the_rows_of_the_newest_attempt_stay_in_every_order_of_events(no_pauses, conditions):
    for seed in range(40):
        assert play(seed, publish, **conditions).rows == NEWEST, f"seed {seed}"


def test_without_the_time_of_the_check_older_rows_replace_newer_ones(no_pauses, monkeypatch):
    """The model shows why the time is needed."""
    monkeypatch.setattr(writers, "_began", lambda job: job.created)
    older = {(ledger, attempt) for ledger in range(20) for attempt in range(3)}
    assert any(older & set(play(seed, publish).rows) for seed in range(40))


def test_without_the_check_for_earlier_writers_rows_are_duplicated(no_pauses, monkeypatch):
    """The model shows why the check is needed."""
    monkeypatch.setattr(warehouse_module, "earlier_writers", lambda *_: [])
    assert any(max(play(seed).rows.values()) > 1 for seed in range(40))


def test_the_error_of_an_account_that_cannot_list_jobs_names_the_role():
    def list_jobs(*_, **__):
        raise Forbidden("Access Denied: Project p")

    with pytest.raises(WarehouseError, match="bigquery.jobs.listAll.*roles/bigquery.resourceViewer.*Access Denied"):
        writers.wait_for_writers(SimpleNamespace(list_jobs=list_jobs), "p", "US", "x")


def test_a_list_without_an_unreachable_location_is_no_proof_that_a_table_has_no_writer():
    """The jobs of other locations don't matter."""

    def client(*unreachable):
        listed = _Listed([])
        listed.pages[0].raw_page["unreachable"] = list(unreachable)
        return SimpleNamespace(list_jobs=lambda *_, **__: listed)

    with pytest.raises(WarehouseError, match="did not reach location US.*missing.*a retry"):
        writers.wait_for_writers(client("europe-west5", "us"), "p", "US", "x")
    writers.wait_for_writers(client("europe-west5"), "p", "US", "x")
