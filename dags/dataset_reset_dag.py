"""
# What was loaded, removed

Removes, by the param `what`: `range`, the rows of the ledgers `start_ledger` to `end_ledger`; `table`, one type's table
as a whole (`data_type`), with its point-in-time table and what belongs to it; `dataset`, all of the project's tables
and the dataset's network label, so that a test network can be loaded anew after its reset. A range is removed from one
table (`data_type`) or from all. Point-in-time tables are made anew from the changes that are left. Both targets are
concerned; tables of other names are never touched.

**Who runs it**: a person, for instance `airflow dags trigger dataset_reset --conf '{"what": "range", "start_ledger":
100, "end_ledger": 200}'`. It is a dry run unless `dry_run` is false: `plan` counts the rows, and its log says them.
Otherwise `approve` waits, each try for a week, until somebody answers it under *Required Actions* in the UI; nothing is
removed before. Pause the DAGs that load the tables first: what they load meanwhile is not removed. Then load the range
again, by clearing runs or by a run of its own; of `history_assets` a removed row comes back with the ledger it was
first seen in.

**When it fails**: clear the failed task; what is gone already is no error. `plan`: its message says which params don't
fit together. Nothing was removed if `approve` did not succeed.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from stellar_etl_airflow.model.reset import WHAT
from stellar_etl_airflow.model.tables import PUBLISHED
from stellar_etl_airflow.operators.defaults import get_default_dag_args
from stellar_etl_airflow.tasks.build_dataset_reset_task import (
    DRY_RUN_PARAM,
    build_approve_reset_task,
    build_forget_network_task,
    build_plan_reset_task,
    build_remove_task,
)

with DAG(
    "dataset_reset",
    description="Removes ledgers, a table, or everything, once a person approves",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    max_active_runs=1,
    params={
        "what": Param(type="string", enum=list(WHAT), description="ledgers, one table, or all tables"),
        "data_type": Param(
            None, type=["null", "string"], enum=[None, *PUBLISHED], description="the type to remove; none for all"
        ),
        "start_ledger": Param(None, type=["null", "integer"], minimum=1, description="of a range, the first ledger"),
        "end_ledger": Param(None, type=["null", "integer"], minimum=1, description="of a range, the last ledger"),
        DRY_RUN_PARAM: Param(True, type="boolean", description="only count what would be removed"),
    },
    tags=["maintenance"],
) as dag:
    removals = [build_remove_task(table) for table in PUBLISHED.values()]
    chain(build_plan_reset_task(), build_approve_reset_task(), removals, build_forget_network_task())
