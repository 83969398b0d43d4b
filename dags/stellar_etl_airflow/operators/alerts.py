"""Alerts about a task that exhausted its retries, and about a late run: Sentry at once, chat and email by a digest.

Sentry groups events by itself. Chat and email must not get 40 messages because the warehouse is down, and the 40
processes that fail share nothing but Airflow: so each leaves its alert in an Airflow Variable of its own, `alert.…`,
and the DAG `alerts`, with one run at a time, sends one message about all alerts. The reasons:

- No process needs a lock. The Task SDK sets Variables, but can't compare and set them: of 40 processes that check
  whether an alert was sent, several would find none. Here each process writes its own Variable, and one reader removes
  the sent ones. Alerts that could not be sent stay for the next run.
- Setting a Variable works wherever Airflow notices a failure: in the task's process, in the DAG processor, which gets
  lost workers, and in the triggerer, which gets missed deadlines. Triggering a DAG run with the lock as its id works
  only in the first one, and callbacks of a DAG run always run in the second one.
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
from airflow.sdk.log import redact  # type: ignore[attr-defined]  # it is what masks logs
from asgiref.sync import sync_to_async

from stellar_etl_airflow import VERSION
from stellar_etl_airflow.model.digest import DEADLINE, Alert, anchor_of, first_line
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.operators.runtime import SOURCES_TASK, ledgers_of, pull_result, settings
from stellar_etl_airflow.settings.alerts import AlertSettings, MessageSettings
from stellar_etl_airflow.settings.base import SettingsError

ALERT_PREFIX = "alert."
"""The prefix of Variables with one alert each, until it is sent."""

SEND_SECONDS = 5
"""How long a task that has failed waits for Sentry."""

_TAG_LENGTH = 200
"""Sentry drops longer tags (https://develop.sentry.dev/sdk/data-model/event-payloads/)."""


def _ledgers(context: Context) -> LedgerRange | None:
    """The run's ledgers, as far as a task found them before this one failed."""
    with suppress(Exception):  # whatever is missing, the alert goes out
        return ledgers_of(context)
    with suppress(Exception):
        found = pull_result(context, SOURCES_TASK)
        return LedgerRange(found["start_ledger"], found["end_ledger"])
    return None


def _spelt(ledgers: LedgerRange | None) -> str:
    return f"{ledgers.start}-{ledgers.end}" if ledgers else ""


def _tags(context: Context) -> dict[str, str]:
    ti, ledgers = context["ti"], _spelt(_ledgers(context))
    tags = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "try_number": str(ti.try_number)}
    return tags | {"ledger_range": ledgers} if ledgers else tags


def _redacted(event: Any, _hint: dict[str, Any]) -> Any:
    """The event without what Airflow knows as a secret: passwords of connections, Variables by a secret's name."""
    return redact(event, max_depth=20)


def _killed(context: Context) -> str:
    return f"{context['ti'].dag_id}.{context['ti'].task_id} failed: its process was killed"


def report_failure(context: Context) -> None:
    """Alert the recipients in the Variables about a failure; `on_failure_callback` of every task.

    Airflow calls it after a task's last try, and at once for a failure that no retry can fix; before a retry it calls
    `on_retry_callback`. If the worker was lost, the DAG processor calls it, without an exception. If only the task's
    process was killed, for instance out of memory, Airflow 3.3.1 calls nothing: the run's deadline reports it.

    Raises:
        SettingsError: a Variable is invalid. Airflow logs it, the task's state stays, and the recipients of the other
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
        ledgers=_spelt(_ledgers(context)),
        link=ti.log_url,
        ids=(ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index), str(ti.try_number)),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _leave(alert: Alert) -> None:
    """Leave an alert for the DAG `alerts`, without the secrets that this process knows.

    Only this process knows what to mask: the tasks that send it never had the connections that were used here.
    """
    masked = Alert(**cast("dict[str, Any]", redact(asdict(alert))))
    Variable.set(f"{ALERT_PREFIX}{alert.key}", masked.to_json(), "waits for the DAG alerts to send it")


async def report_deadline(context: Mapping[str, Any], **_: str) -> None:
    """Alert about a run that is not done by its deadline; Airflow's triggerer calls it, once per run.

    This includes a failed run that is not fixed yet: its task may have been killed without an alert. It excludes runs
    of a backfill, which are all created at once and then wait, and runs that were late when they began, as in a
    catch-up.

    Args:
        context: `dag_run` as the REST API shows it, and `deadline` with its `deadline_time`.
        _: the version of the DAGs, by which Airflow distinguishes deadlines.
    """
    await sync_to_async(_report_deadline)(context)


def _report_deadline(context: Mapping[str, Any]) -> None:
    run = context["dag_run"]
    deadline = datetime.fromisoformat(str(context["deadline"]["deadline_time"])).astimezone(UTC)
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    if run["run_type"] == "backfill" or deadline < datetime.fromisoformat(str(run["queued_at"])):
        return
    text = f"{dag_id} is not done by its deadline, {deadline:%Y-%m-%d %H:%M} UTC, but {run['state']}"
    link = f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{quote(dag_id)}/runs/{quote(run_id)}"
    try:
        if settings(MessageSettings).anybody:
            _leave(Alert(_now(), dag_id, text, DEADLINE, run_id, "", link, (DEADLINE, dag_id, run_id)))
    finally:
        if (sentry := settings(AlertSettings)).sentry_dsn:
            event = {"level": "warning", "message": text, "tags": {"dag_id": dag_id, "run_id": run_id}}
            _send(sentry, event, None, [DEADLINE, dag_id], link)


def report_failure_to_sentry(context: Context) -> None:
    """Send an event, if the Variable `sentry_dsn` names a Sentry project.

    The client is the event's own, without integrations: nothing of the process reaches the event but the exception and
    its stack, without the values of variables.

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
    """Notify the recipients in the Variables that a task waits for something that a user can change."""
    ti = context["ti"]
    if settings(MessageSettings).anybody:
        what, ids = f"{ti.dag_id}.{ti.task_id}", (ti.dag_id, ti.run_id, ti.task_id, "pause")
        _leave(Alert(_now(), what, text, anchor_of(ti.task_id, text), ti.run_id, "", ti.log_url, ids))
    report_finding(context, text, {"dag_id": ti.dag_id, "fault": "pause"})


def report_finding(context: Context, text: str, tags: Mapping[str, str]) -> None:
    """Send an event of something that a task found, if the Variable `sentry_dsn` names a Sentry project.

    Args:
        context: the task's context.
        text: what was found.
        tags: what kind it is; findings of one kind make one issue.
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
            "Airflow Variable 'sentry_dsn' is not a DSN, such as https://KEY@HOST/PROJECT; the failure is not reported"
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
