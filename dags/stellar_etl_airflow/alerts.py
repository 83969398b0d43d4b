"""Tells Sentry of a task that has failed for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from airflow.sdk import Context
from airflow.sdk.log import redact  # type: ignore[attr-defined]  # it is what masks logs

from stellar_etl_airflow import VERSION
from stellar_etl_airflow.batch import LedgerRange
from stellar_etl_airflow.runtime import SOURCES_TASK, ledgers_of, left_by, settings
from stellar_etl_airflow.settings import AlertSettings, SettingsError

SEND_SECONDS = 5
"""How long a task that has failed waits for Sentry."""

_TAG_LENGTH = 200
"""Sentry drops longer tags (https://develop.sentry.dev/sdk/data-model/event-payloads/)."""


def _ledgers(context: Context) -> LedgerRange | None:
    """The run's ledgers, as far as a task found them before this one failed."""
    with suppress(Exception):  # whatever is missing, the alert goes out
        return ledgers_of(context)
    with suppress(Exception):
        found = left_by(context, SOURCES_TASK)
        return LedgerRange(found["start_ledger"], found["end_ledger"])
    return None


def _tags(context: Context) -> dict[str, str]:
    ti, ledgers = context["ti"], _ledgers(context)
    tags = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "try_number": str(ti.try_number)}
    if ledgers is not None:
        tags["ledger_range"] = f"{ledgers.start}-{ledgers.end}"
    return {name: value[:_TAG_LENGTH] for name, value in tags.items()}


def _redacted(event: Any, _hint: dict[str, Any]) -> Any:
    """The event without what Airflow knows as a secret: passwords of connections, Variables by a secret's name."""
    return redact(event, max_depth=20)


def report_failure(context: Context) -> None:
    """Sends an event, if the Variable `sentry_dsn` names a Sentry project; `on_failure_callback` of every task.

    Airflow calls it after a task's last try, and at once for a failure that no retry mends; before a retry it calls
    `on_retry_callback`. If the process was killed, the DAG processor calls it, and knows no exception.

    The client is the event's own, without integrations: nothing of the process reaches the event but the exception and
    its stack, without the values of variables.

    Raises:
        SettingsError: `sentry_dsn` is not a DSN. Airflow logs it, and the task's state stays.
    """
    alerts = settings(AlertSettings)
    if not alerts.sentry_dsn:
        return
    ti, exception = context["ti"], context.get("exception")
    event = {"level": "error", "message": f"{ti.dag_id}.{ti.task_id} failed: its process was killed"}
    _send(alerts, context, event, exception if isinstance(exception, BaseException) else None, ["{{ default }}"])


def report_finding(context: Context, text: str, tags: Mapping[str, str]) -> None:
    """Sends an event of something that a task found, if the Variable `sentry_dsn` names a Sentry project.

    Args:
        context: the task's context.
        text: what was found.
        tags: what kind it is; findings of one kind make one issue.
    """
    alerts = settings(AlertSettings)
    if alerts.sentry_dsn:
        event = {"level": "warning", "message": text, "tags": dict(tags)}
        _send(alerts, context, event, None, [*tags.values()])


def _send(
    alerts: AlertSettings, context: Context, event: Any, exception: BaseException | None, fingerprint: Sequence[str]
) -> None:
    from sentry_sdk import Client
    from sentry_sdk.utils import BadDsn, event_from_exception

    try:
        client = Client(
            dsn=alerts.sentry_dsn,
            environment=alerts.sentry_environment or None,
            release=f"stellar-etl@{VERSION}",
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            before_send=_redacted,
        )
    except BadDsn:
        raise SettingsError(
            "Airflow Variable 'sentry_dsn' is not a DSN, such as https://KEY@HOST/PROJECT; the failure is not reported"
        ) from None
    ti = context["ti"]
    hint: dict[str, Any] = {}
    tags = event.get("tags", {})
    if exception is not None:
        event, hint = event_from_exception(exception, client_options=client.options)
    event["tags"] = {**_tags(context), **tags}
    event["fingerprint"] = [*fingerprint, ti.dag_id, ti.task_id]
    event["extra"] = {"log": ti.log_url}
    client.capture_event(event, hint)
    client.close(timeout=SEND_SECONDS)
