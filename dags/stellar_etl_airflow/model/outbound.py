"""Outbound exports: snapshots, their deliveries, and the tables and objects of both. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

RUNS_TABLE_ID = "outbound_runs"
"""The table with one row per completed delivery: amount, duration and cost."""
BATCHES_TABLE_ID = "outbound_batches"
"""The table with one row per batch of a snapshot: its key, size and digest."""
DELIVERIES_TABLE_ID = "outbound_deliveries"
"""The table with one row per batch of a delivery: its outcome and time."""
LOADS_TABLE_ID = "outbound_loads"
"""The table with one row per load that a snapshot of a delta export includes."""

OUTBOUND_CLUSTERS = {
    RUNS_TABLE_ID: ("export", "snapshot", "delivery"),
    BATCHES_TABLE_ID: ("export", "snapshot", "batch"),
    DELIVERIES_TABLE_ID: ("export", "snapshot", "delivery", "batch"),
    LOADS_TABLE_ID: ("export", "start_ledger"),
}
"""The columns that each table of outbound exports is clustered by, in the order of its keys."""

MOST_ROWS = 5000
"""Maximum number of rows in a batch."""
SNAPSHOT_DAYS = 30
"""Days that a snapshot and its batches are kept. During this time they can be sent again."""


def snapshot_id(run_id: str, run_after: datetime) -> str:
    """Return the name of a run's snapshot: the same for each try, and different for each run."""
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:8]
    return f"{run_after.astimezone(UTC):%Y%m%dt%H%M%S}_{digest}"


@dataclass(frozen=True)
class Delivery:
    """One delivery of a snapshot: the export's own delivery, or a later one of some of its batches.

    Attributes:
        export: the export's name.
        snapshot: the snapshot's name.
        name: the delivery's name; the export's own delivery has the snapshot's name.
        declaration: the export's declaration at the time of the snapshot, as JSON.
        batches: the batches that are sent again; None for all rejected ones.
    """

    export: str
    snapshot: str
    name: str
    declaration: Mapping[str, Any]
    batches: tuple[int, ...] | None = None

    @property
    def is_repeated(self) -> bool:
        """Whether this delivery sends batches of an earlier delivery again."""
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
        """The table with the batches that this delivery must send."""
        return f"outbound_{self.export}_{self.name}_outstanding"

    @property
    def receipts_id(self) -> str:
        """The table that the receipts of this delivery are loaded into."""
        return f"outbound_{self.export}_{self.name}_receipts"

    @property
    def folder(self) -> str:
        """The folder of this delivery's objects, below the bucket's prefix."""
        return f"outbound/{self.export}/{self.name}"

    @property
    def job_base(self) -> str:
        """The common prefix of the names of this delivery's Dataflow jobs. A number follows it.

        A job's name consists of lowercase letters, digits and `-`
        (https://cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.jobs#Job).
        """
        return f"outbound-{self.export}-{self.name}".replace("_", "-")

    def as_json(self) -> dict[str, Any]:
        """Return the delivery as a JSON object for other tasks."""
        return {
            "export": self.export,
            "snapshot": self.snapshot,
            "name": self.name,
            "declaration": dict(self.declaration),
            "batches": None if self.batches is None else list(self.batches),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Delivery:
        """Return the delivery of another task's JSON object."""
        batches = value["batches"]
        return cls(
            value["export"],
            value["snapshot"],
            value["name"],
            value["declaration"],
            None if batches is None else tuple(batches),
        )


NAMESPACE = "outbound"
"""The namespace of the Dataflow workers' custom metrics."""


def job_figures(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a job's metrics by name: those in the workers' namespace, and those of Dataflow.

    Args:
        metrics: `metrics` of `projects.locations.jobs.getMetrics`. Tentative values are ignored.
    """
    figures: dict[str, Any] = {}
    for metric in metrics:
        name, context = metric["name"], metric["name"].get("context", {})
        if "tentative" in context or (name["origin"] == "user" and context.get("namespace") != NAMESPACE):
            continue
        figures[name["name"]] = metric.get("distribution", metric.get("scalar"))
    return figures


def added_figures(jobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the combined figures of several jobs: sums, and merged distributions."""
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
