"""
# Point-in-time tables, recomputed

Makes each `<table>_state` again, by one statement: of every entry the newest change in the table of changes, on top of
the full load if there was one. Nothing else is read, so that a state that somebody changed by hand is right again.

**Who runs it**: a person, when a point-in-time table is wrong or was lost: `airflow dags trigger state_rebuild`, with
the param `table` for one type alone (`accounts`, `trustlines`, …). It reads the whole table of changes, which costs
what that is large; loads of the same table wait until it is done.

**When it fails**: clear the task. The table is as it was; a job that is still running is found and waited for.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from stellar_etl_airflow.model.coverage import TABLE_PARAM
from stellar_etl_airflow.model.tables import STATES
from stellar_etl_airflow.operators.defaults import get_default_dag_args
from stellar_etl_airflow.tasks.build_state_rebuild_task import build_state_rebuild_task

with DAG(
    "state_rebuild",
    description="Recomputes point-in-time tables from their changes",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    params={
        TABLE_PARAM: Param(
            None,
            type=["null", "string"],
            enum=[None, *STATES],
            description="the type to rebuild; none for all of them",
        )
    },
    tags=["state"],
) as dag:
    for table in STATES.values():
        build_state_rebuild_task(table)
