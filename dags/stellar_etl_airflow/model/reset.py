"""What a run of `dataset_reset` removes, according to its params. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange, RangeError, whole_number
from stellar_etl_airflow.model.tables import PUBLISHED

RANGE, TABLE, DATASET = WHAT = ("range", "table", "dataset")
"""What a run can remove: a range of ledgers, one table, or all tables including the dataset's network label."""


@dataclass(frozen=True)
class Removal:
    """The tables and ledgers to remove.

    Attributes:
        data_types: the types of the tables.
        ledgers: the ledgers to remove; None removes the tables.
        network: whether to remove the network label, so that the dataset can take another network.
    """

    data_types: tuple[str, ...]
    ledgers: LedgerRange | None = None
    network: bool = False


def requested_removal(params: Mapping[str, Any]) -> Removal:
    """Return the removal that a run's params request.

    Args:
        params: `what`, one of `WHAT`; `data_type`, null for all; `start_ledger` and `end_ledger`.

    Raises:
        RangeError: the params contradict each other.
    """
    what, data_type = params.get("what"), params.get("data_type")
    start, end = params.get("start_ledger"), params.get("end_ledger")
    types = (data_type,) if data_type else tuple(PUBLISHED)
    if what not in WHAT or not all(type_ in list(PUBLISHED) for type_ in types):
        raise RangeError(f"param what must be one of {', '.join(WHAT)}, and data_type one of {', '.join(PUBLISHED)}")
    if what == RANGE:
        if start is None or end is None:
            raise RangeError("to remove a range, set the params start_ledger and end_ledger; both are included")
        ledgers = LedgerRange(whole_number("start_ledger", start), whole_number("end_ledger", end))
        if not 1 <= ledgers.start <= ledgers.end:
            raise RangeError("to remove a range, set the params start_ledger and end_ledger; both are included")
        return Removal(types, ledgers)
    if start is not None or end is not None:
        raise RangeError(f"the params start_ledger and end_ledger require what={RANGE}; this run has what={what}")
    if what == TABLE and not data_type:
        raise RangeError(f"set the param data_type to the table to remove, or what={DATASET} to remove all tables")
    if what == DATASET and data_type:
        raise RangeError(f"what={DATASET} removes all tables: remove the param data_type, or set what={TABLE}")
    return Removal(types, network=what == DATASET)
