"""What rows must be like: a check in data, not in SQL. Pure; the registry and the Variable `checks` both say it so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Value = bool | int | float | str

Operator = Literal["=", "!=", "<", "<=", ">", ">="]


class Kind(Enum):
    """What a check asks of a column."""

    NOT_NULL = "not_null"
    UNIQUE = "unique"
    ACCEPTED_VALUES = "accepted_values"
    RANGE = "range"
    METRIC = "metric"


class Metric(Enum):
    """What is computed over all rows, and then held against bounds."""

    COUNT = "COUNT"
    SUM = "SUM"
    MIN = "MIN"
    MAX = "MAX"
    AVG = "AVG"


@dataclass(frozen=True)
class Condition:
    """Which rows a check is about: those whose column compares so to a value; a NULL never does."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  pydantic reads it from the class

    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True)
class Check:
    """One check on a batch's rows.

    Attributes:
        kind: what is asked.
        column: of which column.
        values: `accepted_values`: what it may be; NULL is no fault.
        minimum: `range` and `metric`: the lowest value, none for any.
        maximum: the highest value, none for any.
        metric: `metric`: what is computed. Over no rows, SUM is 0 like COUNT, and the others have no value, which is no
            fault.
        where: all of these select the rows.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  pydantic reads it from the class

    kind: Kind
    column: str
    values: tuple[Value, ...] = ()
    minimum: Value | None = None
    maximum: Value | None = None
    metric: Metric | None = None
    where: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        """Refuses what says nothing.

        Raises:
            ValueError: a part lacks that the kind needs, or one is there that it doesn't know.
        """
        bounded = self.minimum is not None or self.maximum is not None
        needed = {
            "values": (bool(self.values), self.kind is Kind.ACCEPTED_VALUES),
            "metric": (self.metric is not None, self.kind is Kind.METRIC),
            "minimum or maximum": (bounded, self.kind in (Kind.RANGE, Kind.METRIC)),
        }
        for part, (given, wanted) in needed.items():
            if given != wanted:
                raise ValueError(f"a check of kind {self.kind.value!r} {'needs' if wanted else 'takes no'} {part}")


def accepted(column: str, *values: Value) -> Check:
    """A check that a column holds one of these values, or NULL."""
    return Check(Kind.ACCEPTED_VALUES, column, values=values)
