"""Point-in-time tables never go backwards, in whatever order and however often batches come."""

from __future__ import annotations

import random

import google.cloud.bigquery as bq
import pytest

from stellar_etl_airflow.jobs import query_job
from stellar_etl_airflow.sql import table_name
from stellar_etl_airflow.state_sql import current_view, merge_changes, merge_full_load, rebuild
from stellar_etl_airflow.tables import Table

CHANGES = Table("things", "things", keys=("owner", "kind", "ledger_sequence"), entry_keys=("owner", "kind"))
SCHEMA = [
    ("owner", "STRING"),
    ("kind", "INTEGER"),
    ("n", "INTEGER"),
    ("ledger_sequence", "INTEGER"),
    ("deleted", "BOOL"),
]
COLUMNS = [column for column, _ in SCHEMA]


def run(client, statement):
    configuration = query_job("test", statement, 1 << 40).configuration
    client.query(statement.sql, bq.QueryJobConfig.from_api_repr(configuration)).result()


@pytest.fixture
def make(client):
    def make(table_id, rows=()):
        client.delete_table(f"local.stellar.{table_id}", not_found_ok=True)
        client.create_table(bq.Table(f"local.stellar.{table_id}", schema=[bq.SchemaField(*c) for c in SCHEMA]))
        name = table_name("local", "stellar", table_id)
        if rows:
            values = ", ".join(f"('{o}', {k}, {n}, {ledger}, {deleted})" for o, k, n, ledger, deleted in rows)
            client.query(f"INSERT INTO {name} VALUES {values}").result()
        return name

    return make


@pytest.fixture
def held(client):
    def held(name):
        found = client.query(f"SELECT {', '.join(COLUMNS)} FROM {name} ORDER BY 1, 2").result()
        return [tuple(row.values()) for row in found]

    return held


def merge(client, make, state, rows, base_ledger=0):
    run(client, merge_changes(CHANGES, state, make("staging", rows), COLUMNS, base_ledger))


def test_of_several_changes_of_an_entry_the_newest_counts(client, make, held):
    state = make("state")
    merge(
        client,
        make,
        state,
        [("a", 1, 10, 5, False), ("a", 1, 30, 7, False), ("a", 1, 20, 6, False), ("b", 1, 1, 5, False)],
    )
    assert held(state) == [("a", 1, 30, 7, False), ("b", 1, 1, 5, False)]


def test_an_older_batch_that_runs_late_changes_nothing_newer(client, make, held):
    state = make("state", [("a", 1, 30, 7, False), ("b", 1, 9, 7, True)])
    merge(client, make, state, [("a", 1, 10, 6, False), ("b", 1, 8, 6, False), ("c", 1, 1, 6, False)])
    assert held(state) == [("a", 1, 30, 7, False), ("b", 1, 9, 7, True), ("c", 1, 1, 6, False)]


def test_a_deleted_entry_stays_as_a_tombstone_and_may_come_again(client, make, held):
    state = make("state", [("a", 1, 10, 5, False)])
    merge(client, make, state, [("a", 1, 10, 6, True)])
    view = f"({current_view(state, COLUMNS)})"
    assert (held(state), held(view)) == ([("a", 1, 10, 6, True)], [])
    merge(client, make, state, [("a", 1, 50, 8, False)])
    assert held(view) == [("a", 1, 50, 8, False)]


def test_the_same_ledger_loaded_again_replaces(client, make, held):
    state = make("state", [("a", 1, 10, 5, False)])
    merge(client, make, state, [("a", 1, 11, 5, False)])
    assert held(state) == [("a", 1, 11, 5, False)]


def test_a_full_load_is_the_base_and_changes_up_to_it_never_enter(client, make, held):
    state = make("state", [("gone", 1, 1, 3, False), ("old", 1, 1, 3, False), ("newer", 1, 7, 12, False)])
    load = [("old", 1, 2, 10, False), ("newer", 1, 6, 10, False), ("new", 1, 3, 10, False)]
    run(client, merge_full_load(CHANGES, state, make("staging", load), COLUMNS, 10))
    expected = [
        ("gone", 1, 1, 10, True),
        ("new", 1, 3, 10, False),
        ("newer", 1, 7, 12, False),
        ("old", 1, 2, 10, False),
    ]
    assert held(state) == expected
    merge(client, make, state, [("gone", 1, 1, 9, False), ("never", 1, 1, 10, False)], base_ledger=10)
    assert held(state) == expected
    merge(client, make, state, [("gone", 1, 5, 11, False)], base_ledger=10)
    assert held(state)[0] == ("gone", 1, 5, 11, False)


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_batches_and_a_rebuild_end_in_the_same_state(client, make, held, seed):
    dice = random.Random(seed)
    changes = [
        (owner, kind, dice.randrange(1000), ledger, dice.random() < 0.3)
        for ledger in range(1, 31)
        for owner, kind in dice.sample([("a", 1), ("a", 2), ("b", 1), ("c", 1)], dice.randrange(1, 4))
    ]
    latest = {row[:2]: row for row in changes}
    batches = [[row for row in changes if start <= row[3] < start + 5] for start in (1, 6, 11, 16, 21, 26)]
    batches += [[row for row in changes if start <= row[3] < start + 12] for start in (3, 15)]
    dice.shuffle(batches)
    state = make("state")
    for batch in batches:
        merge(client, make, state, batch)
    assert held(state) == sorted(latest.values())
    log = make("log", changes)
    broken = make("broken", [("a", 1, -1, 99, False), ("z", 9, 1, 1, False)])
    run(client, rebuild(CHANGES, broken, log, None, COLUMNS))
    assert held(broken) == sorted(latest.values())


def test_a_rebuild_begins_with_the_full_load(client, make, held):
    log = make("log", [("a", 1, 1, 9, False), ("a", 1, 3, 12, False), ("b", 1, 4, 13, True), ("gone", 1, 1, 8, False)])
    base = make("base", [("a", 1, 2, 10, False), ("b", 1, 2, 10, False), ("still", 1, 2, 10, False)])
    state = make("state", [("wrong", 1, 1, 99, False)])
    run(client, rebuild(CHANGES, state, log, base, COLUMNS))
    assert held(state) == [("a", 1, 3, 12, False), ("b", 1, 4, 13, True), ("still", 1, 2, 10, False)]
