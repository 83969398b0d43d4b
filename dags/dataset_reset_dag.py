"""
# Remove loaded ledgers

Removes what the param `what` selects:

- `range`: the rows of the ledgers `start_ledger` to `end_ledger`, of one table (`data_type`) or of all;
- `table`: one type's table (`data_type`), with its versions and views;
- `dataset`: all of the project's tables, except records of loads and checks, and the dataset's network label, so that
  you can load a test network again after its reset.

Afterwards, the point-in-time views show the result of the remaining changes. The DAG removes from both targets, and
only from tables of this project.

**Who runs it**: a user, for instance `airflow dags trigger dataset_reset --conf '{"what": "range", "start_ledger": 100,
"end_ledger": 200}'`. It is a dry run unless `dry_run` is false: `plan` logs the number of rows. Otherwise `approve`
waits for a user's approval under *Required Actions* in the UI, each try for a week. Nothing is removed before. First
pause the DAGs that load the tables, because rows that they load in the meantime are not removed. To load the range
again, clear runs or trigger a run. A removed row of `history_assets` returns with the ledger in which the asset was
first seen.

**When it fails**: clear the failed task; it continues where it stopped. `plan`: the message says which params are
wrong. If `approve` did not succeed, nothing was removed.
"""

from __future__ import annotations

# The DAG processor imports these once, before it starts a process for this file; see docs/extending.md.
import airflow.providers.google.cloud.operators.bigquery  # noqa: F401
from airflow.sdk import DAG, Param, chain

from stellar_etl_airflow.model.reset import WHAT
from stellar_etl_airflow.model.tables import PUBLISHED
from stellar_etl_airflow.operators.defaults import get_default_dag_args, get_ledger_param
from stellar_etl_airflow.tasks.build_dataset_reset_task import (
    DRY_RUN_PARAM,
    build_approve_reset_task,
    build_forget_network_task,
    build_plan_reset_task,
    build_remove_task,
)

with DAG(
    "dataset_reset",
    description="Removes ledgers, a table, or all tables, after a user's approval",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    schedule=None,
    max_active_runs=1,
    params={
        "what": Param(type="string", enum=list(WHAT), description="ledgers, one table, or all tables"),
        "data_type": Param(
            None, type=["null", "string"], enum=[None, *PUBLISHED], description="the type to remove; null removes all"
        ),
        "start_ledger": get_ledger_param("the first ledger of a range"),
        "end_ledger": get_ledger_param("the last ledger of a range"),
        DRY_RUN_PARAM: Param(True, type="boolean", description="only count what would be removed"),
    },
    tags=["maintenance"],
) as dag:
    removals = [build_remove_task(table) for table in PUBLISHED.values()]
    chain(build_plan_reset_task(), build_approve_reset_task(), removals, build_forget_network_task())
