"""What a benchmark gives: rows of figures, each with its spread and what it is held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median


class Skipped(Exception):  # noqa: N818 no error: what is measured is not here
    """A benchmark can't run here; the message says what is missing."""


@dataclass(frozen=True)
class Row:
    """One thing that was measured, in so many rounds.

    Attributes:
        what: what it is, in a few words.
        unit: of the values.
        values: one a round.
        against: what the ratios are to, or what the target is of if there are none.
        ratios: to another row's value of the same round, for what runs beside it slows both down alike.
        target: what the median of the ratios, or of the values if there are none, shall reach; None for none.
        at_most: whether the target is an upper limit.
        note: what else there is to know.
    """

    what: str
    unit: str
    values: Sequence[float]
    against: str = ""
    ratios: Sequence[float] = field(default_factory=list)
    target: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached, None without one."""
        if self.target is None:
            return None
        seen = median(self.ratios or self.values)
        return seen <= self.target if self.at_most else seen >= self.target


@dataclass(frozen=True)
class Benchmark:
    """One subject.

    Attributes:
        title: what it is about.
        about: how it is measured, and on what; Markdown.
        run: measures in so many rounds.
    """

    title: str
    about: str
    run: Callable[[int], list[Row]]


def held_against(row: Row, other: Row, *, target: float | None = None, at_most: bool = False, of: str = "") -> Row:
    """A row with its ratios to another, round by round."""
    ratios = [value / base for value, base in zip(row.values, other.values, strict=True)]
    return Row(row.what, row.unit, row.values, of or other.what, ratios, target, at_most, row.note)


def against_first(rows: Sequence[Row], *, at_most: float) -> list[Row]:
    """Rows of growing size: the first, and the others held against it.

    Args:
        rows: in their order.
        at_most: the target of the ratios.
    """
    first, *others = rows
    return [first, *(held_against(row, first, target=at_most, at_most=True) for row in others)]
