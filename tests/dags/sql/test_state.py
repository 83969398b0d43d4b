"""Point-in-time views on the laptop's warehouse are correct for every order and repetition of batches."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import pairwise

import google.cloud.bigquery as bq
import pytest

from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.model.versions import OPEN_LEDGER
from stellar_etl_airflow.sql import versions as sql
from stellar_etl_airflow.sql.statement import Statement
from tests.dags.sql.versions_model import COLUMNS, Deployment, closed_at

FAR = timedelta(days=1000)
TYPES = dict(zip(COLUMNS, ("INTEGER", "INTEGER", "BOOLEAN", "INTEGER", "TIMESTAMP"), strict=True))
SCHEMA = [bq.SchemaField(name, kind) for name, kind in TYPES.items()]
ENDS = [bq.SchemaField.from_api_repr(dict(field)) for field in sql.ENDS]


class Laptop(Deployment):
    """The same change log and versions in the laptop's warehouse, with stored views."""

    def __init__(self, client):
        self.client = client
        super().__init__()

    def __post_init__(self):
        for name in ("things", "things_base", "staging"):
            self.client.create_table(bq.Table(f"local.stellar.{name}", schema=SCHEMA))
        self.client.create_table(bq.Table("local.stellar.things_versions", schema=[*SCHEMA, *ENDS]))

    def run(self, statement):
        statement = Statement(statement.sql.replace("`p.d.", "`local.stellar."), statement.parameters)
        configuration = query_job("test", statement, 1 << 40).configuration
        job = self.client.query(statement.sql, bq.QueryJobConfig.from_api_repr(configuration))
        return [dict(row.items()) for row in job.result()]

    def insert(self, name, rows):
        table = name.replace("`p.d.", "`local.stellar.")
        self.client.query(f"DELETE FROM {table} WHERE TRUE").result()
        values = ", ".join(
            f"({key}, {value}, {gone}, {ledger}, TIMESTAMP '{closed_at(ledger).isoformat()}')"
            for ledger, key, value, gone in rows
        )
        if values:
            self.client.query(f"INSERT INTO {table} VALUES {values}").result()

    def read(self, text):
        """Read a stored view, whose text BigQuery keeps."""
        view = bq.Table("local.stellar.shown")
        view.view_query = text.replace("`p.d.", "`local.stellar.")
        self.client.delete_table(view, not_found_ok=True)
        self.client.create_table(view)
        return super().read("SELECT * FROM `local.stellar.shown`")

    def publish(self, first, last, changes):
        for step in self.steps_of_publish(first, last, FAR):
            self.do(step)
        self.replace_range(first, last, changes)

    def fold(self):
        for step in self.steps_of_fold():
            self.do(step)

    def begin(self, ledger, entries):
        self.keep(ledger, entries)
        for step in self.steps_before_begin(ledger):
            self.do(step)
        for step in self.steps_of_begin(ledger):
            self.do(step)
        self.base = tuple(entries)


@pytest.fixture
def it(client):
    return Laptop(client)


A, B, C, D = range(4)


def test_the_newest_change_of_an_entry_counts(it):
    it.publish(5, 7, [(5, A, 10, False), (7, A, 30, False), (6, A, 20, False), (5, B, 1, False)])
    assert it.current() == [(A, 30), (B, 1)]
    assert sorted(it.history()) == [(A, 5, 6, 10), (A, 6, 7, 20), (A, 7, OPEN_LEDGER, 30), (B, 5, OPEN_LEDGER, 1)]


@pytest.mark.parametrize("folds", [False, True])
def test_a_late_older_batch_changes_nothing_newer(it, folds):
    it.publish(7, 7, [(7, A, 30, False), (7, B, 9, True)])
    if folds:
        it.fold()
    it.publish(6, 6, [(6, A, 10, False), (6, B, 8, False), (6, C, 1, False)])
    assert it.current() == [(A, 30), (C, 1)]
    it.check(each=True)


@pytest.mark.parametrize("folds", [False, True])
def test_a_deleted_entry_disappears_and_may_return(it, folds):
    it.publish(5, 6, [(5, A, 10, False), (6, A, 10, True)])
    if folds:
        it.fold()
    assert (it.current(), it.history()) == ([], [(A, 5, 6, 10)])
    it.publish(8, 8, [(8, A, 50, False)])
    assert it.current() == [(A, 50)]
    assert sorted(it.history()) == [(A, 5, 6, 10), (A, 8, OPEN_LEDGER, 50)]


@pytest.mark.parametrize("folds", [False, True])
def test_a_repeated_load_replaces_the_changes_of_its_ledgers(it, folds):
    """It removes a wrong change of an entry, and a change of an entry that never existed."""
    it.publish(5, 6, [(5, A, 10, False), (6, B, 1, True), (6, C, 7, False)])
    if folds:
        it.fold()
    it.publish(5, 6, [(5, A, 11, False), (6, B, 1, False)])
    assert it.current() == [(A, 11), (B, 1)]
    it.check(each=True)


def test_a_full_load_is_the_base_and_earlier_changes_never_enter(it):
    gone, old, newer, new = A, B, C, D
    it.publish(3, 12, [(3, gone, 1, False), (3, old, 1, False), (12, newer, 7, False)])
    it.begin(10, [(old, 2), (newer, 6), (new, 3)])
    assert it.current() == [(old, 2), (newer, 7), (new, 3)]
    it.publish(9, 10, [(9, gone, 1, False), (10, 9, 1, False)])
    assert it.current() == [(old, 2), (newer, 7), (new, 3)]
    it.publish(11, 11, [(11, gone, 5, False)])
    assert it.current() == [(gone, 5), (old, 2), (newer, 7), (new, 3)]
    assert (old, 3, 10, 1) in it.history()


def test_an_entry_deleted_before_a_full_load_does_not_return_with_a_late_batch(it):
    """The entry is created at 10 and deleted at 15. A full load is at 20, then the batch of 10 arrives."""
    it.publish(15, 15, [(15, A, 10, True)])
    it.begin(20, [(B, 1)])
    it.publish(10, 10, [(10, A, 10, False)])
    assert it.current() == [(B, 1)]


def test_an_entry_that_a_full_load_confirms_keeps_its_version(it):
    it.publish(5, 6, [(5, A, 10, False), (6, B, 20, False)])
    it.begin(9, [(A, 10), (B, 21)])
    assert sorted(it.history()) == [(A, 5, OPEN_LEDGER, 10), (B, 6, 9, 20), (B, 9, OPEN_LEDGER, 21)]


def test_an_entry_created_and_deleted_in_one_batch_is_absent(it):
    it.publish(5, 6, [(5, A, 10, False), (6, A, 10, True)])
    assert it.current() == []


LAST = 30


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_views_end_the_same_for_all_batches_and_orders(it, seed):
    """Batches have any size and order, with repeats, overlaps and folds, and at most two full loads at any point."""
    dice = random.Random(seed)
    changes = [
        (ledger, key, dice.randrange(1000), dice.random() < 0.4)
        for ledger in range(1, LAST + 1)
        for key in dice.sample(range(5), dice.randrange(4))
    ]
    bounds = sorted({1, LAST + 1, *dice.sample(range(2, LAST + 1), 5)})
    steps = [("publish", first, end - 1) for first, end in pairwise(bounds)]
    steps += [("publish", first, min(LAST, first + dice.randrange(12))) for first in dice.sample(range(1, LAST), 2)]
    steps += [("begin", ledger, ledger) for ledger in dice.sample(range(1, LAST), seed % 3)] + [("fold", 0, 0)] * 3
    dice.shuffle(steps)
    for kind, first, last in steps:
        if kind == "publish":
            it.publish(first, last, [one for one in changes if first <= one[0] <= last])
        elif kind == "fold":
            it.fold()
        elif last >= it.folded.start_ledger:
            it.begin(last, [(key, dice.randrange(3)) for key in dice.sample(range(5), 3)])
    it.check()
    it.client.query("DELETE FROM `local.stellar.things_versions` WHERE valid_to_ledger >= 9").result()
    for step in it.steps_of_rebuild():
        it.do(step)
    it.check(each=True)
