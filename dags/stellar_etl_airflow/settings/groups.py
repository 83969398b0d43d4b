"""All groups of Airflow Variables."""

from __future__ import annotations

import json
from typing import Any

from stellar_etl_airflow.settings.alerts import AlertSettings, MessageSettings
from stellar_etl_airflow.settings.base import HIDDEN, SettingsGroup
from stellar_etl_airflow.settings.dbt import DbtSettings
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.outbound import OutboundSettings
from stellar_etl_airflow.settings.pods import PodSettings
from stellar_etl_airflow.settings.runs import (
    AuditSettings,
    CoverageSettings,
    DelaySettings,
    FoldSettings,
    OwnerSettings,
    TimeoutSettings,
    WaitSettings,
)
from stellar_etl_airflow.settings.warehouse import CheckSettings, CostSettings, WarehouseSettings

GROUPS: tuple[type[SettingsGroup], ...] = (
    WarehouseSettings,
    CheckSettings,
    ExportSettings,
    PodSettings,
    TimeoutSettings,
    WaitSettings,
    DelaySettings,
    CoverageSettings,
    AuditSettings,
    FoldSettings,
    CostSettings,
    OwnerSettings,
    AlertSettings,
    MessageSettings,
    OutboundSettings,
    DbtSettings,
)
"""The groups contain every Variable of the project."""


def known_keys() -> dict[str, str]:
    """Return every Variable's key with its description."""
    return {key: field.description or "" for group in GROUPS for key, field in group.model_fields.items()}


def shown(key: str, value: Any) -> str:
    """Return a Variable's value for display. Values of secrets and of unknown keys are masked."""
    fields = [group.model_fields[key] for group in GROUPS if key in group.model_fields]
    if not fields or (value and any(HIDDEN in field.metadata for field in fields)):
        return "***"
    return json.dumps(value, ensure_ascii=False)
