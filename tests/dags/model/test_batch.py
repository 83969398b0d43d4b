"""Ranges, attempts and names: the ledgers that a run loads, and the paths of its files."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.plan import parse_time
from stellar_etl_airflow.export.exports import extra_fields
from stellar_etl_airflow.model.batch import ExportAttempt, staging_table_id
from stellar_etl_airflow.model.ranges import LedgerRange, RangeError, TimeRange, requested_range
from stellar_etl_airflow.model.schedule import loaded_by_run

START, END = datetime(2026, 1, 1, 0, 10, tzinfo=UTC), datetime(2026, 1, 1, 0, 20, tzinfo=UTC)


def params(**given):
    return dict.fromkeys(("start_time", "end_time", "start_ledger", "end_ledger")) | given


def test_a_run_without_params_loads_its_data_interval():
    assert requested_range(params(), TimeRange(START, END)) == TimeRange(START, END)


def test_params_win_over_the_data_interval():
    requested = requested_range(params(start_time="2020-07-28T00:10:40Z", end_time="2020-07-28T02:11:01+02:00"), None)
    assert requested == TimeRange(
        datetime(2020, 7, 28, 0, 10, 40, tzinfo=UTC), datetime(2020, 7, 28, 0, 11, 1, tzinfo=UTC)
    )
    assert requested_range(params(start_ledger=3, end_ledger=9), TimeRange(START, END)) == LedgerRange(3, 9)
    assert requested_range(params(checkpoint_ledger=127), None) == LedgerRange(127, 127)


@given(st.lists(st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 0, 9)), min_size=2, max_size=2, unique=True))
def test_fractions_of_a_second_omit_no_ledger(moments):
    """Close times are whole seconds: each of these times is either in the range or not."""
    start, end = (moment.replace(tzinfo=UTC) for moment in sorted(moments))
    closes = [datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC) for second in range(12)]
    wanted = [closed for closed in closes if start <= closed < end]
    requested = requested_range(params(start_time=start.isoformat(), end_time=end.isoformat()), None)
    planned = [parse_time("--from", moment.isoformat()) for moment in (start, end)]
    for found in (requested, TimeRange(*planned), loaded_by_run(start, end + timedelta(seconds=1))):
        assert (found.start.microsecond, found.end.microsecond) == (0, 0)
    assert [closed for closed in closes if requested.start <= closed < requested.end] == wanted
    assert [closed for closed in closes if planned[0] <= closed < planned[1]] == wanted


@pytest.mark.parametrize(
    ("given_params", "message"),
    [
        ({"start_time": "2026-01-01T00:00:00Z"}, "this run has start_time"),
        ({"start_time": "2026-01-01T00:00:00Z", "end_ledger": 4}, "this run has end_ledger, start_time"),
        ({"start_time": "2026-01-01T00:00:00", "end_time": "2026-01-01T00:10:00Z"}, "start_time.*no time zone"),
        ({"start_time": "soon", "end_time": "2026-01-01T00:10:00Z"}, "start_time: 'soon' is not a time"),
        ({"start_time": "2026-01-01T00:10:00Z", "end_time": "2026-01-01T00:10:00Z"}, "must be before end_time"),
        (
            {"start_time": "2026-01-01T00:00:00Z", "end_time": "9999-12-31T23:59:59.5Z"},
            "end_time: '9999-12-31T23:59:59.5Z' is after year 9999",
        ),
        ({"start_ledger": 9, "end_ledger": 3}, "at most end_ledger"),
        ({"start_ledger": 0, "end_ledger": 3}, "at least 1"),
        ({"checkpoint_ledger": 64}, "64 is not a checkpoint; the nearest: 63 and 127"),
        ({"checkpoint_ledger": 5}, "5 is not a checkpoint; the nearest: 63$"),
        ({"checkpoint_ledger": 63, "start_ledger": 1}, "set only the param checkpoint_ledger"),
    ],
)
def test_an_invalid_range_is_refused_with_the_reason(given_params, message):
    with pytest.raises(RangeError, match=message):
        requested_range(params(**given_params), TimeRange(START, END))


@pytest.mark.parametrize("interval", [(None, None), (START, START)])
def test_a_run_without_params_and_interval_names_the_params(interval):
    with pytest.raises(RangeError, match="start_time and end_time"):
        requested_range(params(), loaded_by_run(*interval))


def test_the_time_pods_half_open_range_is_exported_without_its_end():
    assert LedgerRange.from_half_open({"start": 100, "end": 220}) == LedgerRange(100, 219)
    assert LedgerRange.from_half_open({"start": 100, "end": 100}) == LedgerRange(100, 100)
    with pytest.raises(RangeError, match="the time pod returned"):
        LedgerRange.from_half_open({"start": 100})


def attempt(**changes):
    arguments = {
        "object_prefix": "dag-exported/",
        "run_id": "manual__2026-01-01T00:10:00+00:00",
        "started_at": datetime(2026, 1, 1, 0, 20, 5, tzinfo=UTC),
        "suffix": "1a2b3c4d",
    }
    return ExportAttempt.begin(LedgerRange(3, 122), **(arguments | changes))


def test_files_lie_below_the_run_and_the_attempt():
    assert (
        attempt().object_name("ledgers.txt")
        == "dag-exported/manual__2026-01-01T00%3A10%3A00%2B00%3A00/20260101T002005Z-1a2b3c4d/3-122-ledgers.txt"
    )
    assert attempt().manifest_object.endswith("/3-122-manifest.json")


def test_two_attempts_of_the_same_second_have_different_folders():
    assert attempt(suffix="a").prefix != attempt(suffix="b").prefix


def test_a_run_id_cannot_leave_its_folder():
    assert attempt(run_id="../../etc").prefix == "dag-exported/..%2F..%2Fetc/20260101T002005Z-1a2b3c4d"


def test_an_attempt_survives_a_round_trip_through_json():
    assert ExportAttempt.from_json(attempt().to_json()) == attempt()


def test_staging_tables_of_different_runs_and_dags_never_share_a_name():
    names = {
        staging_table_id("history_ledgers", dag, run) for dag, run in [("a", "b"), ("a", "c"), ("ab", ""), ("", "ab")]
    }
    assert len(names) == 4
    assert all(name.replace("_", "").isalnum() for name in names)


@given(st.dictionaries(st.sampled_from(["batch_id", "x"]), st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_csv_reader_reads_extra_fields_unchanged(fields):
    read = next(csv.reader([extra_fields(fields)], strict=True), []) if fields else []
    if all("\n" not in value and "\r" not in value for value in fields.values()):
        assert dict(pair.split("=", 1) for pair in read) == fields
