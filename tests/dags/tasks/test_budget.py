"""The daily budget: the cost so far, the estimate of a run, and the handling of a run that exceeds it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import google.cloud.bigquery as bq
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException

from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.costs import TIB
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import ASSETS
from stellar_etl_airflow.operators import budget
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator, warehouse_for
from stellar_etl_airflow.operators.budget import wait_for_budget
from stellar_etl_airflow.operators.runtime import settings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from stellar_etl_airflow.sql.batch_stats import stats_row, upsert_stats
from stellar_etl_airflow.sql.statement import Statement, range_parameters
from tests.dags.sql.statements import MADE

STATS = "history_archives_dag_runs"


@pytest.fixture
def messages(monkeypatch):
    texts: list[str] = []
    monkeypatch.setattr(budget, "report_pause", lambda context, text: texts.append(text))
    return texts


@pytest.fixture
def loads(client, warehouse_environment, make_context):
    """Record loads: each has a DAG, a range, two tables whose pods cost the same, and a number of days ago.

    Queries are free here, because other tests' queries are billed to the same dataset.
    """
    warehouse_environment(price_per_tib=0)

    def loads(*noted):
        warehouse = Warehouse(client, settings(WarehouseSettings))
        warehouse.ensure_batch_stats()
        now = datetime.now(UTC)
        rows = [
            stats_row(
                LedgerRange(start, end),
                {
                    "table_id": table,
                    "dag_id": dag,
                    "published_at": (now - timedelta(days=days)).isoformat(),
                    "estimated_cost": "0",
                    "pod_cost": str(cost / 2),
                    "storage_cost": str(cost / 2),
                },
            )
            for dag, start, end, cost, days in noted
            for table in ("one", "other")
        ]
        warehouse.query(upsert_stats(warehouse.name(STATS), rows))

    return loads


def test_without_a_budget_no_cost_is_read(warehouse_environment, make_context):
    warehouse_environment(bq_dataset="not_there")
    wait_for_budget(make_context("export"), LedgerRange(1, 10), warehouse_for)


def test_before_the_first_load_the_cost_is_zero(warehouse_environment, client, make_context):
    warehouse_environment(daily_budget=0.01)
    wait_for_budget(make_context("export"), LedgerRange(1, 10), warehouse_for)


def test_daily_budget_delays_an_export_that_would_exceed_it_until_the_next_day(
    loads, messages, warehouse_environment, make_context
):
    # Two DAGs spent 6 today. A ledger of this DAG costs 0.4, one of the other DAG 0.02.
    loads(("a_dag", 1, 10, 2, 0), ("another", 1, 100, 1, 0), ("a_dag", 11, 20, 2, 3), ("a_dag", 21, 30, 50, 30))
    warehouse_environment(daily_budget=8)
    wait_for_budget(make_context("export"), LedgerRange(31, 35), warehouse_for)
    assert messages == []
    with pytest.raises(AirflowRescheduleException) as waits:
        wait_for_budget(make_context("export"), LedgerRange(31, 36), warehouse_for)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert waits.value.reschedule_date == datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=UTC)
    (text,) = messages
    assert "work on local.stellar pauses until tomorrow (UTC): 6.0000 were spent today" in text
    assert "costs about 2.4000" in text


def test_a_run_above_the_daily_budget_fails_with_advice(loads, messages, warehouse_environment, make_context):
    loads(("a_dag", 1, 10, 2, 0))
    warehouse_environment(daily_budget=8)
    with pytest.raises(AirflowFailException, match="about 40.0000.*smaller ranges"):
        wait_for_budget(make_context("export"), LedgerRange(11, 110), warehouse_for)


# Statements without a limit by batch ----------------------------------------------------------------------------------


class Reads(BigQueryJobsOperator):
    """Read a whole table."""

    builder = "build_batch_stats"

    def jobs(self, context, warehouse):
        stats, bounds = warehouse.name(STATS), range_parameters(1, 2, "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z")
        whole = Statement(f"SELECT table_id FROM {stats}", () if self.task_id == "whole" else bounds)
        return [query_job("reads", whole, 1 << 40)]


class Notes(Reads):
    """Read the same for bookkeeping."""

    waits_for_budget = False


@pytest.fixture
def run(make_context):
    def run(task):
        context = make_context(task.task_id)
        task.pre_execute(context)
        return task.execute(context)

    return run


def test_a_statement_over_all_partitions_is_estimated_before_it_runs(
    loads, messages, run, client, warehouse_environment
):
    """Two rows that cost 1 each are recorded today; a dry run returns the bytes that the statement would read."""
    loads(("a_dag", 1, 10, 1, 0))
    per_byte = TIB * 1.0
    size = client.query(f"SELECT * FROM stellar.{STATS}", bq.QueryJobConfig(dry_run=True)).total_bytes_processed
    assert size > 0
    warehouse_environment(daily_budget=1e12, price_per_tib=per_byte)
    run(Reads(task_id="whole", deferrable=False))
    billed = sum(
        job.total_bytes_billed or 0
        for job in client.list_jobs()
        if job.job_type == "query"
        and job.labels.get("stellar_dataset") == "local_stellar"
        and job.created >= budget._day_of(datetime.now(UTC))  # other tests may have run before midnight
    )
    warehouse_environment(daily_budget=billed + size)  # the cost of the two rows is above it
    before = len(list(client.list_jobs()))
    with pytest.raises(AirflowRescheduleException):
        run(Reads(task_id="whole", deferrable=False))
    assert not [job for job in list(client.list_jobs())[:-before] if "reads" in job.job_id]
    (text,) = messages
    assert f"this task costs about {size:.4f}" in text
    run(Reads(task_id="bounded", deferrable=False))
    run(Notes(task_id="whole", deferrable=False))
    warehouse_environment(daily_budget=size - 1)
    with pytest.raises(AirflowFailException, match="this task costs about .*let it read less, or increase"):
        run(Reads(task_id="whole", deferrable=False))


def test_merges_by_key_and_folds_are_estimated(warehouse_environment, client):
    """A merge by range is not estimated: the export's estimate includes it."""

    def bounded(function):
        return {query_job("x", made.statement, 1).is_bounded for made in MADE if made.function == function}

    assert bounded("fold") == bounded("check_rows") == bounded("compare_with_archive") == {False}
    assert bounded("check_staging") == bounded("newer_rows") == {True}
    of_assets = [made for made in MADE if made.function == "publish" and made.what.startswith(ASSETS.data_type)]
    assert not any(query_job("x", made.statement, 1).is_bounded for made in of_assets)
    others = [made for made in MADE if made.function == "publish" and made not in of_assets]
    assert others
    assert all(query_job("x", made.statement, 1).is_bounded for made in others)
