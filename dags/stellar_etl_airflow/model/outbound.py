"""Outbound exports as values: a snapshot, a delivery of it, the tables and objects of both. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

RUNS_TABLE_ID = "outbound_runs"
"""The table with one row for each delivery that ended: how much, how long, at what cost."""
BATCHES_TABLE_ID = "outbound_batches"
"""The table with one row for each batch of a snapshot: its key, size and digest."""
DELIVERIES_TABLE_ID = "outbound_deliveries"
"""The table with one row for each batch of a delivery: how it ended, and when."""
LOADS_TABLE_ID = "outbound_loads"
"""The table with one row for each load that a snapshot of a delta export includes."""

OUTBOUND_CLUSTERS = {
    RUNS_TABLE_ID: ("export", "snapshot", "delivery"),
    BATCHES_TABLE_ID: ("export", "snapshot", "batch"),
    DELIVERIES_TABLE_ID: ("export", "snapshot", "delivery", "batch"),
    LOADS_TABLE_ID: ("export", "start_ledger"),
}
"""The columns that each table of outbound exports is clustered by, in the order of its keys."""

MOST_ROWS = 5000
"""The most rows of one batch."""
SNAPSHOT_DAYS = 30
"""How long a snapshot and its batches are kept: as long as they can be sent again."""


def snapshot_id(run_id: str, run_after: datetime) -> str:
    """Return the name of a run's snapshot: the same at each try, and another one in each run."""
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:8]
    return f"{run_after.astimezone(UTC):%Y%m%dt%H%M%S}_{digest}"


@dataclass(frozen=True)
class Delivery:
    """One delivery of a snapshot: by the export itself, or a later one of some of its batches.

    Attributes:
        export: the export's name.
        snapshot: the snapshot's name.
        name: the delivery's name; the export's own delivery is named as the snapshot.
        declaration: the export's declaration when the snapshot was taken, as JSON has it.
        batches: the batches that are sent again; None for all that were refused.
    """

    export: str
    snapshot: str
    name: str
    declaration: Mapping[str, Any]
    batches: tuple[int, ...] | None = None

    @property
    def is_repeated(self) -> bool:
        """Whether batches of an earlier delivery are sent again."""
        return self.name != self.snapshot

    @property
    def rows_id(self) -> str:
        """The table with the rows of the snapshot."""
        return f"outbound_{self.export}_{self.snapshot}_rows"

    @property
    def batches_id(self) -> str:
        """The table with the batches of the snapshot, and their bodies."""
        return f"outbound_{self.export}_{self.snapshot}_batches"

    @property
    def outstanding_id(self) -> str:
        """The table with the batches of this delivery that have to be sent."""
        return f"outbound_{self.export}_{self.name}_outstanding"

    @property
    def receipts_id(self) -> str:
        """The table into which the receipts of this delivery are loaded."""
        return f"outbound_{self.export}_{self.name}_receipts"

    @property
    def folder(self) -> str:
        """The folder of this delivery's objects, below the bucket's prefix."""
        return f"outbound/{self.export}/{self.name}"

    @property
    def job_base(self) -> str:
        """What the names of this delivery's Dataflow jobs have in common; a number follows it.

        A job's name has lowercase letters, digits and `-`
        (https://cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.jobs#Job).
        """
        return f"outbound-{self.export}-{self.name}".replace("_", "-")

    def as_json(self) -> dict[str, Any]:
        """Return the delivery as it travels between tasks."""
        return {
            "export": self.export,
            "snapshot": self.snapshot,
            "name": self.name,
            "declaration": dict(self.declaration),
            "batches": None if self.batches is None else list(self.batches),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Delivery:
        """Return the delivery that another task left."""
        batches = value["batches"]
        return cls(
            value["export"],
            value["snapshot"],
            value["name"],
            value["declaration"],
            None if batches is None else tuple(batches),
        )


NAMESPACE = "outbound"
"""The namespace of the worker's own metrics."""


def job_figures(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a job's metrics by name: those of the worker's namespace, and those of Dataflow itself.

    Args:
        metrics: `metrics` of `projects.locations.jobs.getMetrics`. Tentative values are left out.
    """
    figures: dict[str, Any] = {}
    for metric in metrics:
        name, context = metric["name"], metric["name"].get("context", {})
        if "tentative" in context or (name["origin"] == "user" and context.get("namespace") != NAMESPACE):
            continue
        figures[name["name"]] = metric.get("distribution", metric.get("scalar"))
    return figures


def added_figures(jobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of several jobs together: sums, and distributions of all values."""
    total: dict[str, Any] = {}
    for figures in jobs:
        for name, value in figures.items():
            before = total.get(name)
            if not isinstance(value, Mapping):
                total[name] = (before or 0) + (value or 0)
            elif before is None:
                total[name] = dict(value)
            else:
                total[name] = {
                    "count": before["count"] + value["count"],
                    "sum": before["sum"] + value["sum"],
                    "min": min(before["min"], value["min"]),
                    "max": max(before["max"], value["max"]),
                }
    return total
