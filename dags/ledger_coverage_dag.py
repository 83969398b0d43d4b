"""
# Check loaded history

Looks for what is missing or wrong in all tables: ledgers that are missing or don't name the hash of the one before;
transactions and operations that are more or fewer than the headers say; ledgers that were never loaded into a table, or
whose rows are not as many as were loaded; rows of another close time than their ledger's; duplicates; entries of
point-in-time tables that are behind their changes. And how far each table is behind the network, by its own lake. Each
finding is a row of `ledger_coverage`; the first 100 of a run are events in Sentry and in the message of `report`.

Events whose `event_index` is NULL cannot be checked for duplicates: rows of older releases, and of the Go image. Their
number is a row of `ledger_coverage` too (`unidentified`), which alerts nobody and loads nothing again.

The first scheduled run of a day, and each manual run without a range, also adds up the lumens of all entries at the
newest ledger that all tables have: of accounts, claimable balances, liquidity pools and contracts, with those that were
evicted. If the sum is not `total_coins - fee_pool` of the ledger's header, there is a finding `lumens` of `accounts`,
with the difference in stroops. It does not say which entries are wrong: load gaps first, then run `state_audit`. The
tables must have all entries, from the network's first ledgers or from a full load. Lumens that were evicted before a
full load are in no table: as many may be missing as the full load lacked.

And whether the DAGs that are not paused still make runs: no run has no failure, and no deadline. And whether the
bucket deletes exported files when the Variable `export_days` says.

It looks at all loads, as the batch stats have them, and at the rows of the last days that were loaded (Variable
`coverage_days`), of the private dataset and of the public one; or at the window that a run's params name. Rows are
compared with the last load of each ledger. A look reads keys, ledgers and close times of the window's partitions alone.

`summarize` writes the summary that the page *Ledger coverage* of Airflow's UI shows, after each check and whatever it
found; `summarize_repairs` writes it while ledgers are loaded again.

**Who runs it**: the schedule, every hour (`STELLAR_ETL_COVERAGE_SCHEDULE`); a person, with the params `start_time` and
`end_time`, or `start_ledger` and `end_ledger`. With the param `auto_heal`, or the Variable `coverage_auto_heal`,
exactly the ledgers that findings name are loaded or derived again; a DAG that is paused is waited for. What is made of
ledgers that were loaded again is pending for the DAGs of derived tables, whose next runs derive it.

**When it fails**: `report` fails on purpose: its message says what is wrong in which ledgers. Load them again, by
`auto_heal` or by runs of your own, then clear the run: it checks again. A lag: see whether the DAG that loads the table
is paused or failing, or the lake stands still. `check_schedules`: a DAG that is not paused has made no run for two
intervals; the message says which, and the runbook what to do. `check_retention`: set the bucket's lifecycle rule or
the Variable, as the message says. `load_again`, `rebuild_again`, `derive_again`: see the run that it started, and fix
what failed there. Then clear the task, which clears that run if it failed. A run that is not through after a day fails,
and the runs that it triggered continue; the next run checks again.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, chain

from stellar_etl_airflow.operators.defaults import (
    COVERAGE_SCHEDULE,
    END_DATE,
    get_default_dag_args,
    get_periods,
    get_range_params,
    get_schedule,
    get_schedule_args,
)
from stellar_etl_airflow.tasks.build_coverage_tasks import (
    HEAL_PARAM,
    build_look_task,
    build_newest_ledger_task,
    build_plan_healing_task,
    build_record_task,
    build_report_task,
    build_retention_task,
    build_schedules_task,
    get_heal_param,
)
from stellar_etl_airflow.tasks.build_summary_tasks import build_repairing_summary_task, build_summary_task
from stellar_etl_airflow.tasks.build_trigger_tasks import build_trigger_tasks

with DAG(
    "ledger_coverage",
    description="Finds missing and wrong ledgers in loaded history, and its lag",
    doc_md=__doc__,
    default_args=get_default_dag_args(),
    params={
        **get_range_params(),
        HEAL_PARAM: get_heal_param(),
    },
    tags=["maintenance"],
    # A task that waits for another DAG's run heeds no time-out of its own, and would keep the next looks from starting.
    dagrun_timeout=timedelta(days=1),
    **{
        **get_schedule_args(),
        "schedule": get_schedule(COVERAGE_SCHEDULE),
        "catchup": False,
        "max_active_runs": 1,
    },
) as dag:
    build_schedules_task(get_periods(), ends=bool(os.environ.get(END_DATE)))
    build_retention_task()
    look, plan = build_look_task(), build_plan_healing_task()
    record, repairing = build_record_task(), build_repairing_summary_task()
    chain(build_newest_ledger_task(), look, [record, build_report_task(), plan])
    chain([record, plan], repairing)
    loads = build_trigger_tasks("load_again", plan, "loads")
    rebuilds = build_trigger_tasks("rebuild_again", plan, "rebuilds", after=loads)
    derived = build_trigger_tasks("derive_again", plan, "derived", after=rebuilds)
    chain([repairing, derived], build_summary_task())
