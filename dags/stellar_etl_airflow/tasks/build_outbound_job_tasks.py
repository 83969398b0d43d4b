"""The Dataflow job of an outbound export: start it once, and wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import BaseHook, BaseOperator, BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from googleapiclient.errors import HttpError

from stellar_etl_airflow.model.costs import cost_labels
from stellar_etl_airflow.model.outbound import Delivery
from stellar_etl_airflow.operators.dataflow_jobs import CANCELLED, INPUT_LABEL, DataflowJobs, JobState, input_label
from stellar_etl_airflow.operators.runtime import SettingsAtRunTime, pull_result, settings, task_labels
from stellar_etl_airflow.settings.outbound import Declaration, FilesSink, HttpSink, OutboundSettings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from stellar_etl_airflow.tasks.build_outbound_tasks import (
    FILES_TASK,
    START_TASK,
    WAIT_TASK,
    build_check_task,
    build_export_files_task,
    build_load_receipts_task,
    build_report_task,
    declaration_of,
    delivery_of,
    delivery_uri,
)

MOST_JOBS = 3
"""Maximum number of jobs that are started one after the other if they fail. Each sends the rest of those before."""

LOOK_SECONDS = 30
"""Seconds between two checks of a job."""
JOB_TIMEOUT = timedelta(days=1)
"""Timeout of a job, including its time in the queue of FlexRS."""

LOOPBACK = ("127.0.0.1", "localhost")


def receiver_url(connection_id: str) -> str:
    """Return the address in a connection.

    Raises:
        AirflowFailException: the connection has more than an address, or the address is not HTTPS.
    """
    connection = BaseHook.get_connection(connection_id)
    where = f"Airflow connection {connection_id!r}"
    if connection.login or connection.password or connection.extra_dejson:
        raise AirflowFailException(
            f"{where} must only have an address, because a job's description shows its parameters. Name the secret in "
            f"'sink.secret', and remove login, password and extra from the connection"
        )
    host = connection.host or ""
    scheme, _, rest = host.rpartition("://")
    port = f":{connection.port}" if connection.port else ""
    place, _, path = rest.partition("/")
    url = f"{scheme or connection.schema or 'https'}://{place}{port}{f'/{path}' if path else ''}"
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.query:
        raise AirflowFailException(f"{where}: its host must be an address, such as https://crm.example/v1/batches")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise AirflowFailException(f"{where} has {parts.scheme}://{parts.hostname}: only HTTPS is supported")
    return url


def parameters_of(sink: HttpSink, state: str, uri: str) -> dict[str, str]:
    """Return the options of the worker (see `python -m outbound --help`)."""
    return {
        "input": uri,
        "state": state,
        "url": receiver_url(sink.connection),
        "secret": sink.secret,
        "lanes": str(sink.lanes),
        "rate": str(sink.rate_per_second),
        "tries": str(sink.tries),
        "timeout": str(sink.timeout),
        "on_unknown": sink.on_unknown,
    }


def launch_parameter(
    name: str, parameters: Mapping[str, str], declaration: Declaration, shared: OutboundSettings, labels: dict[str, str]
) -> dict[str, Any]:
    """Return the `launchParameter` of a Flex Template.

    See https://cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.locations.flexTemplates/launch.
    """
    environment: dict[str, Any] = {"maxWorkers": declaration.engine.max_workers, "additionalUserLabels": labels}
    environment["sdkContainerImage"] = shared.outbound_image
    if declaration.engine.flexrs:
        environment["flexrsGoal"] = "FLEXRS_COST_OPTIMIZED"
    if shared.outbound_service_account:
        environment["serviceAccountEmail"] = shared.outbound_service_account
    return {
        "jobName": name,
        "containerSpecGcsPath": shared.outbound_template,
        "parameters": {**parameters, "job": name},
        "environment": environment,
    }


class OutboundJob(SettingsAtRunTime):
    """Base of the tasks of a job. They find the job by its name.

    The provider's operators start a second job on a retry. Its sensors never end for a cancelled job
    (https://github.com/apache/airflow/issues/37364) and fail on one response 503
    (https://github.com/apache/airflow/issues/57359).
    """

    builder = "build_outbound_job_tasks"

    def apply_settings(self, context: Context) -> None:
        """Find the delivery, and the project and region of its job.

        Raises:
            AirflowSkipException: the sink is files, which need no job.
        """
        self.delivery: Delivery = delivery_of(context)
        self.declaration = declaration_of(self.delivery)
        sink = self.declaration.sink
        if isinstance(sink, FilesSink):
            raise AirflowSkipException("the sink is files, which need no job")
        self.sink = sink
        self.dataflow = DataflowJobs(settings(WarehouseSettings).bq_project, self.declaration.engine.region)
        self.job: JobState | None = None

    def find_or_start(self, context: Context) -> JobState:
        """Return the job that sends the files of this run, after starting it if necessary."""
        uri = pull_result(context, FILES_TASK)["input"]
        parameters = parameters_of(self.sink, f"{delivery_uri(self.delivery)}/state", uri)
        labels = {
            **task_labels(context),
            **cost_labels(export=self.delivery.export),
            INPUT_LABEL: input_label(uri),
        }
        shared = settings(OutboundSettings)
        self.job = self.dataflow.find_or_start(
            self.delivery.job_base,
            uri,
            lambda name: launch_parameter(name, parameters, self.declaration, shared, labels),
        )
        return self.job

    def on_kill(self) -> None:
        """Cancel the job, or leave it running for the next try, as declared in `engine.on_kill`."""
        job: JobState | None = getattr(self, "job", None)
        if job is not None and self.declaration.engine.on_kill == "cancel":
            self.dataflow.cancel(job)


class StartJobOperator(OutboundJob, BaseOperator):
    """Starts the job, or finds the job of an earlier try. Result: its id and name."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Start or find the job. There is none if no batches are outstanding."""
        if not pull_result(context, FILES_TASK)["outstanding"]:
            self.log.info("no batches are outstanding: no job is started")
            return {"id": None, "name": None}
        job = self.find_or_start(context)
        return {"id": job.id, "name": job.name}


class WaitForJobSensor(OutboundJob, BaseSensorOperator):
    """Waits until the job has ended. If it failed, starts another job, which sends the rest."""

    def poke(self, context: Context) -> bool:
        """Check the job.

        Raises:
            AirflowException: jobs keep failing, or a user cancelled the job.
        """
        if pull_result(context, START_TASK)["id"] is None:
            return True
        try:
            return self._poll(context)
        except (HttpError, OSError) as error:
            if isinstance(error, HttpError) and error.resp.status < 500 and error.resp.status != 429:
                raise
            self.log.warning("Dataflow did not respond; trying again at the next check: %s", error)
            return False

    def _poll(self, context: Context) -> bool:
        jobs = self.dataflow.numbered(self.delivery.job_base)
        if not jobs:
            raise AirflowException(f"job {self.delivery.job_base}-1 does not exist: clear the task {START_TASK!r}")
        self.job = last = jobs[-1]
        self.log.info("job %s (%s): %s", last.name, last.id, last.state)
        if not last.has_ended:
            return False
        if last.has_succeeded:
            return True
        if last.state == CANCELLED:
            raise AirflowFailException(
                f"job {last.name} ({last.id}) was cancelled: clear the task {START_TASK!r} to send the rest"
            )
        if len(jobs) >= MOST_JOBS:
            raise AirflowFailException(
                f"{len(jobs)} jobs failed; the last one is {last.name} ({last.id}), see its log. Clear the task "
                f"{START_TASK!r} to send the rest"
            )
        self.find_or_start(context)
        return False


def build_delivery() -> list[BaseOperator]:
    """Return the tasks that write files, send them, and check and record the result, in order."""
    return [
        build_export_files_task(),
        build_start_task(),
        build_wait_task(),
        build_load_receipts_task(),
        build_check_task(),
        build_report_task(),
    ]


def build_start_task() -> StartJobOperator:
    """Return the task that starts the job."""
    return StartJobOperator(task_id=START_TASK)


def build_wait_task() -> WaitForJobSensor:
    """Return the task that waits for the job, without a worker slot."""
    return WaitForJobSensor(
        task_id=WAIT_TASK, mode="reschedule", poke_interval=LOOK_SECONDS, timeout=JOB_TIMEOUT.total_seconds()
    )
