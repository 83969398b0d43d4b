"""One DAG per derived table of the registry (`stellar_etl_airflow.model.tables`)."""

from __future__ import annotations

from datetime import timedelta

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG, Param

from stellar_etl_airflow.model.tables import DERIVED
from stellar_etl_airflow.operators.defaults import get_default_dag_args, get_range_params, get_schedule_args
from stellar_etl_airflow.tasks.build_bq_insert_job_task import PENDING_PARAM
from stellar_etl_airflow.tasks.build_derived import build_derived, derived_doc

dags = {}
for table in DERIVED.values():
    assert table.derivation is not None
    with DAG(
        table.dag_id,
        description=table.derivation.title,
        doc_md=derived_doc(table),
        default_args=get_default_dag_args(),
        params={
            **get_range_params(),
            PENDING_PARAM: Param(False, type="boolean", description="skip a range that is not pending"),
        },
        tags=["derived"],
        dagrun_timeout=timedelta(days=2),  # the run waits for the runs of the sources
        **{**get_schedule_args(), "catchup": False, "max_active_runs": 1},
    ) as dag:
        build_derived(table)
    dags[dag.dag_id] = dag
