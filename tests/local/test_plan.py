"""The runs that a job needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.plan import Interval, PlanError, format_time, make_plan, parse_time, schedule


def at(text: str):
    return parse_time("t", f"2026-01-01T{text}Z")


def test_complete_intervals_equal_airflows():
    plan = make_plan(at("00:00:00"), at("00:30:00"), 10)
    assert plan.by_schedule
    assert plan.schedule == "*/10 * * * *"
    assert [format_time(interval.start)[11:16] for interval in plan.intervals] == ["00:00", "00:10", "00:20"]
    assert (plan.start, plan.end) == (at("00:00:00"), at("00:30:00"))


def test_a_range_beside_the_boundaries_is_cut_at_them():
    plan = make_plan(at("00:04:00"), at("00:27:30"), 15)
    assert not plan.by_schedule
    assert plan.intervals == (
        Interval(at("00:04:00"), at("00:15:00")),
        Interval(at("00:15:00"), at("00:27:30")),
    )


def test_a_range_inside_one_interval_is_one_run():
    plan = make_plan(at("00:10:40"), at("00:11:01"), 10)
    assert plan.intervals == (Interval(at("00:10:40"), at("00:11:01")),)
    assert plan.intervals[0].run_id == "range__20260101T001040Z_20260101T001101Z"


@given(
    st.integers(0, 3 * 86400),
    st.integers(1, 86400),
    st.sampled_from([1, 2, 5, 10, 15, 30, 60, 120, 720, 1440]),
)
def test_intervals_cover_the_range_without_gap_or_overlap(offset, length, minutes):
    start = parse_time("t", "2026-01-01T00:00:00Z")
    start = start.fromtimestamp(start.timestamp() + offset, tz=start.tzinfo)
    end = start.fromtimestamp(start.timestamp() + length, tz=start.tzinfo)
    plan = make_plan(start, end, minutes)
    assert (plan.start, plan.end) == (start, end)
    for left, right in zip(plan.intervals, plan.intervals[1:], strict=False):
        assert left.end == right.start
        assert right.start.timestamp() % (60 * minutes) == 0
    assert all(interval.start < interval.end for interval in plan.intervals)


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [(1, "*/1 * * * *"), (10, "*/10 * * * *"), (60, "0 * * * *"), (120, "0 */2 * * *"), (1440, "0 0 * * *")],
)
def test_intervals_with_a_cron_expression_are_accepted(minutes, cron):
    assert schedule(minutes) == cron


@pytest.mark.parametrize("minutes", [0, -10, 7, 90, 300, 2880])
def test_other_intervals_are_refused_by_name(minutes):
    with pytest.raises(PlanError, match=f"--interval {minutes}"):
        schedule(minutes)


def test_an_empty_range_is_refused():
    with pytest.raises(PlanError, match=r"--from 2026-01-01T00:30:00Z must be before --to"):
        make_plan(at("00:30:00"), at("00:30:00"), 10)


@pytest.mark.parametrize(("text", "words"), [("noon", "is not a time"), ("2026-01-01T00:00:00", "no time zone")])
def test_an_invalid_time_names_its_option(text, words):
    with pytest.raises(PlanError, match=f"--from .*{words}"):
        parse_time("--from", text)
