"""The result of a benchmark: rows of figures, each with its spread and its comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median


class Skipped(Exception):  # noqa: N818 no error: what is measured is not here
    """A benchmark can't run here; the message names what is missing."""


@dataclass(frozen=True)
class Row:
    """One measured figure, with a value per round.

    Attributes:
        what: its name, in a few words.
        unit: the unit of the values.
        values: one per round.
        against: the other side of the ratios, or the subject of the target without ratios.
        ratios: to another row's value of the same round, because other load slows both down alike.
        target: the target for the median of the ratios, or of the values without ratios; None without a target.
        at_most: whether the target is an upper limit.
        note: a note.
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
        """Whether the target is reached, None without a target."""
        if self.target is None:
            return None
        seen = median(self.ratios or self.values)
        return seen <= self.target if self.at_most else seen >= self.target


@dataclass(frozen=True)
class Benchmark:
    """One subject.

    Attributes:
        title: its heading.
        about: the method and the input; Markdown.
        run: measures a number of rounds.
        missed: why a target is not reached; Markdown, shown while a target is missed.
    """

    title: str
    about: str
    run: Callable[[int], list[Row]]
    missed: str = ""


def compared_with(row: Row, other: Row, *, target: float | None = None, at_most: bool = False, of: str = "") -> Row:
    """Return a row with its ratios to another one, round by round."""
    ratios = [value / base for value, base in zip(row.values, other.values, strict=True)]
    return Row(row.what, row.unit, row.values, of or other.what, ratios, target, at_most, row.note)


def against_first(rows: Sequence[Row], *, at_most: float) -> list[Row]:
    """Return rows of growing size: the first one, and the others compared with it.

    Args:
        rows: in their order.
        at_most: the target of the ratios.
    """
    first, *others = rows
    return [first, *(compared_with(row, first, target=at_most, at_most=True) for row in others)]
