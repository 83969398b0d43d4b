"""Checks of rows, declared as data in the registry and in the Variable `checks`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Value = bool | int | float | str

Operator = Literal["=", "!=", "<", "<=", ">", ">="]


class Kind(Enum):
    """What a check verifies."""

    NOT_NULL = "not_null"
    UNIQUE = "unique"
    ACCEPTED_VALUES = "accepted_values"
    RANGE = "range"
    METRIC = "metric"


class Metric(Enum):
    """An aggregate over all rows that is compared with bounds."""

    COUNT = "COUNT"
    SUM = "SUM"
    MIN = "MIN"
    MAX = "MAX"
    AVG = "AVG"


@dataclass(frozen=True)
class Condition:
    """A condition that selects rows by comparing a column with a value. NULL never matches."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  pydantic reads it from the class

    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True)
class Check:
    """One check on a batch's rows.

    Attributes:
        kind: what the check verifies.
        column: the column to check.
        values: for `accepted_values`: the accepted values. NULL is accepted too.
        minimum: for `range` and `metric`: the lowest accepted value; None for no limit.
        maximum: for `range` and `metric`: the highest accepted value; None for no limit.
        metric: for `metric`: the aggregate. Over no rows, SUM and COUNT are 0; the others are NULL, which is accepted.
        where: conditions; only rows that match all of them are checked.
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
        """Reject a check whose fields do not fit its kind.

        Raises:
            ValueError: a field is missing that the kind needs, or is set although the kind does not use it.
        """
        bounded = self.minimum is not None or self.maximum is not None
        needed = {
            "values": (bool(self.values), self.kind is Kind.ACCEPTED_VALUES),
            "metric": (self.metric is not None, self.kind is Kind.METRIC),
            "minimum or maximum": (bounded, self.kind in (Kind.RANGE, Kind.METRIC)),
        }
        for part, (given, wanted) in needed.items():
            if given != wanted:
                raise ValueError(f"a check of kind {self.kind.value!r} {'needs' if wanted else 'must not have'} {part}")


def accepted(column: str, *values: Value) -> Check:
    """Return a check that a column has one of these values, or NULL."""
    return Check(Kind.ACCEPTED_VALUES, column, values=values)
