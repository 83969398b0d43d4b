"""Pending ledgers of derived tables, compared with a check ledger by ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from stellar_etl_airflow.model.derived import Publication, closed_between, first_unit, inside, pending_ranges
from stellar_etl_airflow.model.ranges import LedgerRange, TimeRange

START = datetime(2026, 1, 1, tzinfo=UTC)


def publication(start, end, minute, closed=None):
    return Publication(LedgerRange(start, end), START + timedelta(minutes=minute), closed)


PUBLICATIONS = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 15), st.integers(0, 9)).map(
        lambda parts: publication(parts[0], parts[0] + parts[1], parts[2])
    ),
    max_size=8,
)


def newest(publications, ledger):
    moments = [one.moment for one in publications if one.ledgers.start <= ledger <= one.ledgers.end]
    return max(moments, default=None)


@given(PUBLICATIONS, PUBLICATIONS, PUBLICATIONS)
def test_ledgers_are_pending_if_all_sources_have_them_and_one_is_newer(one, other, own):
    expected = set()
    for ledger in range(1, 60):
        moments, derived = [newest(one, ledger), newest(other, ledger)], newest(own, ledger)
        if None not in moments and (derived is None or max(moments) > derived):
            expected.add(ledger)
    found = pending_ranges({"one": one, "other": other}, own)
    assert [ledger for each in found for ledger in range(each.start, each.end + 1)] == sorted(expected)


def test_a_run_first_takes_pending_ledgers_of_its_data_interval():
    units = [LedgerRange(1, 9), LedgerRange(20, 29)]
    headers = [
        publication(start, start + 9, 0, (START + timedelta(minutes=start), START + timedelta(minutes=start + 9)))
        for start in (0, 10, 20)
    ]
    assert (
        first_unit(units, headers, TimeRange(START + timedelta(minutes=21), START + timedelta(minutes=25))) == units[1]
    )
    assert (
        first_unit(units, headers, TimeRange(START + timedelta(minutes=11), START + timedelta(minutes=12))) == units[0]
    )
    assert first_unit(units, headers, None) == units[0]


def test_close_times_are_known_for_ranges_with_published_headers():
    closed = {start: (START + timedelta(minutes=start), START + timedelta(minutes=start + 9)) for start in (0, 10, 20)}
    headers = [publication(start, start + 9, 0, closed[start]) for start in (0, 10)]
    assert closed_between(headers, LedgerRange(5, 12)) == (closed[0][0], closed[10][1])
    assert closed_between(headers, LedgerRange(12, 25)) is None
    assert closed_between([*headers, publication(20, 29, 0)], LedgerRange(12, 25)) is None


def test_a_run_consumes_the_publications_that_it_has_read_completely():
    found = inside(
        [publication(1, 5, 1), publication(5, 12, 1), publication(6, 9, 3), publication(1, 5, 2)],
        LedgerRange(1, 10),
        START + timedelta(minutes=2),
    )
    assert found == [LedgerRange(1, 5)]
