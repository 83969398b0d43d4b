"""Asset events with the watermark of a dataset, which can trigger other teams' DAGs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow.sdk import Asset, AssetAlias, Context

from stellar_etl_airflow.model.tables import WATERMARKS_VIEW_ID

WATERMARK = AssetAlias("ledger_watermark")
"""The alias for the `schedule` of other teams' DAGs: the datasets are known only when a task runs."""


def announce_watermark(context: Context, row: Mapping[str, Any]) -> None:
    """Add an asset event with a dataset's watermark. Airflow emits it when the task succeeds.

    Args:
        context: the task's context.
        row: the row of the view. Its values are the event's `extra`, times as ISO 8601.
    """
    values = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    project, _, dataset = str(row["dataset"]).rpartition(".")
    asset = Asset(uri=f"bigquery://{project}/{dataset}/{WATERMARKS_VIEW_ID}")
    context["outlet_events"][WATERMARK].add(asset, extra=values)
