"""Alerts on the real stack: one message per channel for many failures, and a report for a late run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg2
import pytest

from local.stack import Stack, StackError
from local.stack.environment import database_url
from tests.dags.receivers import connections_of, mail_server, slack_server
from tests.end_to_end.conftest import Sample
from tests.end_to_end.test_export_modes import set_variable
from tests.end_to_end.test_sample_network import trigger, wait_for
from tests.waiting import wait_until

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

ALERTS = "alerts"
LEDGERS = "history_archive_without_captive_core"
DAGS = (LEDGERS, "history_archive_with_captive_core", "state_table_export")
RUNS = 4
CONFIGURED = {"slack_connection": "slack", "alert_email_to": "on-call@example.org", "email_connection": "mail"}
EMPTY = {"slack_connection": "", "alert_email_to": "", "email_connection": "smtp_default", "alert_window": "900"}


@pytest.fixture
def receivers(sample: Sample) -> Iterator[tuple[list[Any], list[Any]]]:
    """Slack's messages and the mails; the test triggers the DAG `alerts`."""
    stack = sample.stack
    with slack_server() as slack, mail_server() as mail:
        stack.rest("PATCH", f"dags/{ALERTS}", {"is_paused": True})
        for name, connection in connections_of(slack, mail).items():
            extra = json.dumps(connection.pop("extra", {}))
            stack.rest("POST", "connections", {"connection_id": name, **connection, "extra": extra})
        for key, value in CONFIGURED.items():
            set_variable(stack, key, value)
        yield slack.messages, mail.mails
        for key, value in EMPTY.items():
            set_variable(stack, key, value)
        for name in ("slack", "mail"):
            stack.rest("DELETE", f"connections/{name}")
        for key in (*waiting(stack), "alerts_told"):
            with suppress(StackError):
                stack.rest("DELETE", f"variables/{key}")
        stack.rest("PATCH", f"dags/{ALERTS}", {"is_paused": False})


def waiting(stack: Stack) -> list[str]:
    """Return the Variables with unsent alerts."""
    found = stack.rest("GET", "variables?limit=200&variable_key_pattern=alert.%25")["variables"]
    return [one["key"] for one in found if one["key"].startswith("alert.")]


def send_alerts(stack: Stack, run_id: str) -> dict[str, str]:
    """Run the DAG `alerts`; return the states of its tasks."""
    trigger(stack, ALERTS, run_id, {})
    stack.rest("PATCH", f"dags/{ALERTS}", {"is_paused": False})
    assert wait_for(stack, f"dags/{ALERTS}/dagRuns/{run_id}", "success", "failed") == "success"
    tasks = stack.rest("GET", f"dags/{ALERTS}/dagRuns/{run_id}/taskInstances")["task_instances"]
    return {task["task_id"]: task["state"] for task in tasks}


def test_failures_of_three_dags_send_one_message_per_channel(
    sample: Sample, receivers: tuple[list[Any], list[Any]]
) -> None:
    stack, (messages, mails) = sample.stack, receivers
    runs = [(dag_id, f"failed-{number}") for dag_id in DAGS for number in range(RUNS)]
    for dag_id, run_id in runs:
        stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})
        trigger(stack, dag_id, run_id, {"start_ledger": 5})  # half a range: no retry can fix it
    for dag_id, run_id in runs:
        assert wait_for(stack, f"dags/{dag_id}/dagRuns/{run_id}", "success", "failed") == "failed"
    wait_until(lambda: len(waiting(stack)) == len(runs), "an alert is missing", pause=0.5)
    send_alerts(stack, "burst")
    assert [message["text"].splitlines()[0] for _, _, message in messages] == [f"*{len(runs)} alerts*"]
    assert [mail["Subject"] for _, mail in mails] == [f"Stellar ETL: {len(runs)} alerts"]
    assert "this run has start_ledger" in messages[0][2]["text"]
    assert waiting(stack) == []

    trigger(stack, LEDGERS, "failed-later", {"start_ledger": 5})
    assert wait_for(stack, f"dags/{LEDGERS}/dagRuns/failed-later", "success", "failed") == "failed"
    wait_until(lambda: len(waiting(stack)) == 1, "no alert came", pause=0.5)
    assert send_alerts(stack, "held-back")["gather"] == "skipped"
    assert len(messages) == len(mails) == 1
    for dag_id, run_id in [*runs, (LEDGERS, "failed-later")]:
        stack.rest("DELETE", f"dags/{dag_id}/dagRuns/{run_id}")


def make_late(stack: Stack, run_id: str) -> None:
    """Move a run's deadline to now."""
    url = database_url(stack.layout, stack.state().ports).replace("+psycopg2", "")
    with closing(psycopg2.connect(url)) as database, database, database.cursor() as cursor:
        cursor.execute(
            "UPDATE deadline SET deadline_time = now() FROM dag_run "
            "WHERE deadline.dagrun_id = dag_run.id AND dag_run.run_id = %s",
            (run_id,),
        )
        assert cursor.rowcount == 1, "the run has one deadline"


def test_a_run_that_misses_its_deadline_is_reported_once(
    sample: Sample, receivers: tuple[list[Any], list[Any]]
) -> None:
    stack, (messages, mails) = sample.stack, receivers
    stack.rest("PATCH", f"dags/{LEDGERS}", {"is_paused": False})
    beyond = {"start_ledger": 390, "end_ledger": 9000}  # beyond the network head: the run waits
    trigger(stack, LEDGERS, "late", beyond, logical_date="2026-01-01T00:11:00Z")
    wait_for(stack, f"dags/{LEDGERS}/dagRuns/late", "running")
    make_late(stack, "late")
    wait_until(lambda: len(waiting(stack)) == 1, "no alert came", pause=0.5)
    assert send_alerts(stack, "deadline")["forget"] == "success"
    assert len(messages) == len(mails) == 1
    text = messages[0][2]["text"]
    assert f"{LEDGERS} missed its deadline" in text
    assert "docs/runbook.md#deadline-missed" in text
    assert f"{stack.ui}/dags/{LEDGERS}/runs/late" in text
    stack.rest("PATCH", f"dags/{LEDGERS}/dagRuns/late", {"state": "success"})  # Airflow cannot delete a running run
    stack.rest("DELETE", f"dags/{LEDGERS}/dagRuns/late")
