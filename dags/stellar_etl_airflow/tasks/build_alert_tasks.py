"""Sends alerts that failing tasks left in Variables to chat and email, as one message.

Nothing here needs a setting of the data DAGs, so that an invalid one can be reported.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Variable, task
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.model.digest import Alert, Digest, is_quiet
from stellar_etl_airflow.operators.alerts import ALERT_PREFIX
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings.alerts import MessageSettings

TOLD = "alerts_told"
"""The Variable that says when the last message was sent, ISO 8601 in UTC."""

TIMEOUT = timedelta(minutes=1)
"""How long a channel may take before it is tried again."""

CONNECT_SECONDS = 15
"""How long Slack may take to answer."""

log = logging.getLogger(__name__)


def _told() -> datetime | None:
    """When the last message was sent; None if there was none, or what is noted is no time."""
    try:
        return datetime.fromisoformat(Variable.get(TOLD, default="")).astimezone(UTC)
    except ValueError:
        return None


def _waiting() -> dict[str, Alert]:
    """The alerts that were not sent yet, by their Variable."""
    found = {}
    for key in list(Variable.keys(ALERT_PREFIX)):
        text = Variable.get(key, default=None)
        try:
            found[key] = Alert.from_json(text or "")
        except ValueError as error:
            log.warning("the Airflow Variable %s is left: %s", key, error)
    return found


def _digest(gathered: Mapping[str, Any]) -> Digest:
    """The message of what was gathered."""
    told = gathered["told"] and datetime.fromisoformat(gathered["told"])
    config = settings(MessageSettings)
    return Digest.of(map(Alert.from_json, gathered["alerts"].values()), told, config.alert_window, config.runbook_url)


@task(execution_timeout=TIMEOUT)
def gather() -> dict[str, Any]:
    """The alerts to send, with their Variables, and the time of the last message.

    Raises:
        AirflowSkipException: nothing, or people heard just now.
    """
    config, told, waiting = settings(MessageSettings), _told(), _waiting()
    if not waiting:
        raise AirflowSkipException("no alerts to send")
    if is_quiet(told, datetime.now(UTC), config.alert_window):
        raise AirflowSkipException(
            f"{len(waiting)} alerts are held back: the last message was sent at {told}, and Airflow Variable "
            f"'alert_window' says {config.alert_window} s"
        )
    return {
        "alerts": {key: alert.to_json() for key, alert in waiting.items()},
        "told": told.isoformat() if told else None,
    }


@task(execution_timeout=TIMEOUT)
def slack(gathered: Mapping[str, Any]) -> list[str]:
    """Send the message to Slack, if the Variable `slack_connection` names a connection; return the sent alerts."""
    config = settings(MessageSettings)
    if not config.slack_connection:
        raise AirflowSkipException("Airflow Variable 'slack_connection' is not set")
    # Calling a notifier, in place of its notify, would take what an error says for a template.
    text = _digest(gathered).as_slack()
    if config.slack_channel:
        from airflow.providers.slack.notifications.slack import SlackNotifier

        SlackNotifier(
            slack_conn_id=config.slack_connection,
            channel=config.slack_channel,
            text=text,
            timeout=CONNECT_SECONDS,
            unfurl_links=False,
        ).notify({})  # type: ignore[no-untyped-call]
    else:
        from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

        SlackWebhookNotifier(
            slack_webhook_conn_id=config.slack_connection, text=text, timeout=CONNECT_SECONDS, unfurl_links=False
        ).notify({})  # type: ignore[no-untyped-call]
    return list(gathered["alerts"])


@task(execution_timeout=TIMEOUT)
def email(gathered: Mapping[str, Any]) -> list[str]:
    """Send the message by email, if the Variable `alert_email_to` names recipients; return the sent alerts."""
    config = settings(MessageSettings)
    if not config.alert_email_to:
        raise AirflowSkipException("Airflow Variable 'alert_email_to' is not set")
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    digest = _digest(gathered)
    SmtpNotifier(
        smtp_conn_id=config.email_connection,
        to=config.alert_email_to,
        subject=f"Stellar ETL: {digest.subject}",
        html_content=digest.as_html(),
    ).notify({})
    return list(gathered["alerts"])


@task(execution_timeout=TIMEOUT, trigger_rule="one_success")
def forget(told: Sequence[Sequence[str] | None]) -> None:
    """Record the message and remove the sent alerts, once one channel has worked.

    Args:
        told: the alerts' Variables, from each channel; None from one that has not sent them, or not yet.
    """
    Variable.set(TOLD, datetime.now(UTC).isoformat(timespec="seconds"), "when the DAG alerts sent its last message")
    for key in next(filter(None, told)):
        Variable.delete(key)


def build_alert_tasks() -> None:
    """Tasks that gather alerts, send them to each channel separately, and remove those that were sent.

    The last one hangs on the channels alone: on what was gathered too, that would be its one success.
    """
    gathered: Any = gather()
    told: Any = [slack(gathered), email(gathered)]
    forget(told)
