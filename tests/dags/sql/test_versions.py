"""Point-in-time views are correct at every ledger, for any loads in any order, and after a task dies at any step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stellar_etl_airflow.model.versions import (
    MOST_FOLDED,
    MOST_SET_BACK,
    OPEN_LEDGER,
    OPEN_TIME,
    Day,
    Folded,
    LabelError,
    pieces,
    windows_to_open,
)
from stellar_etl_airflow.sql import versions as sql
from stellar_etl_airflow.sql.statement import Statement
from tests.dags.sql.versions_model import LOG, Deployment, WrongError, closed_at, versions_by_hand

LEDGERS, KEYS = 24, 5
FAR, NEAR = timedelta(days=1000), timedelta(0)


def drawn_changes(draw: Any, first: int, last: int) -> list[Any]:
    cells = [(ledger, key) for ledger in range(first, last + 1) for key in range(KEYS)]
    picked = draw(st.lists(st.sampled_from(cells), max_size=2 * (last - first + 1), unique=True))
    return [(*cell, draw(st.integers(0, 5)), draw(st.integers(0, 2)) == 0) for cell in picked]


class Load:
    """Draw loads, folds and full loads, and the step in which a task dies."""

    def __init__(self, draw: Any, deployment: Deployment) -> None:
        self.draw, self.it = draw, deployment

    def steps(self, steps: list[sql.Step]) -> bool:
        """Run the steps, and check the views after each one; or die in between."""
        whole = self.draw(st.integers(0, 3)) < 3
        until = len(steps) if whole else self.draw(st.integers(0, max(len(steps) - 1, 0)))
        for step in steps[:until]:
            self.it.do(step)
            self.look()
        return until == len(steps)

    def look(self) -> None:
        if self.it.folded.dirty_ledger is None and self.it.shown.dirty_ledger is None:
            self.it.check()

    def publish(self) -> None:
        """Publish new, repeated, corrected, overlapping or late ledgers."""
        first = self.draw(st.integers(1, LEDGERS))
        last = min(LEDGERS, first + self.draw(st.sampled_from((0, 0, 1, 2, 4, 8))))
        again = self.draw(st.integers(0, 4)) == 0
        existing = [one for one in self.it.changes() if first <= one[0] <= last]
        changes = existing if again else drawn_changes(self.draw, first, last)
        most = self.draw(st.sampled_from((FAR, FAR, NEAR)))
        while not self.steps(self.it.steps_of_publish(first, last, most)):
            if not self.draw(st.booleans()):
                return  # the user does not clear the task
        self.it.replace_range(first, last, changes)
        self.look()

    def fold(self) -> None:
        to_ledger = OPEN_LEDGER if self.draw(st.booleans()) else self.draw(st.integers(1, LEDGERS))
        if to_ledger < self.it.folded.ledger - 1:
            to_ledger = self.it.folded.ledger - 1
        while not self.steps(self.it.steps_of_fold(to_ledger)):
            if not self.draw(st.booleans()):
                return

    def rebuild(self) -> None:
        while not self.steps(self.it.steps_of_rebuild()):
            if not self.draw(st.booleans()):
                return

    def begin(self) -> None:
        """Begin a full load, after all ledgers up to it are folded. Its task is cleared until it succeeds."""
        if self.it.folded.start_ledger == LEDGERS:
            return
        ledger = self.draw(st.integers(self.it.folded.start_ledger + 1, LEDGERS))
        entries = [(key, self.draw(st.integers(0, 5))) for key in range(KEYS) if self.draw(st.booleans())]
        self.it.keep(ledger, entries)
        for step in self.it.steps_before_begin(ledger):
            self.it.do(step)
            self.look()
        before, start = self.it.base, self.it.folded.start_ledger
        while True:
            steps = self.it.steps_of_begin(ledger)
            until = len(steps) - self.draw(st.integers(0, len(steps)))
            for step in steps[:until]:
                self.it.do(step)
                begun = isinstance(step, sql.Change) and step.name == "begin"
                if begun:
                    before, start = tuple(entries), ledger
                self.it.check(before, start)
            if until == len(steps):
                break
        self.it.base = tuple(entries)
        self.look()


def anything_in_any_order(data: Any, most: int, **given: Any) -> None:
    it = Deployment(most=most, **given)
    load = Load(data.draw, it)
    try:
        for _ in range(data.draw(st.integers(5, 25))):
            kind = data.draw(st.integers(0, 20))
            (load.publish if kind < 11 else load.fold if kind < 18 else load.begin if kind < 20 else load.rebuild)()
        for step in it.steps_of_fold():
            it.do(step)
        it.check(each=True)
    finally:
        it.close()


NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""Shrinking is off: a failing example has up to 25 steps of 5 statements, and shrinking would take minutes."""

MOST = st.sampled_from((2, 3, 2000))
"""The number of partitions that a statement may change; if it is low, a fold has several parts."""


@pytest.mark.slow
@settings(max_examples=15, phases=NO_SHRINKING)
@given(data=st.data(), most=MOST)
def test_views_are_correct_for_any_loads_and_task_deaths(data, most):
    anything_in_any_order(data, most)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=1000, phases=NO_SHRINKING)
@given(data=st.data(), most=MOST)
def test_views_are_correct_in_a_thousand_deployments(data, most):
    anything_in_any_order(data, most)


@pytest.mark.parametrize(
    ("folded", "corrected", "after"),
    [
        pytest.param([(2, 1, 5, False)], [], set(), id="a version begins"),
        pytest.param([(2, 1, 5, False), (3, 1, 4, False)], [], set(), id="a version ends where another one begins"),
        pytest.param([(1, 1, 5, False), (3, 1, 5, True)], [], {(1, 1, OPEN_LEDGER, 5)}, id="a version ends"),
        pytest.param([(1, 1, 5, False), (3, 1, 5, True)], [(2, 2, 7, False)], None, id="an earlier change remains"),
    ],
)
@pytest.mark.parametrize("most", [2, 2000])
def test_a_full_load_begins_without_versions_of_removed_changes(folded, corrected, after, most):
    it = Deployment(most=most)
    it.replace_range(1, 6, folded)
    for step in it.steps_of_fold():
        it.do(step)
    for step in it.steps_of_publish(2, 4, FAR):
        it.do(step)
    it.replace_range(2, 4, corrected)
    entries = [(1, 5), (3, 2)]
    it.keep(16, entries)
    for step in it.steps_before_begin(16):
        it.do(step)
        it.check()
    expected = set(it.history())
    assert expected == versions_by_hand(it.changes(), 0, ())
    begun: dict[str, Any] = {}
    for step in it.steps_of_begin(16):
        it.do(step)
        if isinstance(step, sql.Change) and step.name == "begin":
            begun = {"base": entries, "start": 16}
        it.check(**begun or {"base": (), "start": 0})
    assert begun
    if after is not None:
        assert {version for version in it.history() if version[1] < 16} == after
    it.close()


# Deliberate faults --------------------------------------------------------------------------------------------------

SET_BACK, STEPS_OF_SET_BACK = Folded.set_back, sql.steps_of_set_back


def instead(old: str, new: str) -> Any:
    """Edit the text of a fold."""

    def edit(statement: Statement) -> Statement:
        return (
            replace(statement, sql=statement.sql.replace(old, new)) if "@to_ledger AND" in statement.sql else statement
        )

    return edit


DELETED_BY_FOLD = "T.valid_to_ledger >= @from_ledger AND"
FAULTS: dict[str, dict[str, Any]] = {
    "a late range does not set the mark back": {"set_back": lambda self, *_: self},
    "the time of the mark is that of the range's end": {
        "set_back": lambda self, first, last, _, most: SET_BACK(self, first, last, closed_at(last), most)
    },
    "a fold leaves versions that an earlier one ended later": {
        "edit": instead(
            DELETED_BY_FOLD,
            f"(T.valid_to_ledger BETWEEN @from_ledger AND @to_ledger OR T.valid_to_ledger = {OPEN_LEDGER}) AND",
        ),
        "most": st.just(2000),  # with fewer partitions such versions are opened before the fold
    },
    "a fold keeps removals": {"edit": instead("WHERE deleted IS NOT TRUE", "WHERE TRUE")},
    "views are not written before the versions change": {
        "steps_of_set_back": lambda before, after: STEPS_OF_SET_BACK(before, after)[1:]
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_deliberate_fault_is_found(monkeypatch, fault):
    given_fault = FAULTS[fault]
    if "set_back" in given_fault:
        monkeypatch.setattr(Folded, "set_back", given_fault["set_back"])
    if "steps_of_set_back" in given_fault:
        monkeypatch.setattr(sql, "steps_of_set_back", given_fault["steps_of_set_back"])
    edit = {"edit": given_fault["edit"]} if "edit" in given_fault else {}
    tried = 0

    @settings(
        max_examples=400,
        phases=(Phase.generate,),
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data(), most=given_fault.get("most", MOST))
    def faulty(data: Any, most: int) -> None:
        nonlocal tried
        tried += 1
        anything_in_any_order(data, most, **edit)

    with pytest.raises(WrongError):
        faulty()
    print(f"{fault}: found in example {tried}")


# A whole history ----------------------------------------------------------------------------------------------------

DAYS = 4077
"""The days of the public network, from its first ledger to November 2026."""

LAST = DAYS * 24 // 7


@pytest.mark.slow
def test_each_statement_of_the_first_fold_of_all_history_changes_few_partitions():
    it = Deployment()
    it.engine.execute(
        "INSERT INTO p.d.things SELECT n % 7, n % 5, n % 11 = 0, n, TIMESTAMPTZ '2026-01-01 00:00:00+00' "
        f"+ to_hours(n * 7) + to_seconds(n % 3) FROM range(1, {LAST + 1}) AS r(n)"
    )
    it.log = {(n, n % 7): (n % 5, n % 11 == 0) for n in range(1, LAST + 1)}
    first = changed_by_each_step(it)
    assert [name for name, _ in first] == ["fold_0", "fold_1", "fold_2"]
    assert it.folded.ledger == LAST + 1
    it.do(sql.Note(it.folded.set_back(2, 2, closed_at(2), timedelta(days=10_000))))
    again = changed_by_each_step(it)
    assert [name for name, _ in again] == ["open_0", "open_1", "open_2", "fold_0", "fold_1", "fold_2"]
    assert all(1000 < partitions <= MOST_FOLDED for name, partitions in first + again if not name.endswith(("0", "2")))
    assert max(partitions for _, partitions in first + again) <= MOST_FOLDED
    it.close()


def changed_by_each_step(it: Deployment) -> list[tuple[str, int]]:
    """Fold everything; return how many partitions each statement changes. Readers see the same rows after each step."""
    counted, expected = [], None
    for step in it.steps_of_fold():
        before = partitions(it)
        it.do(step)
        shown = (sorted(it.history()), it.current())
        assert expected in (None, shown)
        expected = shown
        if isinstance(step, sql.Change):
            counted.append((step.name, len({day for day, _ in before ^ partitions(it)})))
    assert len(shown[0]) > LAST / 2
    return counted


def partitions(it: Deployment) -> set[tuple[datetime, str]]:
    rows = it.engine.execute(
        "SELECT date_trunc('day', valid_to), string_agg(concat(k, ' ', ledger_sequence), ',' ORDER BY k, "
        "ledger_sequence) FROM p.d.things_versions GROUP BY 1"
    )
    return set(rows.fetchall())


def test_days_are_folded_in_groups_oldest_first():
    days = [Day(datetime(2026, 1, n, tzinfo=UTC), n, datetime(2026, 1, n, 23, tzinfo=UTC)) for n in (5, 1, 3, 2)]
    assert [[day.ledger for day in group] for group in pieces(days, 3)] == [[1, 2], [3, 5]]
    assert pieces([]) == []


def test_versions_are_opened_first_only_if_a_fold_would_change_too_many_partitions():
    closing = [datetime(2026, 1, n, tzinfo=UTC) for n in (3, 1, 2)]
    assert windows_to_open(closing, [], 4) == []
    assert windows_to_open(closing, [Day(datetime(2026, 1, 9, tzinfo=UTC), 9, OPEN_TIME)], 4) == [
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC))
    ]
    assert windows_to_open(closing, [], 3) == [
        (datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC)),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)),
    ]


# The fold mark ------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
MARK = Folded(1000, NOW, 64, NOW - timedelta(days=200))


@pytest.mark.parametrize(
    ("first", "last", "age", "after"),
    [
        (1000, 1010, timedelta(0), MARK),
        (10, 64, timedelta(days=300), MARK),
        (900, 1010, timedelta(hours=1), replace(MARK, ledger=900, time=NOW - timedelta(hours=1))),
        (60, 70, timedelta(days=1), replace(MARK, ledger=65, time=NOW - timedelta(days=1))),
        (
            100,
            200,
            MOST_SET_BACK + timedelta(seconds=1),
            replace(MARK, dirty_ledger=100, dirty_time=NOW - MOST_SET_BACK - timedelta(seconds=1)),
        ),
    ],
)
def test_a_range_moves_the_mark_back_or_is_recorded(first, last, age, after):
    assert MARK.set_back(first, last, NOW - age) == after


def test_labels_store_the_mark():
    dirty = replace(MARK, dirty_ledger=100, dirty_time=NOW - timedelta(days=40), at=NOW)
    for mark in (Folded(), MARK, dirty):
        labels = mark.to_labels()
        assert Folded.from_labels({key: value for key, value in labels.items() if value is not None}) == mark
    assert dirty.cleaned() == replace(MARK, ledger=100, time=NOW - timedelta(days=40), at=NOW)
    assert dirty.cleaned().to_labels()["fold_dirty_ledger"] is None
    assert Folded.from_labels({"team": "a"}) == Folded()


@pytest.mark.parametrize("labels", [{"fold_ledger": "5"}, {**MARK.to_labels(), "fold_ledger": "x"}])
def test_an_incomplete_mark_in_labels_is_ignored(labels):
    with pytest.raises(LabelError, match="have no valid mark"):
        Folded.from_labels({key: value for key, value in labels.items() if value is not None})


def test_a_time_with_a_fraction_becomes_the_earlier_second():
    labels = replace(MARK, time=NOW + timedelta(microseconds=999_999)).to_labels()
    assert Folded.from_labels({key: value for key, value in labels.items() if value is not None}).time == NOW


def test_the_content_of_an_entry_excludes_its_change_and_load_columns():
    assert sql.content_columns(LOG) == ["k", "n"]
