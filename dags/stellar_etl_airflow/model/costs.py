"""Costs and their labels: BigQuery jobs, pods and storage. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

MOST_CHARACTERS = 63
"""Maximum length of a label's value in BigQuery (https://cloud.google.com/bigquery/docs/labels-intro#requirements) and
in Kubernetes."""

_HASH_CHARACTERS = 8

GIB = 1 << 30
TIB = 1 << 40
HOUR = 3600


def label_value(text: str) -> str:
    """Return a text as a valid value of a label in BigQuery and in Kubernetes.

    The value has lowercase letters, digits, `_` and `-`, with a letter or a digit at both ends. A text that is too
    long is cut and ends with a hash of the whole text.
    """
    value = re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")
    if len(value) <= MOST_CHARACTERS:
        return value
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARACTERS]
    return f"{value[: MOST_CHARACTERS - _HASH_CHARACTERS - 1]}-{digest}"


def cost_labels(**parts: str) -> dict[str, str]:
    """Return labels that separate costs, named `stellar_{part}`. A part without a value gets no label.

    Args:
        parts: such as `dag`, `task`, `table`, `environment`.
    """
    values = {f"stellar_{part}": label_value(text) for part, text in parts.items()}
    return {key: value for key, value in values.items() if value}


def bytes_of(jobs: Iterable[Any]) -> dict[str, int]:
    """Return the bytes that BigQuery jobs processed, were billed for, and loaded. Load jobs process and bill none."""
    found = list(jobs)
    return {
        "bytes_processed": sum(getattr(job, "total_bytes_processed", None) or 0 for job in found),
        "bytes_billed": sum(getattr(job, "total_bytes_billed", None) or 0 for job in found),
        "bytes_loaded": sum(getattr(job, "output_bytes", None) or 0 for job in found),
    }


def bytes_together(results: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the sum of several results of `bytes_of`."""
    found = list(results)
    keys = ("bytes_processed", "bytes_billed", "bytes_loaded")
    return {key: sum(int(result.get(key, 0)) for result in found) for key in keys}


def estimated_cost(bytes_billed: int, price_per_tib: float) -> str:
    """Return the price of billed bytes as a NUMERIC, in the price's currency with nine decimals."""
    return _priced(bytes_billed, price_per_tib, TIB)


@dataclass(frozen=True)
class Usage:
    """The resources that pods requested, times their duration. The node reserves them whether they are used or not.

    Attributes:
        cpu_seconds: requested CPUs times seconds.
        memory_gib_seconds: requested GiB of memory times seconds.
    """

    cpu_seconds: float = 0.0
    memory_gib_seconds: float = 0.0

    @classmethod
    def of(cls, requests: Iterable[Mapping[str, Any]], seconds: float) -> Usage:
        """Return the usage of a pod's containers over some seconds.

        Args:
            requests: the `requests` of each container's resources; a missing resource is 0.
            seconds: how long the pod ran.
        """
        found = list(requests)
        cpu = sum(quantity(one.get("cpu", 0)) for one in found)
        memory = sum(quantity(one.get("memory", 0)) for one in found)
        return cls(float(cpu) * seconds, float(memory / GIB) * seconds)

    def __add__(self, other: Usage) -> Usage:
        """Return the sum."""
        return Usage(self.cpu_seconds + other.cpu_seconds, self.memory_gib_seconds + other.memory_gib_seconds)

    def share(self, part: int, whole: int) -> Usage:
        """Return `part / whole` of the usage."""
        return Usage(self.cpu_seconds * part / whole, self.memory_gib_seconds * part / whole) if whole else Usage()

    def cost(self, vcpu_hour: float, gib_hour: float) -> str:
        """Return the cost as a NUMERIC.

        Args:
            vcpu_hour: the price of a CPU for an hour.
            gib_hour: the price of a GiB of memory for an hour.
        """
        return f"{(self.cpu_seconds * vcpu_hour + self.memory_gib_seconds * gib_hour) / HOUR:.9f}"

    def to_json(self) -> dict[str, float]:
        """Return the usage as a JSON object for other tasks."""
        return asdict(self)


SUFFIXES: dict[str, Decimal] = {
    **{f"{letter}i": Decimal(1 << 10 * power) for power, letter in enumerate("KMGTPE", 1)},
    **{letter: Decimal(1000**power) for power, letter in enumerate("kMGTPE", 1)},
    "m": Decimal("0.001"),
    "": Decimal(1),
}
"""The suffixes of Kubernetes quantities and their factors
(https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/)."""

_QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")


def quantity(value: str | float) -> Decimal:
    """Return the number of a Kubernetes quantity: `500m` is 0.5, `2Gi` is 2147483648.

    Raises:
        ValueError: the value is not a quantity.
    """
    found = _QUANTITY.fullmatch(str(value))
    if found is None or found[2] not in SUFFIXES:
        raise ValueError(f"{value!r} is not a Kubernetes quantity")
    return Decimal(found[1]) * SUFFIXES[found[2]]


def storage_cost(stored: int, price_per_gib_month: float) -> str:
    """Return the cost of storing bytes for a month, as a NUMERIC."""
    return _priced(stored, price_per_gib_month, GIB)


def _priced(count: int, price: float, unit: int) -> str:
    """Return the cost of some bytes, at a price per `unit` bytes, as a NUMERIC."""
    return f"{Decimal(count) * Decimal(str(price)) / unit:.9f}"
