"""The tasks of a derived table's DAG."""

from __future__ import annotations

from textwrap import fill

from airflow.sdk import TaskGroup, chain

from stellar_etl_airflow.model.tables import DerivedKind, Table, sources_of
from stellar_etl_airflow.tasks.build_batch_stats import build_batch_stats
from stellar_etl_airflow.tasks.build_bq_insert_job_task import (
    build_bq_insert_job_task,
    build_check_sources_task,
    build_publish_derived_task,
)
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_cross_dependency_task import build_cross_dependency_task
from stellar_etl_airflow.tasks.build_delete_data_task import build_delete_staging_task
from stellar_etl_airflow.tasks.build_trigger_tasks import build_trigger_tasks

_KINDS = {
    DerivedKind.RANGE: "The run replaces the rows of these ledgers by one statement.",
    DerivedKind.BUCKET: "The run derives all rows of the UTC days in which these ledgers closed, from all loaded "
    "ledgers of these days, and replaces them by one statement.",
    DerivedKind.ENTRY: "The run replaces the rows of these ledgers, and corrects the later rows of their entries, by "
    "one statement. The state of an entry before the ledgers comes from the views `<table>_history` of the sources.",
}


def derived_doc(table: Table) -> str:
    """Return the documentation of a derived table's DAG."""
    assert table.derivation is not None
    sources = ", ".join(f"`{source.table_id}`" for source in sources_of(table).values())
    return f"""\
# {table.derivation.title}

Derives `{table.table_id}` from {sources}.

{fill(table.derivation.definition, 120)}

A ledger is pending if all sources have published it, and one of them did so after the table was last derived from it.
The batch stats record every publication: scheduled or late runs, backfills and repairs. A run derives one pending
range:
one in its own data interval, or else the oldest. It starts a run for each other range.
{_KINDS[table.derivation.kind]} The rows are staged and checked first, and the batch stats record the range.

**Who runs it**: the schedule, every ten minutes, after the DAGs of the sources; or a user, with the params
`start_time` and `end_time`, or `start_ledger` and `end_ledger`, to derive a loaded range again. Any run can be
repeated.

**When it fails**: open the first failed task.

- `wait_for_…`: the other DAG's run failed. Fix it there. The ledgers stay pending, and a later run derives them.
- `check_sources`: the message says which rows of the sources are missing. Load them, then clear the task.
- `check`: the published table is unchanged. The message says which rows are wrong and where they are kept.
- `load`, `merge` or `batch_stats`: clear the task. It finds a job that is still running and waits for it.
"""


def build_derived(table: Table) -> None:
    """Add the tasks to the surrounding DAG: wait for the sources, find pending ledgers, derive, check, publish, record.

    Args:
        table: a derived table.
    """
    waits = [
        build_cross_dependency_task(dag_id) for dag_id in sorted({one.dag_id for one in sources_of(table).values()})
    ]
    sources, stats = build_check_sources_task(table), build_batch_stats([table])
    delete_staging = build_delete_staging_task([table])
    with TaskGroup(table.data_type):
        load = build_bq_insert_job_task(table)
        check = build_check_task(table)
        merge = build_publish_derived_task(table)
    chain(waits, sources, load, check, merge, [stats, delete_staging])
    chain(stats, delete_staging)
    build_trigger_tasks("derive_pending", sources, "again", wait=False)
