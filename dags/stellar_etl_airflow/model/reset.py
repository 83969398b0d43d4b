"""What a reset of the dataset removes, as a run's params say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange, RangeError, whole_number
from stellar_etl_airflow.model.tables import PUBLISHED

RANGE, TABLE, DATASET = WHAT = ("range", "table", "dataset")
"""What can be removed: ledgers, one table as a whole, or all tables together with the network that they are of."""


@dataclass(frozen=True)
class Removal:
    """What is to be removed.

    Attributes:
        data_types: the types whose tables are concerned.
        ledgers: the ledgers to remove; None for the tables as a whole.
        network: whether the dataset is to be free for another network.
    """

    data_types: tuple[str, ...]
    ledgers: LedgerRange | None = None
    network: bool = False


def asked_removal(params: Mapping[str, Any]) -> Removal:
    """What a run's params ask to remove.

    Args:
        params: `what`, one of `WHAT`; `data_type`, null for all; `start_ledger` and `end_ledger`.

    Raises:
        RangeError: they don't fit together.
    """
    what, data_type = params.get("what"), params.get("data_type")
    start, end = params.get("start_ledger"), params.get("end_ledger")
    types = (data_type,) if data_type else tuple(PUBLISHED)
    if what not in WHAT or not all(type_ in list(PUBLISHED) for type_ in types):
        raise RangeError(f"param what must be one of {', '.join(WHAT)}, and data_type one of {', '.join(PUBLISHED)}")
    if what == RANGE:
        if start is None or end is None:
            raise RangeError("to remove a range, say it by the params start_ledger and end_ledger, both included")
        ledgers = LedgerRange(whole_number("start_ledger", start), whole_number("end_ledger", end))
        if not 1 <= ledgers.start <= ledgers.end:
            raise RangeError("to remove a range, say it by the params start_ledger and end_ledger, both included")
        return Removal(types, ledgers)
    if start is not None or end is not None:
        raise RangeError(f"the params start_ledger and end_ledger go with what={RANGE}; this run has what={what}")
    if what == TABLE and not data_type:
        raise RangeError(f"say which table by the param data_type; to remove all of them, what={DATASET}")
    if what == DATASET and data_type:
        raise RangeError(f"what={DATASET} removes all tables: leave out data_type, or say what={TABLE}")
    return Removal(types, network=what == DATASET)
