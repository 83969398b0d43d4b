"""The mark up to which a change log is folded into its table of versions. Pure.

A row of `<table>_versions` is one version of a ledger entry. It is valid from its ledger until before
`valid_to_ledger`. The views `<table>_current` and `<table>_history` read versions up to a mark, and the change log
from there on. The mark is stored in the labels of the table of versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from stellar_etl_airflow.model.partitions import BEGINNING, Window

OPEN_LEDGER = (1 << 32) - 1
"""`valid_to_ledger` of a version without successor: ledger numbers have 32 bits."""

OPEN_TIME = datetime(2100, 1, 1, tzinfo=UTC)
"""`valid_to` of a version without successor: all of them are in one partition."""

MOST_FOLDED = 2000
"""Maximum number of partitions that one statement of a fold changes: half of BigQuery's limit per job."""

MOST_SET_BACK = timedelta(days=30)
"""Maximum time that the mark moves back immediately. Older ledgers are noted in a label for the next fold, because each
query of a view reads all changes after the mark."""

VALID_TO_LEDGER, VALID_TO = "valid_to_ledger", "valid_to"
"""The additional columns of a table of versions, after those of its change log."""

DIRTY_FOLDS = timedelta(days=1)
"""Maximum time that old ledgers wait for a fold, which folds all changes after them again."""

_PREFIX = "fold_"


class LabelError(ValueError):
    """The labels of a table of versions cannot be read."""


@dataclass(frozen=True)
class Folded:
    """The mark up to which a change log is folded into versions.

    Attributes:
        ledger: the first ledger that is not folded. The views read the change log from there on.
        time: a lower bound of the close times from `ledger` on.
        start_ledger: the ledger of the full load that the versions begin with; 0 without one. The load includes all
            changes up to it.
        start_time: the close time of that ledger.
        dirty_ledger: the first ledger that was published below the mark and is not in the views yet; None if there is
            none.
        dirty_time: a lower bound of the close times from `dirty_ledger` on.
        at: the time of the last fold.
    """

    ledger: int = 1
    time: datetime = BEGINNING
    start_ledger: int = 0
    start_time: datetime = BEGINNING
    dirty_ledger: int | None = None
    dirty_time: datetime | None = None
    at: datetime = BEGINNING

    def set_back(self, first: int, last: int, first_closed_at: datetime, most: timedelta = MOST_SET_BACK) -> Folded:
        """Return the mark to set before the ledgers `first` to `last` change.

        Args:
            first: the first ledger that changes.
            last: the last ledger that changes.
            first_closed_at: the close time of the first ledger, or earlier.
            most: the maximum time that the mark may move back.
        """
        low = max(first, self.start_ledger + 1)
        if last <= self.start_ledger or low >= self.ledger:
            return self
        if self.time - first_closed_at > most:
            return replace(
                self,
                dirty_ledger=min(low, self.dirty_ledger or low),
                dirty_time=min(first_closed_at, self.dirty_time or first_closed_at),
            )
        return replace(self, ledger=low, time=min(first_closed_at, self.time))

    def cleaned(self) -> Folded:
        """Return the mark set back to the ledgers that are not in the views yet, however old they are."""
        if self.dirty_ledger is None or self.dirty_time is None:
            return self
        return replace(
            self,
            ledger=min(self.ledger, self.dirty_ledger),
            time=min(self.time, self.dirty_time),
            dirty_ledger=None,
            dirty_time=None,
        )

    def folded_to(self, ledger: int, closed_at: datetime, at: datetime | None = None) -> Folded:
        """Return the mark after a fold of all ledgers up to `ledger`, which was planned at `at`."""
        return replace(self, ledger=ledger + 1, time=closed_at, at=at or self.at)

    def begun(self, ledger: int, closed_at: datetime) -> Folded:
        """Return the mark of versions that begin with a full load at a ledger."""
        return replace(self.folded_to(ledger, closed_at), start_ledger=ledger, start_time=closed_at)

    def rebuilt(self) -> Folded:
        """Return the mark for rebuilding all versions: after the full load, or at the first ledger."""
        return replace(self, ledger=self.start_ledger + 1, time=self.start_time, dirty_ledger=None, dirty_time=None)

    def to_labels(self) -> dict[str, str | None]:
        """Return the labels of the table; None removes a label. Times are whole seconds, rounded down."""
        values: dict[str, int | datetime | None] = {
            "ledger": self.ledger,
            "time": self.time,
            "start_ledger": self.start_ledger,
            "start_time": self.start_time,
            "dirty_ledger": self.dirty_ledger,
            "dirty_time": self.dirty_time,
            "at": self.at,
        }
        return {
            f"{_PREFIX}{name}": str(int(value.timestamp() if isinstance(value, datetime) else value))
            if value is not None
            else None
            for name, value in values.items()
        }

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Folded:
        """Return the mark that `to_labels` wrote; without these labels, the table has no versions yet.

        Raises:
            LabelError: labels are missing or not numbers.
        """
        found = {key.removeprefix(_PREFIX): value for key, value in labels.items() if key.startswith(_PREFIX)}
        if not found:
            return cls()
        try:
            return cls(
                int(found["ledger"]),
                _moment(found["time"]),
                int(found["start_ledger"]),
                _moment(found["start_time"]),
                int(found["dirty_ledger"]) if "dirty_ledger" in found else None,
                _moment(found["dirty_time"]) if "dirty_time" in found else None,
                _moment(found["at"]),
            )
        except (KeyError, ValueError) as error:
            shown = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
            raise LabelError(f"its labels ({shown}) have no valid mark of the last fold: {error!r}") from None


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


@dataclass(frozen=True)
class Day:
    """One day of a change log.

    Attributes:
        day: its start.
        ledger: its last ledger with changes.
        closed_at: the close time of that ledger.
    """

    day: datetime
    ledger: int
    closed_at: datetime


T = TypeVar("T")


def _groups(values: Sequence[T], length: int) -> list[tuple[T, ...]]:
    return [tuple(values[start : start + length]) for start in range(0, len(values), length)]


def pieces(days: Sequence[Day], most: int = MOST_FOLDED) -> list[tuple[Day, ...]]:
    """Return groups of days, oldest first. One statement folds a group; one partition is reserved for open versions.

    Args:
        days: the days with changes, in any order.
        most: the maximum number of partitions per statement.
    """
    return _groups(sorted(days, key=lambda one: one.day), most - 1)


def windows_to_open(closing: Sequence[datetime], first: Sequence[Day], most: int = MOST_FOLDED) -> list[Window]:
    """Return the windows of `valid_to` whose versions must be opened before the first group is folded, latest first.

    The statement of the first group changes the partitions of all versions that ended at the mark or later. If their
    number is within the limit, the result is empty.

    Args:
        closing: the days on which versions ended at the mark or later, in any order.
        first: the days of the first group.
        most: the maximum number of partitions per statement.
    """
    if len({*closing, *(one.day for one in first)}) < most:
        return []
    groups = _groups(sorted(closing), most - 1)
    return [(group[0], group[-1] + timedelta(days=1)) for group in reversed(groups)]


@dataclass(frozen=True)
class Plan:
    """The plan of a task for the versions of one table in one target.

    Attributes:
        before: the mark in the labels when the task began.
        start: the mark to start from.
        windows: the windows of `valid_to` whose versions to open first.
        begins: whether the versions then begin with the stored full load.
        folds: the last day of each group to fold.
        at: when it was planned.
    """

    before: Folded
    start: Folded
    windows: tuple[Window, ...]
    begins: bool
    folds: tuple[Day, ...]
    at: datetime

    @classmethod
    def of(
        cls,
        before: Folded,
        start: Folded,
        days: Sequence[Day],
        closing: Sequence[datetime],
        at: datetime,
        *,
        begins: bool = False,
        most: int = MOST_FOLDED,
    ) -> Plan:
        """Plan a fold.

        Args:
            before: the mark in the labels.
            start: the mark to start from.
            days: the days of the changes from `start` on to fold.
            closing: the days on which versions ended at `start` or later.
            at: the current time.
            begins: whether the versions begin with the stored full load.
            most: the maximum number of partitions per statement.
        """
        groups = pieces(days, most)
        windows = windows_to_open(closing, groups[0] if groups else (), most)
        return cls(before, start, tuple(windows), begins, tuple(group[-1] for group in groups), at)

    @property
    def after(self) -> Folded:
        """The mark after the plan is carried out."""
        if not self.folds:
            return self.start
        return self.start.folded_to(self.folds[-1].ledger, self.folds[-1].closed_at, self.at)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        return {
            "before": _present(self.before.to_labels()),
            "start": _present(self.start.to_labels()),
            "windows": [[moment and moment.isoformat() for moment in window] for window in self.windows],
            "begins": self.begins,
            "folds": [[one.day.isoformat(), one.ledger, one.closed_at.isoformat()] for one in self.folds],
            "at": self.at.isoformat(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_json` wrote."""
        read = datetime.fromisoformat
        return cls(
            Folded.from_labels(value["before"]),
            Folded.from_labels(value["start"]),
            tuple((read(start), read(end)) for start, end in value["windows"]),
            value["begins"],
            tuple(Day(read(day), ledger, read(closed_at)) for day, ledger, closed_at in value["folds"]),
            read(value["at"]),
        )


def is_due(plan: Plan, tail: timedelta) -> bool:
    """Whether a scheduled run folds now: the change log after the mark is long, or old ledgers have waited for a day.

    Args:
        plan: the fold.
        tail: the maximum span of close times that the views read from the change log.
    """
    if plan.before.dirty_ledger is not None:
        return plan.at - plan.before.at >= DIRTY_FOLDS
    return bool(plan.folds) and plan.folds[-1].closed_at - plan.start.time >= tail


def _present(labels: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if value is not None}
