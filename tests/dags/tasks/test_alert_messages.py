"""Chat and email messages about failed tasks: one message covers all failures, and a pause follows."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from datetime import UTC, datetime, timedelta

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.sdk.execution_time import task_runner

from stellar_etl_airflow.model.digest import DEADLINE, RUNBOOK, Alert, Digest, anchor_of, first_line
from stellar_etl_airflow.operators.alerts import report_deadline
from stellar_etl_airflow.operators.defaults import get_default_dag_args
from stellar_etl_airflow.operators.runtime import TIME_TASK
from stellar_etl_airflow.tasks.build_alert_tasks import LAST_SENT
from tests.dags.receivers import connections_of, mail_server, slack_server
from tests.dags.task_process import START, Failing, Supervisor, run_task
from tests.shared import REPO

RUNBOOK_URL = "https://example.org/runbook.md"


@pytest.fixture
def slack():
    with slack_server() as server:
        yield server


@pytest.fixture
def mailbox():
    with mail_server() as server:
        yield server


@pytest.fixture
def configured(slack, mailbox, airflow_environment, monkeypatch):
    """Set up Slack and email on loopback with Variables and connections; yield a setter for single Variables."""
    warehouse = {"conn_type": "mysql", "password": "pass-of-the-connection"}
    connections = {**connections_of(slack, mailbox), "warehouse": warehouse}
    for name, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", None, raising=False)  # restored after the test
    airflow_environment(
        slack_connection="slack",
        alert_email_to="on-call@example.org, lead@example.org",
        email_connection="mail",
        runbook_url=RUNBOOK_URL,
    )
    return airflow_environment


@pytest.fixture
def variables():
    return {}


@pytest.fixture
def fail(configured, variables):
    """Let a task exhaust its retries; return its state."""

    def fail(error, dag_id="a_dag", task_id="merge", run_id="run", **changes):
        with DAG(dag_id, default_args=get_default_dag_args(), start_date=START):
            task = Failing(task_id=task_id, error=error)
        supervisor = Supervisor({TIME_TASK: {"start": 3, "end": 123}}, changes.pop("variables", variables))
        return run_task(task, supervisor, run_id=run_id, **changes)

    return fail


@pytest.fixture(scope="module")
def alerts_dag():
    bag = DagBag(str(REPO / "dags" / "alerts_dag.py"), load_op_links=False)
    assert bag.import_errors == {}
    return bag.dags["alerts"]


@pytest.fixture
def send_alerts(alerts_dag, variables):
    """Run the DAG `alerts` once, task by task with their trigger rules; return the states of the tasks that ran."""

    def send_alerts():
        supervisor, states = Supervisor(variables=variables), {}
        for name in ("gather", "slack", "email", "forget"):
            task = alerts_dag.get_task(name)
            enough = {"all_success": all, "one_success": any}[task.trigger_rule]
            if enough(states.get(one) == "success" for one in task.upstream_task_ids):
                states[name] = run_task(task, supervisor)
        return states

    return send_alerts


def pending(variables):
    return [key for key in variables if key.startswith("alert.")]


def body_of(mail):
    (part,) = [part for part in mail.walk() if part.get_content_type() == "text/html"]
    return part.get_payload(decode=True).decode()


def test_slack_and_email_receive_one_message_with_the_remedy(fail, send_alerts, slack, mailbox, variables):
    assert fail(AirflowException("boom\nSELECT * FROM rows"), tries_left=True) == "up_for_retry"
    assert send_alerts() == {"gather": "skipped"}, "a try before the last one leaves no alert"
    assert fail(AirflowException("boom\nSELECT * FROM rows"), task_id="export", run_id="manual__1") == "failed"
    assert send_alerts() == dict.fromkeys(("gather", "slack", "email", "forget"), "success")
    ((path, _, message),) = slack.messages
    assert path == "/services/T0/B0/webhook-token"
    ((recipients, mail),) = mailbox.mails
    assert [line.split(":")[1] for line in recipients] == ["<on-call@example.org>", "<lead@example.org>"]
    assert mail["Subject"] == "Stellar ETL: 1 alert"
    for text in (message["text"], body_of(mail)):
        for part in (
            "a_dag.export",
            "boom",
            "ledgers 3-122",
            "run manual__1",
            "/dags/a_dag/runs/manual__1/tasks/export",
        ):
            assert part in text
        assert f"{RUNBOOK_URL}#failed-export" in text
        assert "SELECT" not in text
    assert pending(variables) == []
    assert send_alerts() == {"gather": "skipped"}, "an alert is sent once"


def test_without_an_address_the_message_names_the_runbook(fail, send_alerts, slack, configured):
    configured(runbook_url="")
    fail(AirflowException("boom"))
    send_alerts()
    assert f"{RUNBOOK}#database-or-warehouse-down" in slack.messages[0][2]["text"]


def test_a_failure_that_a_retry_cannot_fix_leaves_an_alert_at_once(fail, variables):
    assert fail(AirflowFailException("2 rows twice"), task_id="check", tries_left=True) == "failed"
    (alert,) = (Alert.from_json(variables[key]) for key in pending(variables))
    assert (alert.text, alert.anchor) == ("2 rows twice", "failed-check")


def test_a_channel_is_notified_through_slacks_api(fail, send_alerts, slack, configured, monkeypatch):
    connection = {"conn_type": "slack", "password": "xoxb-token", "extra": {"base_url": f"{slack.url}/api/"}}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK", json.dumps(connection))
    configured(slack_channel="#etl", alert_email_to="")
    fail(AirflowException("boom"))
    assert send_alerts()["email"] == "skipped"
    ((path, authorization, message),) = slack.messages
    assert (path, authorization, message["channel"]) == ("/api/chat.postMessage", "Bearer xoxb-token", "#etl")


def _fails_in_its_process(fail, variables, number):
    error = AirflowException("BigQuery does not answer")
    fail(error, dag_id=f"dag_{number % 3}", task_id=f"t{number % 4}", run_id=f"run-{number}", variables=variables)


def test_forty_failures_in_forty_processes_send_one_message_per_channel(
    fail, send_alerts, slack, mailbox, variables, configured
):
    fork = multiprocessing.get_context("fork")
    with fork.Manager() as manager:
        shared = manager.dict()
        processes = [fork.Process(target=_fails_in_its_process, args=(fail, shared, number)) for number in range(40)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
            assert process.exitcode == 0
        variables.update(shared.copy())
    assert len(pending(variables)) == 40
    send_alerts()
    assert [message["text"].splitlines()[0] for _, _, message in slack.messages] == ["*40 alerts*"]
    assert [mail["Subject"] for _, mail in mailbox.mails] == ["Stellar ETL: 40 alerts"]
    assert "and 2 other tasks: " in slack.messages[0][2]["text"]

    for number in range(5):  # within the pause
        fail(AirflowException("boom"), run_id=f"later-{number}")
        assert send_alerts() == {"gather": "skipped"}
    assert len(slack.messages) == 1

    last_sent = datetime.now(UTC) - timedelta(seconds=1)
    variables[LAST_SENT] = last_sent.isoformat()
    fail(AirflowException("boom"), run_id="last")
    configured(alert_window=1)
    unsent = {key: Alert.from_json(variables[key]) for key in pending(variables)}
    for key, alert in unsent.items():
        at = last_sent if alert.run_id != "last" else last_sent + timedelta(seconds=1)
        variables[key] = Alert(**{**vars(alert), "at": at.isoformat()}).to_json()
    send_alerts()
    assert (
        slack.messages[1][2]["text"].splitlines()[0]
        == f"*6 alerts, 5 of them held back since {last_sent:%Y-%m-%d %H:%M} UTC*"
    )
    assert len(mailbox.mails) == 2
    assert pending(variables) == []


@pytest.mark.parametrize("last_sent", ["2999-01-01T00:00:00+00:00", "tomorrow", "", "2026-01-01T00:00:00"])
def test_an_invalid_time_of_the_last_message_does_not_block_messages(fail, send_alerts, slack, variables, last_sent):
    variables[LAST_SENT] = last_sent
    fail(AirflowException("boom"))
    assert send_alerts()["slack"] == "success"
    assert len(slack.messages) == 1


def test_a_sent_message_that_was_not_recorded_is_sent_again(fail, send_alerts, slack, variables, monkeypatch):
    """The process that should record it was killed. Messages are sent at least once."""
    fail(AirflowException("boom"))
    left = dict(variables)
    send_alerts()
    variables.clear()
    variables.update(left)
    send_alerts()
    assert len(slack.messages) == 2


@pytest.mark.parametrize("trouble", ["refuses", "hangs"])
def test_a_failing_channel_does_not_block_the_other(
    fail, send_alerts, slack, mailbox, variables, alerts_dag, trouble, monkeypatch
):
    slack.status, slack.hangs = (500, False) if trouble == "refuses" else (200, True)
    monkeypatch.setattr(alerts_dag.get_task("slack"), "execution_timeout", timedelta(seconds=1))
    assert fail(AirflowException("boom")) == "failed"
    states = send_alerts()
    assert (states["slack"], states["email"], states["forget"]) == ("failed", "success", "success")
    assert len(mailbox.mails) == 1
    assert pending(variables) == [], "a failed notification leaves no alert of its own"


def test_alerts_wait_if_no_channel_could_send_them(fail, send_alerts, slack, mailbox, variables, configured):
    configured(alert_email_to="")
    slack.status = 500
    fail(AirflowException("boom"))
    assert "forget" not in send_alerts()
    assert len(pending(variables)) == 1
    slack.status = 200
    assert send_alerts()["forget"] == "success"
    assert pending(variables) == []


def test_no_secret_and_no_template_reaches_a_message(fail, send_alerts, slack, mailbox, variables):
    fail(AirflowException)  # its text repeats a connection's password
    fail(AirflowException("{{ 7 * 6 }} {{ conn.slack.password }} <!channel> <b>"), run_id="2", task_id="export")
    assert "pass-of-the" not in json.dumps(variables)
    send_alerts()
    said = slack.messages[0][2]["text"]
    for text in (said, body_of(mailbox.mails[0][1])):
        assert "refused ***" in text
        assert "{{ 7 * 6 }}" in text
        assert "pass-of-the" not in text
        assert "webhook-token" not in text
        assert "<b> <" not in text
    assert "<!channel>" not in said


class Long(AirflowException):
    """An error with a secret at the position where the message is cut."""

    def __str__(self):
        return "x" * 280 + super().__str__()


def test_a_cut_error_contains_no_part_of_a_secret(fail, variables):
    fail(Long)
    assert "refused" in json.dumps(variables)
    assert "pass-of" not in json.dumps(variables)


def test_an_invalid_variable_of_one_channel_does_not_block_the_others(fail, variables, configured, send_alerts, slack):
    configured(sentry_dsn="not-a-dsn")
    assert fail(AirflowException("boom")) == "failed"
    assert len(pending(variables)) == 1
    configured(sentry_dsn="", alert_window="soon")
    assert fail(AirflowException("boom"), run_id="2") == "failed"
    assert send_alerts()["gather"] == "failed", "the message names the Variable"


def test_a_failure_that_is_reported_twice_is_one_alert(fail, variables):
    """The task's process reports it, and the DAG processor, which regards the process as killed."""
    for _ in range(2):
        fail(AirflowException("boom"))
    assert len(pending(variables)) == 1


@pytest.mark.parametrize(
    ("run", "sent"),
    [
        ({}, True),
        ({"state": "failed"}, True),
        ({"run_type": "backfill"}, False),
        ({"queued_at": "2026-01-01T02:21:00Z"}, False),
    ],
)
def test_a_missed_deadline_is_reported(configured, send_alerts, slack, variables, run, sent):
    task_runner.SUPERVISOR_COMMS = Supervisor(variables=variables)
    run = {
        "dag_id": "a_dag",
        "dag_run_id": "scheduled__2026-01-01T00:10:00+00:00",
        "state": "running",
        "run_type": "scheduled",
        "queued_at": "2026-01-01T00:20:00Z",
        **run,
    }
    for _ in range(2):
        asyncio.run(report_deadline({"dag_run": run, "deadline": {"deadline_time": "2026-01-01T02:20:00Z"}}))
    send_alerts()
    texts = [message["text"] for _, _, message in slack.messages]
    assert len(texts) == sent
    for text in texts:
        assert f"a_dag missed its deadline, 2026-01-01 02:20 UTC: its state is {run['state']}" in text
        assert f"{RUNBOOK_URL}#{DEADLINE}" in text
        assert "/dags/a_dag/runs/scheduled__2026-01-01T00%3A10%3A00%2B00%3A00" in text


def test_an_error_is_cut_after_its_first_line():
    assert first_line("\n  one \ntwo") == "one"
    assert first_line("") == ""
    assert len(first_line("x" * 1000)) == 300


@pytest.mark.parametrize(
    ("task_id", "error", "anchor"),
    [
        ("ledgers.check", "2 rows", "failed-check"),
        ("ledgers.load", "503", "database-or-warehouse-down"),
        ("ledgers.load", "Airflow Variable 'bq_project' is not set", "wrong-variable"),
        (
            "export",
            "waited 9 s for ledgers that have not closed, the limit of Airflow Variable",
            "table-behind-the-network",
        ),
    ],
)
def test_the_runbook_section_depends_on_the_error_first(task_id, error, anchor):
    assert anchor_of(task_id, error) == anchor


def test_alerts_of_one_task_are_grouped_and_the_first_one_is_shown():
    alerts = [
        Alert(
            f"2026-01-01T00:0{number}:00+00:00",
            "dag.task",
            f"error {number}",
            "a",
            "run",
            "",
            "http://x",
            (str(number),),
        )
        for number in (2, 1, 3)
    ]
    digest = Digest.of(alerts, None, 60, "")
    assert digest.subject == "3 alerts"
    assert "dag.task (the first of 3)" in digest.as_slack()
    assert "error 1" in digest.as_slack()
    assert "error 2" not in digest.as_slack()
