"""Runs that Airflow's own scheduler creates when schedules change and users request runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise, permutations
from pathlib import Path
from typing import Any

import pytest

from stellar_etl_airflow.model.ranges import TimeRange
from stellar_etl_airflow.model.schedule import loaded_by_run, period_of
from tests.shared import REPO

START = datetime(2026, 1, 1, tzinfo=UTC)
SOME = ("*/10 * * * *", "*/15 * * * *", "*/30 * * * *")
MANY = ("*/5 * * * *", "7-59/10 * * * *", "0 * * * *", "0 */6 * * *", "0 0 * * *", "0 9,17 * * *", *SOME)

Steps = list[dict[str, Any]]


def histories(folder: Path, steps: list[Steps]) -> list[list[dict[str, str]]]:
    """Return the runs that Airflow creates in each history."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "dags")]),
    }
    program = [sys.executable, "-m", "tests.dags.schedule_history"]
    done = subprocess.run(
        program, cwd=REPO, env=environment, input=json.dumps(steps), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "already exists" not in done.stdout + done.stderr
    found: list[list[dict[str, str]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def loaded(run: dict[str, str]) -> TimeRange:
    found = loaded_by_run(datetime.fromisoformat(run["start"]), datetime.fromisoformat(run["end"]))
    assert found is not None
    return found


def assert_without_gap(runs: list[dict[str, str]], steps: Steps) -> None:
    """Each loop of the scheduler creates a run, and together the runs cover all time from the start on."""
    scheduled = [run for run in runs if run["type"] == "scheduled"]
    assert len(scheduled) == sum(step.get("loops", 0) for step in steps), steps
    until = START
    for run in scheduled:
        span = loaded(run)
        assert span.start <= until < span.end, (steps, span)
        until = span.end


def changes(crons: tuple[str, ...], before: Iterable[int]) -> list[Steps]:
    """Change there, back, and there again, each time after some runs."""
    return [
        [{"cron": one, "loops": number}, *({"cron": cron, "loops": 2} for cron in (other, one, other))]
        for one, other in permutations(crons, 2)
        for number in before
    ]


EVERY_TEN = "*/10 * * * *"
TYPED = ("2026-01-01T00:20:00Z", "2026-01-01T00:10:00Z", "2026-01-01T00:24:59.999Z", "2026-01-01T00:30:00Z", None)
"""Logical dates of manual runs: of a future run, of an existing run, between two runs; and none."""
MANUAL: Steps = [
    {"cron": EVERY_TEN, "loops": 1},
    *({"manual": each} for each in TYPED),
    {"cron": EVERY_TEN, "loops": 5},
]
BACKFILL: Steps = [
    {"cron": EVERY_TEN, "loops": 3},
    {"from": "2026-01-01T00:10:00Z", "to": "2026-01-01T01:00:00Z"},
    {"cron": "*/30 * * * *", "loops": 1},
]
UPGRADE: Steps = [{"before": EVERY_TEN, "loops": 2}, {"cron": "*/30 * * * *", "loops": 2}]
CHANGES = changes(SOME, range(1, 3))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, str]]]:
    """Return the runs of all these histories."""
    return histories(tmp_path_factory.mktemp("airflow"), [MANUAL, BACKFILL, UPGRADE, *CHANGES])


def test_a_changed_schedule_omits_no_interval(made: list[list[dict[str, str]]]) -> None:
    for steps, runs in zip(CHANGES, made[3:], strict=True):
        assert_without_gap(runs, steps)


def test_the_schedule_continues_after_the_runs_of_an_earlier_release(made: list[list[dict[str, str]]]) -> None:
    assert_without_gap(made[2], UPGRADE)


@pytest.mark.slow
def test_any_change_between_two_schedules_omits_no_interval(tmp_path: Path) -> None:
    drawn = changes(MANY, (1, 2, 5))
    for steps, runs in zip(drawn, histories(tmp_path, drawn), strict=True):
        assert_without_gap(runs, steps)


def test_a_manual_run_does_not_replace_a_scheduled_run(made: list[list[dict[str, str]]]) -> None:
    assert_without_gap(made[0], MANUAL)
    manual = [run for run in made[0] if run["type"] == "manual"]
    assert len(manual) == len(TYPED)
    spans = [loaded(run) for run in manual if run["logical_date"]]
    assert {span.end - span.start for span in spans} == {timedelta(minutes=10)}, (
        "a run without params loads one interval"
    )


def test_a_backfill_covers_its_dates_and_the_schedule_continues_after_it(
    made: list[list[dict[str, str]]],
) -> None:
    backfilled = [loaded(run) for run in made[1] if run["type"] == "backfill"]
    assert [span.end - START for span in backfilled] == [timedelta(minutes=minutes) for minutes in (40, 50, 60)]
    assert loaded(made[1][-1]) == TimeRange(START + timedelta(minutes=60), START + timedelta(minutes=90))


@pytest.mark.parametrize(
    ("cron", "minutes"),
    [
        ("*/10 * * * *", 10),
        ("7-59/10 * * * *", 10),
        ("*/7 * * * *", 7),
        ("0 * * * *", 60),
        ("@hourly", 60),
        ("0 9,17 * * *", 16 * 60),
        ("@daily", 24 * 60),
        ("0 0 * * 1-5", 3 * 24 * 60),
        ("0 0 1 * *", 31 * 24 * 60),
        ("*/10 9-17 * * 1-5", 3 * 24 * 60 - (8 * 60 + 50)),
    ],
)
def test_a_run_loads_the_longest_time_between_two_ticks(cron: str, minutes: int) -> None:
    assert period_of(cron) == timedelta(minutes=minutes)


def test_the_longest_time_between_days_of_the_week() -> None:
    for length in range(1, 8):
        for days in combinations(range(7), length):
            longest = max(later - earlier for earlier, later in pairwise([*days, days[0] + 7]))
            assert period_of(f"0 0 * * {','.join(map(str, days))}") == timedelta(days=longest), days


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 0 * * sun#1", 35),  # the first Sunday of each month
        ("0 0 * * L5", 35),  # the last Friday
        ("0 0 1 * 1", 7),  # the first of the month, and each Monday
        ("0 0 * 3 *", 336),
        ("0 0 * 3 1", 343),
    ],
)
def test_the_longest_time_between_days_of_other_schedules(cron: str, days: int) -> None:
    assert period_of(cron) == timedelta(days=days)


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("often", "is not a cron expression"),
        ("*/5 * * * * 7", "has 6 fields, not five"),
        ("0 0 31 2 *", "failed to find next date"),
        ("0 0 29 2 *", "1461 days are between two runs"),
    ],
)
def test_an_impossible_schedule_is_refused(cron: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        period_of(cron)


def test_a_run_loads_the_data_interval_of_its_request() -> None:
    span = TimeRange(START, START + timedelta(minutes=7))
    assert loaded_by_run(span.start, span.end) == span
    assert loaded_by_run(None, None) is None
