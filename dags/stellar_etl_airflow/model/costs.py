"""Who causes a cost, and how high it is: labels of BigQuery jobs and of pods, bytes, their price. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

MOST_CHARACTERS = 63
"""How long a label's value may be, at BigQuery (https://cloud.google.com/bigquery/docs/labels-intro#requirements) and
in Kubernetes alike."""

_HASH_CHARACTERS = 8

TIB = 1 << 40


def label_value(text: str) -> str:
    """A text as the value of a label, at BigQuery and in Kubernetes alike.

    Lowercase letters, digits, `_` and `-`, with a letter or a digit at both ends; what is too long ends with a hash of
    the whole text.
    """
    value = re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")
    if len(value) <= MOST_CHARACTERS:
        return value
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARACTERS]
    return f"{value[: MOST_CHARACTERS - _HASH_CHARACTERS - 1]}-{digest}"


def cost_labels(**parts: str) -> dict[str, str]:
    """Labels by which costs are told apart, `stellar_{part}` each; a part without a value has none.

    Args:
        parts: such as `dag`, `task`, `table`, `environment`.
    """
    values = {f"stellar_{part}": label_value(text) for part, text in parts.items()}
    return {key: value for key, value in values.items() if value}


def bytes_of(jobs: Iterable[Any]) -> dict[str, int]:
    """What BigQuery jobs read and what of it is billed, in bytes; loads are free, and read nothing."""
    found = list(jobs)
    return {
        "bytes_processed": sum(getattr(job, "total_bytes_processed", None) or 0 for job in found),
        "bytes_billed": sum(getattr(job, "total_bytes_billed", None) or 0 for job in found),
    }


def bytes_together(results: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The sum of what `bytes_of` gave for several tasks."""
    found = list(results)
    return {key: sum(int(result[key]) for result in found) for key in ("bytes_processed", "bytes_billed")}


def estimated_cost(bytes_billed: int, price_per_tib: float) -> str:
    """What bytes cost at a price for each TiB, as a NUMERIC: in the price's currency, to nine digits."""
    return f"{Decimal(bytes_billed) * Decimal(str(price_per_tib)) / TIB:.9f}"
