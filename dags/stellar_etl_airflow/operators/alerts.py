"""Alerts about tasks that exhausted their retries and about late runs: Sentry at once, Slack and email as a digest.

Sentry groups events itself. Slack and email must not get 40 messages because the warehouse is down, but the 40 failing
processes share only Airflow. So each process stores its alert in its own Airflow Variable, `alert.…`. The DAG `alerts`,
with one active run, sends one message about all alerts. Reasons for this design:

- No process needs a lock. The Task SDK can set a Variable but cannot compare and set it: of 40 processes that check
  whether an alert was sent, several would find none. Here each process writes its own Variable, and one reader removes
  the sent ones. Alerts that could not be sent stay for the next run.
- Variables can be set wherever Airflow notices a failure: in the task's process, in the DAG processor (lost workers),
  and in the triggerer (missed deadlines). Triggering a DAG run with the lock as its id works only in the task's
  process, and DAG run callbacks always run in the DAG processor.
- Slow, hanging and retried requests run in a separate task, not in the failed one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

from airflow.sdk import Context, Variable
from airflow.sdk.configuration import conf
from airflow.sdk.log import redact  # type: ignore[attr-defined]  # the function that masks secrets in logs
from asgiref.sync import sync_to_async

from stellar_etl_airflow import VERSION
from stellar_etl_airflow.model.digest import DEADLINE, Alert, anchor_of, first_line
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.operators.runtime import SOURCES_TASK, ledgers_of, pull_result, settings
from stellar_etl_airflow.settings.alerts import AlertSettings, MessageSettings
from stellar_etl_airflow.settings.base import SettingsError

ALERT_PREFIX = "alert."
"""The prefix of Variables that each contain one unsent alert."""

SEND_SECONDS = 5
"""Seconds that a failed task waits for Sentry."""

_TAG_LENGTH = 200
"""Sentry drops longer tags (https://develop.sentry.dev/sdk/data-model/event-payloads/)."""


def _ledgers(context: Context) -> LedgerRange | None:
    """Return the run's ledgers, if an earlier task found them."""
    with suppress(Exception):  # send the alert whatever is missing
        return ledgers_of(context)
    with suppress(Exception):
        found = pull_result(context, SOURCES_TASK)
        return LedgerRange(found["start_ledger"], found["end_ledger"])
    return None


def _range_text(ledgers: LedgerRange | None) -> str:
    return f"{ledgers.start}-{ledgers.end}" if ledgers else ""


def _tags(context: Context) -> dict[str, str]:
    ti, ledgers = context["ti"], _range_text(_ledgers(context))
    tags = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "try_number": str(ti.try_number)}
    return tags | {"ledger_range": ledgers} if ledgers else tags


def _redacted(event: Any, _hint: dict[str, Any]) -> Any:
    """Return the event with the secrets masked that Airflow knows: passwords of connections, and secret Variables."""
    return redact(event, max_depth=20)


def _killed(context: Context) -> str:
    return f"{context['ti'].dag_id}.{context['ti'].task_id} failed: its process was killed"


def report_failure(context: Context) -> None:
    """Alert the recipients in the Variables about a failure; `on_failure_callback` of every task.

    Airflow calls it after a task's last try, and immediately for a failure that no retry can fix. Before a retry it
    calls `on_retry_callback`. If the worker was lost, the DAG processor calls it, without an exception. If only the
    task's process was killed, for instance out of memory, Airflow 3.3.1 calls nothing; the run's deadline reports it.

    Raises:
        SettingsError: a Variable is invalid. Airflow logs the error and keeps the task's state. Recipients of the other
            Variables were alerted.
    """
    try:
        if settings(MessageSettings).anybody:
            _leave(_failure(context))
    finally:
        report_failure_to_sentry(context)


def _failure(context: Context) -> Alert:
    ti, exception = context["ti"], context.get("exception")
    error = str(redact(str(exception) or type(exception).__name__)) if exception is not None else _killed(context)
    return Alert(
        at=_now(),
        what=f"{ti.dag_id}.{ti.task_id}",
        text=first_line(error),
        anchor=anchor_of(ti.task_id, error),
        run_id=ti.run_id,
        ledgers=_range_text(_ledgers(context)),
        link=ti.log_url,
        ids=(ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index), str(ti.try_number)),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _leave(alert: Alert) -> None:
    """Store an alert for the DAG `alerts`, with the secrets masked that this process knows.

    Masking must happen here: the tasks that send the alert do not know the connections that this process used.
    """
    masked = Alert(**cast("dict[str, Any]", redact(asdict(alert))))
    Variable.set(f"{ALERT_PREFIX}{alert.key}", masked.to_json(), "waits for the DAG alerts to send it")


async def report_deadline(context: Mapping[str, Any], **_: str) -> None:
    """Alert about a run that is not done by its deadline. Airflow's triggerer calls it once per run.

    This includes a failed run that is not fixed yet, because its task may have been killed without an alert. It
    excludes runs of a backfill, which are all created at once and then wait, and runs that were already late when they
    began, as in catch-up.

    Args:
        context: `dag_run` in the format of the REST API, and `deadline` with its `deadline_time`.
        _: the version of the DAGs, which distinguishes deadlines.
    """
    await sync_to_async(_report_deadline)(context)


def _report_deadline(context: Mapping[str, Any]) -> None:
    run = context["dag_run"]
    deadline = datetime.fromisoformat(str(context["deadline"]["deadline_time"])).astimezone(UTC)
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    if run["run_type"] == "backfill" or deadline < datetime.fromisoformat(str(run["queued_at"])):
        return
    text = f"{dag_id} missed its deadline, {deadline:%Y-%m-%d %H:%M} UTC: its state is {run['state']}"
    link = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{quote(dag_id)}/runs/{quote(run_id)}"
    try:
        if settings(MessageSettings).anybody:
            _leave(Alert(_now(), dag_id, text, DEADLINE, run_id, "", link, (DEADLINE, dag_id, run_id)))
    finally:
        if (sentry := settings(AlertSettings)).sentry_dsn:
            event = {"level": "warning", "message": text, "tags": {"dag_id": dag_id, "run_id": run_id}}
            _send(sentry, event, None, [DEADLINE, dag_id], link)


def report_failure_to_sentry(context: Context) -> None:
    """Send an event to Sentry if the Variable `sentry_dsn` is set.

    The event has its own client without integrations. It contains only the exception and its stack, without the values
    of variables.

    Raises:
        SettingsError: `sentry_dsn` is not a DSN.
    """
    alerts = settings(AlertSettings)
    if not alerts.sentry_dsn:
        return
    exception = context.get("exception")
    event = {"level": "error", "message": _killed(context)}
    _send_of_task(
        alerts, context, event, exception if isinstance(exception, BaseException) else None, ["{{ default }}"]
    )


def report_pause(context: Context, text: str) -> None:
    """Notify the recipients in the Variables that a task waits for a change that a user can make."""
    ti = context["ti"]
    if settings(MessageSettings).anybody:
        what, ids = f"{ti.dag_id}.{ti.task_id}", (ti.dag_id, ti.run_id, ti.task_id, "pause")
        _leave(Alert(_now(), what, text, anchor_of(ti.task_id, text), ti.run_id, "", ti.log_url, ids))
    report_finding(context, text, {"dag_id": ti.dag_id, "fault": "pause"})


def report_finding(context: Context, text: str, tags: Mapping[str, str]) -> None:
    """Send an event about a finding of a task to Sentry, if the Variable `sentry_dsn` is set.

    Args:
        context: the task's context.
        text: the finding.
        tags: the kind of finding. Findings with the same tags form one Sentry issue.
    """
    alerts = settings(AlertSettings)
    if alerts.sentry_dsn:
        event = {"level": "warning", "message": text, "tags": dict(tags)}
        _send_of_task(alerts, context, event, None, [*tags.values()])


def _send_of_task(
    alerts: AlertSettings, context: Context, event: Any, exception: BaseException | None, fingerprint: Sequence[str]
) -> None:
    ti = context["ti"]
    event["tags"] = {**_tags(context), **event.get("tags", {})}
    _send(alerts, event, exception, [*fingerprint, ti.dag_id, ti.task_id], ti.log_url)


def _send(
    alerts: AlertSettings, event: Any, exception: BaseException | None, fingerprint: Sequence[str], link: str
) -> None:
    from sentry_sdk import Client
    from sentry_sdk.utils import BadDsn, event_from_exception

    try:
        client = Client(
            dsn=alerts.sentry_dsn,
            environment=alerts.sentry_environment or alerts.environment or None,
            release=f"stellar-etl@{VERSION}",
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            before_send=_redacted,
        )
    except BadDsn:
        raise SettingsError(
            "Airflow Variable 'sentry_dsn' is not a DSN, such as https://KEY@HOST/PROJECT; the failure was not reported"
        ) from None
    tags: dict[str, str] = event["tags"]
    hint: dict[str, Any] = {}
    if exception is not None:
        event, hint = event_from_exception(exception, client_options=client.options)
    event["tags"] = {name: value[:_TAG_LENGTH] for name, value in tags.items()}
    event["fingerprint"] = list(fingerprint)
    event["extra"] = {"log": link}
    client.capture_event(event, hint)
    client.close(timeout=SEND_SECONDS)
