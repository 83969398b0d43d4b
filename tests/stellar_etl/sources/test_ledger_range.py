"""From times to ledgers in lakes as large as the public one; a server counts the requests."""

from __future__ import annotations

import json
import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement, pairwise

import pytest

from stellar_etl.sources.lake import open_lake
from stellar_etl.sources.layout import LakeLayout
from stellar_etl.sources.ledger_range import ledger_range
from tests.stellar_etl.program import fail, succeed
from tests.stellar_etl.web_lake import Pretended, Server, served

NOT_YET = 75

# Seconds between ledgers from this ledger on, close to the public network's.
PACES = [(0, 4.73), (22_343_679, 5.47), (25_811_356, 5.2), (30_000_000, 5.6), (36_000_000, 5.9), (45_000_000, 5.65)]
PACES += [(52_000_000, 6.0), (57_000_000, 5.75)]
HALTS = [(23_918_000, 4020), (41_000_000, 1800), (55_555_555, 900)]
"""Seconds for which the network stopped after this ledger."""

BEGUN = [1_443_633_300.0]
for (first, pace), (following, _) in pairwise(PACES):
    BEGUN.append(BEGUN[-1] + (following - first) * pace)


def closed(sequence: int) -> int:
    """Return the close time of a ledger, with eras, slow and fast waves, stops, and two seconds of randomness."""
    era = bisect_right(PACES, (sequence, math.inf)) - 1
    first, pace = PACES[era]
    waves = 40_000 * math.sin(sequence / 400_000) + 300 * math.sin(sequence / 9_000)
    halts = sum(seconds for ledger, seconds in HALTS if sequence > ledger)
    return int(BEGUN[era] + (sequence - first) * pace + waves + halts) + (sequence * 2654435761 >> 7) % 3


def expected(lake: Pretended, seconds: int) -> int:
    """Return the first ledger that closed at or after a time, by binary search."""
    ledgers = range(lake.oldest, lake.newest + 1)
    return ledgers[bisect_left(ledgers, seconds, key=lake.closed)]


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def assert_found(server: Server, lake: Pretended, start: int, end: int) -> None:
    """Check the range between two times; the server has the counts of this search."""
    server.reads.clear()
    server.listings.clear()
    found = ledger_range(open_lake(server.url, "pubnet"), moment(start), moment(end))
    assert found == {"start": expected(lake, start), "end": expected(lake, end)}, (start, end)


def test_a_range_of_a_large_lake_needs_a_dozen_reads_and_one_listing() -> None:
    chance = random.Random(1)
    lake = Pretended(closed)
    reads = []
    with served(lake) as server:
        for length in (1, 300, 600, 600, 600, 3600, 86_400, 30 * 86_400, 365 * 86_400) * 6:
            start = closed(chance.randrange(lake.oldest, lake.newest)) + chance.randrange(-3, 3)
            assert_found(server, lake, start, min(start + length, closed(lake.newest)))
            assert len(server.listings) == 1
            reads.append(server.ledger_reads)
        assert max(reads) <= 13
        assert sum(reads) <= 10 * len(reads)
        for ledger, seconds in HALTS:  # ten minutes around and within a time without ledgers
            for begin in (closed(ledger) - 300, closed(ledger) + 10, closed(ledger) + seconds - 300):
                assert_found(server, lake, begin, begin + 600)
                reads.append(server.ledger_reads)
    assert max(reads) <= 24


def test_the_program_finds_the_range_too() -> None:
    lake = Pretended(closed)
    start = closed(59_876_543)
    with served(lake) as server:
        done = succeed(
            *("get_ledger_range_from_times", "-s", moment(start).isoformat(), "-e", moment(start + 600).isoformat()),
            *("--datastore-path", server.url, "-o", ""),
        )
        assert json.loads(done.stdout) == {"start": 59_876_543, "end": expected(lake, start + 600)}
        assert server.requests <= 14


@pytest.mark.parametrize("oldest", [1, 2, 3, 1_000, 63_999, 64_000, 44_444_444, 59_999_999, 60_000_000])
def test_both_ends_of_a_lake_are_found(oldest: int) -> None:
    lake = Pretended(closed, oldest=oldest)
    first, last = closed(oldest), closed(lake.newest)
    with served(lake) as server:
        assert_found(server, lake, 0, first)
        assert_found(server, lake, first, first)
        assert_found(server, lake, first - 86_400, last)
        assert server.requests <= 150
        assert_found(server, lake, last, last)
        assert_found(server, lake, min(first + 1, last), last)


@pytest.mark.parametrize(
    ("seconds", "microseconds"),
    [
        ((-1, 0, 1, 2, 3, 6, 7, 8, 11), (0, 1, 999_999)),
        pytest.param(range(-1, 12), (0, 1, 500_000, 999_999), marks=pytest.mark.slow),
    ],
    ids=["near", "all"],
)
def test_fractions_of_a_second_omit_no_ledger(seconds: Iterable[int], microseconds: tuple[int, ...]) -> None:
    """All pairs of times around close times, some a second apart, are compared with all ledgers."""
    closes = [1_767_225_600 + offset for offset in (0, 1, 2, 7, 12)]
    lake = Pretended(lambda sequence: closes[sequence - 3], oldest=3, newest=2 + len(closes))
    moments = [
        moment(closes[0]) + timedelta(seconds=second, microseconds=micro)
        for second in seconds
        for micro in microseconds
    ]
    with served(lake) as server:
        opened = open_lake(server.url, "pubnet")
        for start, end in combinations_with_replacement(moments, 2):
            found = ledger_range(opened, start, end)
            within = [n for n, closed in enumerate(closes, 3) if start <= moment(closed) < end]
            assert list(range(found["start"], found["end"])) == within, (start, end)


def test_a_time_after_the_newest_ledger_is_not_reached_yet() -> None:
    lake = Pretended(closed)
    with served(lake) as server:
        line = fail(
            *("get_ledger_range_from_times", "-s", moment(closed(59_000_000)).isoformat()),
            *("-e", moment(closed(lake.newest) + 1).isoformat(), "--datastore-path", server.url, "-o", ""),
            status=NOT_YET,
        )
        assert "--end-time" in line
        assert "60000000" in line
        assert server.ledger_reads == 1


@pytest.mark.parametrize(
    "strange",
    [
        lambda sequence: sequence,
        lambda sequence: sequence * 3600,
        lambda sequence: sequence + (10**9 if sequence > 1_234_567 else 0),
        lambda sequence: sequence**2 // 10**6 + sequence,
        lambda sequence: int(sequence + 10**6 * math.log1p(sequence)),
        lambda sequence: sequence + 2 * 10**11 // (60_000_001 - sequence),
    ],
    ids=["fast", "slow", "a leap", "ever slower", "ever faster", "a wall"],
)
def test_reads_are_logarithmic_for_any_distribution(strange: object) -> None:
    lake = Pretended(strange)  # type: ignore[arg-type]
    chance = random.Random(2)
    with served(lake) as server:
        for ledger in (chance.randrange(3, 60_000_000), 1_234_567, 1_234_568, 59_990_000, 59_999_962):
            start = lake.closed(ledger) + chance.randrange(2)
            assert_found(server, lake, start, min(start + 600, lake.closed(lake.newest)))
            assert server.ledger_reads <= 2 * (8 + 2 * 26) + 1


@pytest.mark.parametrize(
    "layout", [LakeLayout(1, 1), LakeLayout(64, 1), LakeLayout(64, 1000), LakeLayout(10, 10), LakeLayout(1, 64000)]
)
@pytest.mark.parametrize("configured", [True, False], ids=["configured", "not configured"])
def test_a_layout_changes_no_range(layout: LakeLayout, configured: bool) -> None:
    lake = Pretended(closed, oldest=640, newest=1_279_999, layout=layout, configured=configured)
    with served(lake) as server:
        for ledger in (640, 703, 704, 63_999, 64_000, 777_777, 1_279_359, 1_279_999):
            start = closed(ledger)
            assert_found(server, lake, start - 1, start)
            assert_found(server, lake, start, min(start + 1, closed(lake.newest)))


def test_the_search_works_around_a_gap() -> None:
    """A missing ledger does not change the range of times; an export of the range names it."""
    missing = range(29_000_000, 40_000_000)
    lake = Pretended(lambda sequence: 5 * sequence, missing=missing)
    with served(lake) as server:
        before = [missing.start - 2**power for power in range(24)]
        for begin in (*before, missing.start, missing.start + 500_000, missing.stop - 1, missing.stop):
            at = moment(lake.closed(begin))
            found = ledger_range(open_lake(server.url, "pubnet"), at, at)
            there = missing.stop if begin in missing else begin
            assert found == {"start": there, "end": there}
