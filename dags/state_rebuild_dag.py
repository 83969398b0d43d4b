"""
# Rebuild versions of ledger entries

Rebuilds each `<table>_versions` from its change log: from the whole log, or, if there is a full load, from the full
load and later changes. It reads nothing else, so it also repairs versions that a user changed by hand. Versions that
ended before a full load are kept. Meanwhile the views read the change log and are correct.

**Who runs it**: a user, if versions are wrong or lost: `airflow dags trigger state_rebuild`, with the param `table` for
one type (`accounts`, `trustlines`, …). It reads the whole change log, and until it is done, each query of the views
does
too. Loads of the same table wait.

**When it fails**: clear the task. It plans again; the views are correct.
"""

from __future__ import annotations

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG, Param

from stellar_etl_airflow.model.coverage import TABLE_PARAM
from stellar_etl_airflow.model.tables import STATES
from stellar_etl_airflow.operators.defaults import get_default_dag_args
from stellar_etl_airflow.tasks.build_state_rebuild_task import build_state_rebuild_task

with DAG(
    "state_rebuild",
    description="Rebuilds versions of ledger entries from their changes",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    params={
        TABLE_PARAM: Param(
            None,
            type=["null", "string"],
            enum=[None, *STATES],
            description="the type to rebuild; null rebuilds all",
        )
    },
    tags=["state"],
) as dag:
    for table in STATES.values():
        build_state_rebuild_task(table)
