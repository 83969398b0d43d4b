"""Variables that say who is notified, and how."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stellar_etl_airflow.settings.base import Name, Secret, SettingsGroup
from stellar_etl_airflow.settings.runs import EnvironmentSettings


class AlertSettings(EnvironmentSettings):
    """The Sentry project that failures are reported to."""

    sentry_dsn: Secret = Field(
        default="", description="the Sentry project that hears of a task's last failure; empty: none does"
    )
    sentry_environment: str = Field(
        default="", description="the environment that Sentry's events name; empty: `environment`"
    )


class MessageSettings(SettingsGroup):
    """Who hears of failures in chat and by email."""

    slack_connection: str = Field(
        default="",
        description="the Airflow connection by which Slack hears of failures; empty: it doesn't",
    )
    slack_channel: str = Field(
        default="",
        description="the channel, if the connection is of Slack's API; empty: the connection is an incoming webhook",
    )
    alert_email_to: str = Field(
        default="", description="addresses that hear of failures by email, with commas between them; empty: none does"
    )
    email_connection: Name = Field(default="smtp_default", description="the Airflow connection by which email is sent")
    alert_window: Annotated[int, Field(ge=0)] = Field(
        default=900, description="seconds after a message in which no other one is sent: what happens is held back"
    )
    runbook_url: str = Field(
        default="", description="the address of docs/runbook.md for links in messages; empty: they name the file"
    )

    @property
    def anybody(self) -> bool:
        """Whether anybody hears."""
        return bool(self.slack_connection or self.alert_email_to)
