"""Runs that Airflow's scheduler creates for DAGs whose schedules change, in a separate database.

A program: reads a JSON list of histories, each a list of steps, and prints the runs of each history.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from airflow import settings
from airflow.api.common.trigger_dag import trigger_dag
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import import_all_models
from airflow.models.backfill import ReprocessBehavior, _create_backfill
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronDataIntervalTimetable
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.db import synchronize_log_template
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import select

from stellar_etl_airflow.model.ranges import parse_utc
from stellar_etl_airflow.operators.defaults import SCHEDULE, START_DATE, get_schedule_args

START = "2026-01-01T00:00:00Z"
BUNDLE = "dags-folder"


def read_file(dag_id: str, cron: str, **arguments: Any) -> None:
    """Let Airflow read a DAG file, as the DAG processor does."""
    os.environ |= {SCHEDULE: cron, START_DATE: START}
    with DAG(dag_id, **{**get_schedule_args(), "deadline": None, "max_active_runs": 10_000, **arguments}) as dag:
        EmptyOperator(task_id="a_task")
    dag.fileloc, dag.relative_fileloc = __file__, dag_id
    errors: dict[tuple[str, str], str] = {}
    with create_session() as session:
        update_dag_parsing_results_in_db(
            BUNDLE, None, [LazyDeserializedDAG.from_dag(dag)], errors, None, set(), session=session
        )
        assert not errors, errors
        session.get(DagModel, dag_id).is_paused = False


def schedule(dag_id: str, loops: int) -> None:
    """Let the scheduler loop: each time it creates the run that is due, if there is one."""
    runner = SchedulerJobRunner(job=Job())
    for _ in range(loops):
        with create_session() as session:
            due = DagModel.next_dagrun_create_after <= datetime.now(UTC)
            runner._create_dag_runs(
                session.scalars(select(DagModel).where(DagModel.dag_id == dag_id, due)).all(), session
            )


def take(dag_id: str, step: dict[str, Any]) -> None:
    match step:
        case {"cron": cron, "loops": loops}:
            read_file(dag_id, cron)
            schedule(dag_id, loops)
        case {"before": cron, "loops": loops}:  # earlier releases had such schedules
            read_file(
                dag_id,
                cron,
                schedule=CronDataIntervalTimetable(cron, timezone="UTC"),
                start_date=parse_utc("START", START),
            )
            schedule(dag_id, loops)
        case {"manual": logical_date}:
            trigger_dag(
                dag_id,
                triggered_by=DagRunTriggeredByType.CLI,
                logical_date=logical_date and datetime.fromisoformat(logical_date),
                replace_microseconds=False,
            )
        case {"from": start, "to": end}:
            _create_backfill(
                dag_id=dag_id,
                from_date=datetime.fromisoformat(start),
                to_date=datetime.fromisoformat(end),
                max_active_runs=1,
                reverse=False,
                triggering_user_name=None,
                dag_run_conf=None,
                reprocess_behavior=ReprocessBehavior.COMPLETED,
            )
        case _:
            raise ValueError(step)


def runs_of(dag_id: str) -> list[dict[str, str | None]]:
    with create_session() as session:
        return [
            {
                "type": str(run.run_type),
                "start": run.data_interval_start and run.data_interval_start.isoformat(),
                "end": run.data_interval_end and run.data_interval_end.isoformat(),
                "logical_date": run.logical_date and run.logical_date.isoformat(),
            }
            for run in session.scalars(select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id))
        ]


def main() -> None:
    import_all_models()
    Base.metadata.create_all(settings.engine)
    synchronize_log_template()
    with create_session() as session:
        session.add(DagBundleModel(name=BUNDLE))
    histories = json.load(sys.stdin)
    for number, steps in enumerate(histories):
        for step in steps:
            take(f"history_{number}", step)
    json.dump([runs_of(f"history_{number}") for number in range(len(histories))], sys.stdout)


if __name__ == "__main__":
    main()
