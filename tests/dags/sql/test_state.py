"""Point-in-time tables never go backwards, in whatever order and however often batches come."""

from __future__ import annotations

import random
from itertools import pairwise

import google.cloud.bigquery as bq
import pytest

from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.model.tables import Table
from stellar_etl_airflow.sql.publish import publish
from stellar_etl_airflow.sql.records import unchanged
from stellar_etl_airflow.sql.state import current_view, merge_changes, merge_full_load, rebuild, replace_base
from stellar_etl_airflow.sql.statement import range_parameters, table_name

CHANGES = Table("things", "things", keys=("owner", "kind", "ledger_sequence"), entry_keys=("owner", "kind"))
SCHEMA = [
    ("owner", "STRING"),
    ("kind", "INTEGER"),
    ("n", "INTEGER"),
    ("ledger_sequence", "INTEGER"),
    ("deleted", "BOOL"),
    ("closed_at", "TIMESTAMP"),
]
COLUMNS = [column for column, _ in SCHEMA]
MOVED = unchanged(COLUMNS)


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
            values = ", ".join(
                f"('{o}', {k}, {n}, {ledger}, {deleted}, TIMESTAMP '2026-01-01')" for o, k, n, ledger, deleted in rows
            )
            client.query(f"INSERT INTO {name} VALUES {values}").result()
        return name

    return make


@pytest.fixture
def held(client):
    def held(name):
        found = client.query(f"SELECT {', '.join(COLUMNS[:-1])} FROM {name} ORDER BY 1, 2, 4").result()
        return [tuple(row.values()) for row in found]

    return held


def merge(client, make, state, rows, base_ledger=0):
    run(client, merge_changes(CHANGES, state, make("staging", rows), MOVED, base_ledger))


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
    run(client, merge_full_load(CHANGES, state, make("staging", load), MOVED, 10))
    expected = [("new", 1, 3, 10, False), ("newer", 1, 7, 12, False), ("old", 1, 2, 10, False)]
    assert held(state) == expected
    merge(client, make, state, [("gone", 1, 1, 9, False), ("never", 1, 1, 10, False)], base_ledger=10)
    assert held(state) == expected
    merge(client, make, state, [("gone", 1, 5, 11, False)], base_ledger=10)
    assert held(state)[0] == ("gone", 1, 5, 11, False)


def test_what_was_deleted_before_a_full_load_does_not_come_back_with_a_late_batch(client, make, held):
    """Created at L - 100, deleted at L - 50, a full load at L: then the batch of L - 100 arrives."""
    state = make("state")
    merge(client, make, state, [("a", 1, 10, 150, True)])
    run(client, merge_full_load(CHANGES, state, make("staging", [("b", 1, 1, 200, False)]), MOVED, 200))
    merge(client, make, state, [("a", 1, 10, 100, False)], base_ledger=200)
    assert held(state) == [("b", 1, 1, 200, False)]


def test_created_and_deleted_in_one_batch_is_a_tombstone(client, make, held):
    state = make("state")
    merge(client, make, state, [("a", 1, 10, 5, False), ("a", 1, 10, 6, True)])
    assert held(state) == [("a", 1, 10, 6, True)]


def test_a_corrected_export_of_the_same_ledgers_replaces(client, make, held):
    """A change that was wrongly told of an entry is overwritten."""
    state, log = make("state"), make("log")
    for rows in ([("a", 1, 10, 5, False), ("b", 1, 1, 6, True)], [("a", 1, 11, 5, False), ("b", 1, 1, 6, False)]):
        publish_range(client, make, log, rows, 5, 6)
        merge(client, make, state, rows)
    assert held(log) == held(state) == [("a", 1, 11, 5, False), ("b", 1, 1, 6, False)]


def publish_range(client, make, log, rows, first, last):
    parameters = range_parameters(first, last, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    run(client, publish(CHANGES, log, make("staging", rows), MOVED, parameters))


ENTRIES = [("a", 1), ("a", 2), ("b", 1), ("c", 1), ("d", 4)]
LAST = 30


def history(dice):
    """Changes of entries that are made, changed, deleted and made again; and what there is after each ledger."""
    changes, there, after = [], {}, {0: {}}
    for ledger in range(1, LAST + 1):
        for entry in dice.sample(ENTRIES, dice.randrange(4)):
            deleted = entry in there and dice.random() < 0.4
            number = there[entry] if deleted else dice.randrange(1000)
            changes.append((*entry, number, ledger, deleted))
            if deleted:
                del there[entry]
            else:
                there[entry] = number
        after[ledger] = dict(there)
    return changes, after


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_batches_and_their_order_tables_end_the_same(client, make, held, seed):
    """Batches of any size, in any order, with repeats and overlaps; full loads, two at most, at any point."""
    dice = random.Random(seed)
    changes, after = history(dice)
    bounds = sorted({1, LAST + 1, *dice.sample(range(2, LAST + 1), 5)})
    steps = [("batch", first, end - 1) for first, end in pairwise(bounds)]
    for _ in range(2):
        first = dice.randrange(1, LAST)
        steps.append(("batch", first, min(LAST, first + dice.randrange(12))))
    loads = dice.sample(range(1, LAST), seed % 3)
    steps += [("load", ledger, ledger) for ledger in loads]
    dice.shuffle(steps)
    log, state, base, base_ledger = make("log"), make("state"), make("base"), 0
    for kind, first, last in steps:
        if kind == "batch":
            rows = [row for row in changes if first <= row[3] <= last]
            publish_range(client, make, log, rows, first, last)
            merge(client, make, state, rows, base_ledger)
        elif last >= base_ledger:
            staging = make("staging", [(*entry, number, last, False) for entry, number in after[last].items()])
            run(client, replace_base(base, staging, MOVED))
            base_ledger = last
            run(client, merge_full_load(CHANGES, state, staging, MOVED, base_ledger))
    start = max(loads, default=0)
    expected = {entry: (*entry, number, start, False) for entry, number in after[start].items()}
    expected |= {row[:2]: row for row in changes if row[3] > start}
    assert sorted(held(log)) == sorted(changes)
    assert held(state) == sorted(expected.values())
    view = {row[:2]: row[2] for row in held(f"({current_view(state, COLUMNS)})")}
    assert view == after[LAST]
    spoilt = make("spoilt", [("a", 1, -1, 99, False), ("z", 9, 1, 1, False)])
    run(client, rebuild(CHANGES, spoilt, log, MOVED, *(((base, MOVED), base_ledger) if loads else ())))
    assert held(spoilt) == held(state)
