"""Variables that say who is notified, and how."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stellar_etl_airflow.settings.base import Name, Secret, SettingsGroup, variable
from stellar_etl_airflow.settings.runs import EnvironmentSettings


class AlertSettings(EnvironmentSettings):
    """The Sentry project that failures are reported to."""

    sentry_dsn: Secret = variable(
        shipped="",
        description="the Sentry project for last failures of tasks; empty: none",
        when="failures must be reported to Sentry",
    )
    sentry_environment: str = variable(
        shipped="",
        description="the environment that Sentry's events name; empty: `environment`",
        when="Sentry must show another name",
    )


class MessageSettings(SettingsGroup):
    """Who hears of failures in chat and by email."""

    slack_connection: str = variable(
        shipped="",
        description="the Airflow connection for alerts in Slack; empty: none",
        when="alerts must be sent to Slack",
    )
    slack_channel: str = variable(
        shipped="",
        description="the channel, if the connection is of Slack's API; empty: the connection is an incoming webhook",
        when="one Slack app serves several channels",
    )
    alert_email_to: str = variable(
        shipped="",
        description="addresses for alerts by email, separated by commas; empty: none",
        when="alerts must be sent by email",
    )
    email_connection: Name = variable(
        shipped="smtp_default",
        description="the Airflow connection for sending email",
        when="email needs another server",
    )
    alert_window: Annotated[int, Field(ge=0)] = variable(
        shipped=900,
        description="seconds after a message in which no other one is sent: alerts are held back",
        when="one message in a quarter of an hour is too many, or too few",
    )
    runbook_url: str = variable(
        shipped="",
        description="the address of docs/runbook.md for links in messages; empty: they name the file",
        when="the repository, or a copy of the runbook, has an address",
    )

    @property
    def anybody(self) -> bool:
        """Whether anybody hears."""
        return bool(self.slack_connection or self.alert_email_to)
