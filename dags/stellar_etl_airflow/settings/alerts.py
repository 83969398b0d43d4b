"""Variables for alerts: recipients and channels."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stellar_etl_airflow.settings.base import Name, Secret, SettingsGroup, variable
from stellar_etl_airflow.settings.runs import EnvironmentSettings


class AlertSettings(EnvironmentSettings):
    """The Sentry project that receives task failures."""

    sentry_dsn: Secret = variable(
        shipped="",
        description="the Sentry project that receives tasks that exhausted their retries; empty: none",
        when="failures must be reported to Sentry",
    )
    sentry_environment: str = variable(
        shipped="",
        description="the environment name in Sentry events; empty: `environment`",
        when="Sentry must show another environment name",
    )


class MessageSettings(SettingsGroup):
    """Alerts by Slack and email."""

    slack_connection: str = variable(
        shipped="",
        description="the Airflow connection for alerts in Slack; empty: none",
        when="alerts must be sent to Slack",
    )
    slack_channel: str = variable(
        shipped="",
        description="the channel, if the connection is a Slack API connection; empty: the connection is an incoming "
        "webhook",
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
        description="minimum seconds between two alert messages; alerts in between are sent with the next one",
        when="one message per quarter of an hour is too many, or too few",
    )
    runbook_url: str = variable(
        shipped="",
        description="the address of docs/runbook.md for links in messages; empty: messages name the file",
        when="the repository, or a copy of the runbook, has an address",
    )

    @property
    def anybody(self) -> bool:
        """Whether a channel for alerts is configured."""
        return bool(self.slack_connection or self.alert_email_to)
