"""Send alerts that failed tasks stored in Variables to Slack and email, as one message.

The tasks need no settings of the data DAGs, so that an invalid setting can be reported.
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

LAST_SENT = "alerts_told"
"""The Variable with the time of the last message, ISO 8601 in UTC."""

TIMEOUT = timedelta(minutes=1)
"""Timeout of one try to use a channel."""

CONNECT_SECONDS = 15
"""Timeout of Slack's response, in seconds."""

log = logging.getLogger(__name__)


def _last_sent() -> datetime | None:
    """Return when the last message was sent; None if there was none, or the Variable is not a valid time."""
    try:
        return datetime.fromisoformat(Variable.get(LAST_SENT, default="")).astimezone(UTC)
    except ValueError:
        return None


def _waiting() -> dict[str, Alert]:
    """Return the alerts that are not sent yet, by their Variable."""
    found = {}
    for key in list(Variable.keys(ALERT_PREFIX)):
        text = Variable.get(key, default=None)
        try:
            found[key] = Alert.from_json(text or "")
        except ValueError as error:
            log.warning("ignored the Airflow Variable %s: %s", key, error)
    return found


def _digest(gathered: Mapping[str, Any]) -> Digest:
    """Return the message for the gathered alerts."""
    last_sent = gathered["last_sent"] and datetime.fromisoformat(gathered["last_sent"])
    config = settings(MessageSettings)
    return Digest.of(
        map(Alert.from_json, gathered["alerts"].values()), last_sent, config.alert_window, config.runbook_url
    )


@task(execution_timeout=TIMEOUT)
def gather() -> dict[str, Any]:
    """Return the alerts to send, by Variable, and the time of the last message.

    Raises:
        AirflowSkipException: there are no alerts, or the last message was sent too recently.
    """
    config, last_sent, waiting = settings(MessageSettings), _last_sent(), _waiting()
    if not waiting:
        raise AirflowSkipException("no alerts to send")
    if is_quiet(last_sent, datetime.now(UTC), config.alert_window):
        raise AirflowSkipException(
            f"{len(waiting)} alerts are held back: the last message was sent at {last_sent}, and Airflow Variable "
            f"'alert_window' is {config.alert_window} s"
        )
    return {
        "alerts": {key: alert.to_json() for key, alert in waiting.items()},
        "last_sent": last_sent.isoformat() if last_sent else None,
    }


@task(execution_timeout=TIMEOUT)
def slack(gathered: Mapping[str, Any]) -> list[str]:
    """Send the message to Slack if the Variable `slack_connection` names a connection. Return the sent alerts."""
    config = settings(MessageSettings)
    if not config.slack_connection:
        raise AirflowSkipException("Airflow Variable 'slack_connection' is not set")
    # Use notify(), not __call__(), which would render error texts as templates.
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
    """Send the message by email if the Variable `alert_email_to` has recipients. Return the sent alerts."""
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
def forget(sent: Sequence[Sequence[str] | None]) -> None:
    """Record the time of the message and delete the sent alerts, after one channel succeeded.

    Args:
        sent: per channel, the Variables of the sent alerts; None if the channel has not sent them.
    """
    Variable.set(
        LAST_SENT, datetime.now(UTC).isoformat(timespec="seconds"), "when the DAG alerts sent its last message"
    )
    for key in next(filter(None, sent)):
        Variable.delete(key)


def build_alert_tasks() -> None:
    """Add the tasks that gather alerts, send them to each channel, and delete the sent ones.

    The last task depends only on the channels: with the trigger rule `one_success`, `gather` would satisfy it.
    """
    gathered: Any = gather()
    sent: Any = [slack(gathered), email(gathered)]
    forget(sent)
