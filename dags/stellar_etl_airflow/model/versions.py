"""How far a change log is folded into its table of versions, and what moves that mark. Pure.

A row of `<table>_versions` is one version of a ledger entry: it is valid from its ledger until before
`valid_to_ledger`. The views `<table>_current` and `<table>_history` read versions up to a mark, and the change log
from there on. The mark is in the labels of the table of versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from stellar_etl_airflow.model.partitions import BEGINNING, Window

OPEN_LEDGER = (1 << 32) - 1
"""`valid_to_ledger` of a version that has no successor: ledger numbers have 32 bits."""

OPEN_TIME = datetime(2100, 1, 1, tzinfo=UTC)
"""`valid_to` of a version that has no successor: all of them are in one partition."""

MOST_FOLDED = 2000
"""The partitions that one statement of a fold changes at most: half of what BigQuery allows per job."""

MOST_SET_BACK = timedelta(days=30)
"""How far the mark is set back at once. For older ledgers a label notes them, and the next fold brings them in: each
query of a view reads all changes from the mark on."""

VALID_TO_LEDGER, VALID_TO = "valid_to_ledger", "valid_to"
"""The columns that a table of versions has after those of its change log."""

DIRTY_FOLDS = timedelta(days=1)
"""How long old ledgers wait for a fold at most: it folds all changes from them on again."""

_PREFIX = "fold_"


class LabelError(ValueError):
    """The labels of a table of versions cannot be read."""


@dataclass(frozen=True)
class Folded:
    """The mark up to which a change log is folded into versions.

    Attributes:
        ledger: the first ledger that is not folded; the views read the change log from there on.
        time: no ledger from `ledger` on closed earlier.
        start_ledger: the ledger of the full load that the versions begin with; 0 without one. Changes up to it are in
            the load.
        start_time: when that ledger closed.
        dirty_ledger: the first ledger that was published below the mark and is not in the views yet; None if all are.
        dirty_time: no ledger from `dirty_ledger` on closed earlier.
        at: when the last fold ended.
    """

    ledger: int = 1
    time: datetime = BEGINNING
    start_ledger: int = 0
    start_time: datetime = BEGINNING
    dirty_ledger: int | None = None
    dirty_time: datetime | None = None
    at: datetime = BEGINNING

    def set_back(self, first: int, last: int, first_closed_at: datetime, most: timedelta = MOST_SET_BACK) -> Folded:
        """The mark with which the ledgers `first` to `last` may change.

        Args:
            first: the first ledger that changes.
            last: the last one.
            first_closed_at: when the first one closed, or earlier.
            most: how far the mark may go back at once.
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
        """The mark set back to the ledgers that are not in the views yet, however old they are."""
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
        """The mark after a fold, which was planned at a time, of all ledgers up to one, which closed at a time."""
        return replace(self, ledger=ledger + 1, time=closed_at, at=at or self.at)

    def begun(self, ledger: int, closed_at: datetime) -> Folded:
        """The mark of versions that begin with a full load of a ledger."""
        return replace(self.folded_to(ledger, closed_at), start_ledger=ledger, start_time=closed_at)

    def rebuilt(self) -> Folded:
        """The mark from which all versions are rebuilt: the full load, or the first ledger."""
        return replace(self, ledger=self.start_ledger + 1, time=self.start_time, dirty_ledger=None, dirty_time=None)

    def to_labels(self) -> dict[str, str | None]:
        """The labels of the table, None for those that it must not have; times are whole seconds, rounded down."""
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
        """Read what `to_labels` made; a table without these labels has no versions yet.

        Raises:
            LabelError: some of the labels are missing or are no numbers.
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
            raise LabelError(f"its labels ({shown}) do not say how far it is folded: {error!r}") from None


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


@dataclass(frozen=True)
class Day:
    """One day of a change log.

    Attributes:
        day: its start.
        ledger: its last ledger that has changes.
        closed_at: when that ledger closed.
    """

    day: datetime
    ledger: int
    closed_at: datetime


T = TypeVar("T")


def _groups(values: Sequence[T], length: int) -> list[tuple[T, ...]]:
    return [tuple(values[start : start + length]) for start in range(0, len(values), length)]


def pieces(days: Sequence[Day], most: int = MOST_FOLDED) -> list[tuple[Day, ...]]:
    """Days in groups of which each is folded by one statement, oldest first; one partition is left for open versions.

    Args:
        days: the days that have changes, in any order.
        most: the partitions that a statement may change.
    """
    return _groups(sorted(days, key=lambda one: one.day), most - 1)


def windows_to_open(closing: Sequence[datetime], first: Sequence[Day], most: int = MOST_FOLDED) -> list[Window]:
    """The windows of `valid_to` whose versions have to be opened before the first piece is folded, newest first.

    The statement of the first piece changes the partitions of all versions that ended at the mark or later. If they are
    few enough, there is nothing to do before.

    Args:
        closing: the days on which versions ended at the mark or later, in any order.
        first: the days of the first piece.
        most: the partitions that a statement may change.
    """
    if len({*closing, *(one.day for one in first)}) < most:
        return []
    groups = _groups(sorted(closing), most - 1)
    return [(group[0], group[-1] + timedelta(days=1)) for group in reversed(groups)]


@dataclass(frozen=True)
class Plan:
    """What a task does with the versions of one table in one target.

    Attributes:
        before: the mark as the labels had it when the task began.
        start: the mark that it works from.
        windows: the windows of `valid_to` whose versions it opens first.
        begins: whether it then makes the versions begin with the full load that is kept.
        folds: the last day of each piece that it folds.
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
            before: the mark as the labels have it.
            start: the mark to work from.
            days: the days of the changes from `start` on that are to be folded.
            closing: the days on which versions ended at `start` or later.
            at: the time now.
            begins: whether the versions begin with the full load that is kept.
            most: the partitions that a statement may change.
        """
        groups = pieces(days, most)
        windows = windows_to_open(closing, groups[0] if groups else (), most)
        return cls(before, start, tuple(windows), begins, tuple(group[-1] for group in groups), at)

    @property
    def after(self) -> Folded:
        """The mark that the task leaves."""
        if not self.folds:
            return self.start
        return self.start.folded_to(self.folds[-1].ledger, self.folds[-1].closed_at, self.at)

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back."""
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
        """Read what `to_json` made."""
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
    """Whether the schedule folds now: the change log from the mark on is long, or old ledgers wait for a day.

    Args:
        plan: the fold.
        tail: the close times that the views may read from the change log.
    """
    if plan.before.dirty_ledger is not None:
        return plan.at - plan.before.at >= DIRTY_FOLDS
    return bool(plan.folds) and plan.folds[-1].closed_at - plan.start.time >= tail


def _present(labels: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if value is not None}
