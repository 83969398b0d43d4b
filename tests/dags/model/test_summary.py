"""The summary of the coverage page: its ranges agree with a model of single ledgers, and its size is bounded."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.summary import MOST_PROBLEMS, MOST_SEGMENTS, Repair, State, segments
from stellar_etl_airflow.model.tables import EFFECTS, LEDGERS, PUBLISHED
from tests.plugins.summaries import DATASETS, HEAD, large_summary, made

LAST = 30
WHOLE = LedgerRange(1, LAST)
RANGES = st.lists(
    st.tuples(st.integers(1, LAST), st.integers(0, 8)).map(lambda one: LedgerRange(one[0], min(LAST, sum(one)))),
    max_size=5,
)


def ledgers(ranges):
    return {ledger for one in ranges for ledger in range(one.start, one.end + 1)}


@given(first=st.integers(1, LAST), loaded=RANGES, complete=RANGES, doubted=RANGES, repaired=RANGES)
def test_each_ledger_in_a_range_has_the_state_of_the_model(first, loaded, complete, doubted, repaired):
    present, good, doubts, repairs = map(ledgers, (loaded, complete, doubted, repaired))

    def state(ledger):
        if ledger in (present & good) - doubts:
            return State.COMPLETE
        if ledger in repairs:
            return State.REPAIRING
        if ledger in present:
            return State.DIRTY
        return State.GAP if present and first <= ledger < max(present) else State.NOT_LOADED

    found = segments(WHOLE, first, loaded, complete, doubted, repaired)
    ends = [start for start, _ in found[1:]] + [LAST + 1]
    unfolded = [(ledger, one) for (start, one), end in zip(found, ends, strict=True) for ledger in range(start, end)]
    assert unfolded == [(ledger, state(ledger)) for ledger in range(1, LAST + 1)]
    assert all(one is not other for (_, one), (_, other) in pairwise(found))


def test_ledgers_before_a_tables_first_load_are_a_gap_if_another_table_has_them():
    document = json.loads(made(100, {EFFECTS.table_id: [(3, 9)]}))
    assert states(document, DATASETS[0], EFFECTS.table_id)[:3] == [(1, "not_loaded"), (3, "gap"), (10, "complete")]


def test_a_table_with_too_many_state_changes_is_mixed_at_its_oldest_ledgers():
    every_other = [LedgerRange(ledger, ledger) for ledger in range(1, 4 * MOST_SEGMENTS, 2)]
    found = segments(LedgerRange(1, 4 * MOST_SEGMENTS), 1, every_other, every_other, [], [])
    assert len(found) == MOST_SEGMENTS
    assert found[0] == (1, State.MIXED)
    assert found[-2:] == ((4 * MOST_SEGMENTS - 1, State.COMPLETE), (4 * MOST_SEGMENTS, State.NOT_LOADED))


def states(document, dataset, table_id):
    table = next(one for one in document["datasets"] if one["id"] == dataset)["tables"][table_id]
    return list(zip(table["starts"], (document["states"][letter] for letter in table["states"]), strict=True))


def test_gaps_dirty_ranges_and_repairs_are_listed_with_their_runs():
    gaps, dirty = {EFFECTS.table_id: [(40, 49)]}, {LEDGERS.table_id: [(60, 61)]}
    repairs = [Repair(EFFECTS.dag_id, "heal__45", LedgerRange(45, 49))]
    document = json.loads(made(100, gaps, dirty, repairs))
    for dataset in DATASETS:
        assert states(document, dataset, EFFECTS.table_id) == [
            (1, "not_loaded"), (3, "complete"), (40, "gap"), (45, "repairing"), (50, "complete"), (99, "not_loaded"),
        ]  # fmt: skip
        assert states(document, dataset, LEDGERS.table_id)[2:4] == [(60, "dirty"), (62, "complete")]
    own = [one for one in document["problems"] if one["dataset"] == DATASETS[0]]
    assert [(one["table"], one["start"], one["end"], one["state"], one["faults"]) for one in own] == [
        ("history_ledgers", 60, 61, "dirty", ["lost_rows"]),
        ("history_effects", 45, 49, "repairing", []),
        ("history_effects", 40, 44, "gap", []),
    ]
    assert [one["runs"] for one in own] == [
        [[LEDGERS.dag_id, "scheduled__60"]],
        [[EFFECTS.dag_id, "heal__45"]],
        [],
    ]
    assert own[2]["closed"] == ["2026-02-28T23:54:55Z", "2026-02-28T23:55:25Z"]
    assert document["datasets"][0]["watermark"]["complete_through"] == 39


def test_the_size_depends_on_state_changes_and_not_on_ledgers(record_property):
    text = large_summary()
    document = json.loads(text)
    record_property("bytes", len(text))
    assert document["last_ledger"] == HEAD
    assert len(document["problems"]) == MOST_PROBLEMS
    assert {table for one in document["datasets"] for table in one["tables"]} == {
        table.table_id for table in PUBLISHED.values()
    }
    assert len(text) < 2_000_000
    assert len(made(HEAD)) - len(made(HEAD // 1000)) < 5000
