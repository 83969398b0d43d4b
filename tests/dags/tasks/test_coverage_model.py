"""Coverage checks agree with a model that stores per ledger which load's rows the table has.

The model uses neither SQL nor ranges: it is a dictionary that loads, reloads, deletions and late publishes change one
ledger at a time. The table after the real tasks, and the findings of a coverage check, must agree with it.
"""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.coverage import Fault
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import EFFECTS, LEDGERS
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_coverage_tasks import HEAD_TASK, build_coverage_check_task, found_by
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, LAST = 10, 25


def closed_at(ledger):
    return f"{BEGIN + timedelta(seconds=5 * ledger):%Y-%m-%dT%H:%M:%SZ}"


def rows_of(data_type, ledger, version):
    """Return the rows of a ledger from a version of the exporter: zero, one or two effects."""
    common = {"closed_at": closed_at(ledger), "batch_id": "b", "batch_run_date": "2026-01-01T00:00:00"}
    if data_type == LEDGERS.data_type:
        hashes = {"ledger_hash": f"h{ledger}", "previous_ledger_hash": f"h{ledger - 1}"}
        return [{"sequence": ledger, "id": ledger << 32, **hashes, **common}]
    count = (ledger * version) % 3
    return [
        {"id": f"{ledger}-{i}", "operation_id": ledger, "type": version, "ledger_sequence": ledger, **common}
        for i in range(count)
    ]


@dataclass
class Attempt:
    """One export: its ledgers, its version of the exporter, and its position in the order of attempts."""

    number: int
    start: int
    end: int
    version: int

    @property
    def ledgers(self):
        return range(self.start, self.end + 1)


@dataclass
class Model:
    """Per ledger the attempt whose rows the table has, their number, and the recorded load."""

    published: dict = field(default_factory=dict)
    rows: dict = field(default_factory=dict)
    noted: dict = field(default_factory=dict)

    def publish(self, attempt):
        for ledger in attempt.ledgers:
            self.published[ledger] = attempt.number
            self.rows[ledger] = len(rows_of(EFFECTS.data_type, ledger, attempt.version))

    def is_older(self, attempt):
        """Return whether a newer attempt has one of the ledgers, recorded or as a row."""
        return any(
            self.noted.get(ledger, (-1,))[0] > attempt.number
            or (self.rows.get(ledger) and self.published[ledger] > attempt.number)
            for ledger in attempt.ledgers
        )

    def note(self, attempt):
        for ledger in attempt.ledgers:
            if ledger not in self.noted or self.noted[ledger][0] <= attempt.number:
                self.noted[ledger] = (attempt.number, len(rows_of(EFFECTS.data_type, ledger, attempt.version)))

    def delete(self, ledgers):
        for ledger in ledgers:
            self.rows[ledger] = 0

    def wrong(self):
        newest = max(self.noted, default=0)
        never = {ledger for ledger in range(FIRST, newest + 1) if ledger not in self.noted}
        lost = {ledger for ledger, (_, rows) in self.noted.items() if self.rows.get(ledger, 0) != rows}
        return {Fault.NOT_LOADED: never, Fault.LOST_ROWS: lost}


@pytest.fixture
def laptop(client, warehouse_server, warehouse_environment, make_context):
    """The tasks of batches and of the coverage check, on the laptop's warehouse, in a dataset per example."""
    numbers = itertools.count()

    class Laptop:
        def __init__(self):
            self.dataset = f"model_{next(numbers)}"
            client.delete_dataset(self.dataset, delete_contents=True, not_found_ok=True)
            client.create_dataset(self.dataset)
            warehouse_environment(bq_dataset=self.dataset)
            self.attempts = []
            self.publish(self.stage(FIRST, LAST, 0, LEDGERS), LEDGERS)
            self.attempts.clear()

        def close(self):
            client.delete_dataset(self.dataset, delete_contents=True)

        def _run(self, task, run_id, name):
            task.deferrable = False
            context = make_context(task.task_id, run_id=run_id)
            task.pre_execute(context)
            make_context.xcoms[name, "return_value"] = result = task.execute(context)
            return result

        def stage(self, start, end, version, table=EFFECTS):
            """Export, load into staging and check."""
            attempt = Attempt(len(self.attempts), start, end, version)
            self.attempts.append(attempt)
            moment = BEGIN + timedelta(days=1, minutes=attempt.number)
            started_at = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
            rows = [
                {**row, "batch_insert_ts": started_at}
                for ledger in attempt.ledgers
                for row in rows_of(table.data_type, ledger, version)
            ]
            name = f"{self.dataset}_{attempt.number}_{table.data_type}"
            folder = warehouse_server[1] / "exports"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
            export = ExportAttempt(LedgerRange(start, end), f"p/{moment:%Y%m%dT%H%M%SZ}-{attempt.number}", started_at)
            files = {table.data_type: ExportedFile(f"gs://exports/{name}", len(rows), 1)}
            batch = Batch(export, "a network", end - start + 1, closed_at(start), closed_at(end), files)
            self._use(attempt, table, batch)
            for build, task in ((build_gcs_to_bq_task, "load"), (build_check_task, "check")):
                result = self._run(build(table), name, f"{table.data_type}.{task}")
                result["ended_at"] = (moment + timedelta(seconds=30)).isoformat()
            self._keep(attempt, table)
            return attempt

        def _use(self, attempt, table, batch=None):
            if batch is not None:
                attempt.left = {(VERIFY_TASK, "return_value"): batch.to_json()}
            make_context.xcoms.clear()
            make_context.xcoms.update(attempt.left)

        def _keep(self, attempt, table):
            attempt.left |= make_context.xcoms

        def publish(self, attempt, table=EFFECTS, *, note=True):
            """Merge, or expect a refusal; then record the load."""
            name = f"{self.dataset}_{attempt.number}_{table.data_type}"
            self._use(attempt, table)
            try:
                merged = self._run(build_apply_gcs_changes_to_bq_task(table), name, f"{table.data_type}.merge")
            except AirflowFailException as error:
                assert "clear the task 'export' with its downstream tasks" in str(error)
                return False
            moment = BEGIN + timedelta(days=1, minutes=attempt.number, seconds=40)
            merged["ended_at"] = moment.isoformat()
            if note:
                self._run(build_batch_stats([table]), name, "batch_stats")
            return True

        def delete(self, ledgers):
            listed = ", ".join(map(str, ledgers))
            with suppress(Exception):  # the table does not exist before the first load
                client.query(
                    f"DELETE FROM local.{self.dataset}.history_effects WHERE ledger_sequence IN ({listed})"
                ).result()

        def rows(self):
            sql = f"SELECT ledger_sequence, COUNT(*) FROM local.{self.dataset}.history_effects GROUP BY 1"
            return dict(tuple(row.values()) for row in client.query(sql).result())

        def found(self):
            make_context.xcoms[HEAD_TASK, "return_value"] = {"sequence": LAST, "closed_at": closed_at(LAST)}
            task = build_coverage_check_task()
            self._run(task, "look", task.task_id)
            wrong = {Fault.NOT_LOADED: set(), Fault.LOST_ROWS: set()}
            for one in found_by(make_context(task.task_id), task.warehouse):
                if one.fault not in (Fault.LAG, Fault.LOOKED_AT):
                    assert one.data_type == EFFECTS.data_type
                    wrong[one.fault] |= {*range(one.start_ledger, one.end_ledger + 1)}
            return wrong

    return Laptop


LEDGER = st.integers(FIRST, LAST)
RANGE = st.tuples(LEDGER, LEDGER).map(sorted)
VERSION = st.integers(1, 4)
STEP = st.one_of(
    st.tuples(st.just("load"), RANGE, VERSION),
    st.tuples(st.just("stage"), RANGE, VERSION),
    st.tuples(st.just("load without stats"), RANGE, VERSION),
    st.tuples(st.just("clear"), st.integers(0, 5)),
    st.tuples(st.just("delete"), st.sets(LEDGER, min_size=1, max_size=4)),
)
WHOLE = ("load", [FIRST, LAST], 2)


def run(laptop, steps):
    """Run the steps on the laptop's warehouse and in the model, and compare both."""
    model = Model()
    for kind, *arguments in steps:
        if kind == "delete":
            laptop.delete(sorted(arguments[0]))
            model.delete(arguments[0])
        elif kind == "clear":
            if laptop.attempts:
                attempt = laptop.attempts[arguments[0] % len(laptop.attempts)]
                assert laptop.publish(attempt) != model.is_older(attempt)
                if not model.is_older(attempt):
                    model.publish(attempt)
                    model.note(attempt)
        else:
            (start, end), version = arguments
            attempt = laptop.stage(start, end, version)
            if kind != "stage":
                note = kind == "load"
                assert laptop.publish(attempt, note=note)
                model.publish(attempt)
                if note:
                    model.note(attempt)
    if model.published:
        assert laptop.rows() == {ledger: count for ledger, count in model.rows.items() if count}
    assert laptop.found() == model.wrong()


def judged(laptop, examples):
    @settings(max_examples=examples, derandomize=examples < 10)
    @given(st.lists(STEP, min_size=1, max_size=5))
    @example([WHOLE, ("load", [14, 17], 2), ("delete", {12, 18})])
    @example([WHOLE, ("stage", [12, 20], 1), ("load", [15, 16], 3), ("clear", 1)])
    @example([("load", [12, 14], 1), ("load", [17, 20], 4), ("load without stats", [13, 18], 2), ("delete", {13, 19})])
    def judge(steps):
        one = laptop()
        try:
            run(one, steps)
        finally:
            one.close()

    judge()


@pytest.mark.slow
def test_coverage_agrees_with_the_model(laptop):
    judged(laptop, 1)


@pytest.mark.slow
def test_coverage_agrees_with_the_model_for_many_histories(laptop):
    judged(laptop, 40)  # one takes six seconds
