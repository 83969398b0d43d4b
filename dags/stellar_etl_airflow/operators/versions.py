"""Tasks that change versions of ledger entries, by plans that are made once per try."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.versions import Versions, ensure_versions, versions_of
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.coverage import TABLE_PARAM
from stellar_etl_airflow.model.lineage import Lineage
from stellar_etl_airflow.model.versions import Plan
from stellar_etl_airflow.operators.bigquery_jobs import TableJobsOperator
from stellar_etl_airflow.sql.statement import Parameter
from stellar_etl_airflow.sql.versions import Change, Step

PLANS_KEY = "plans"
"""The XCom key of a try's plans, which are used again after a deferral."""


class VersionsOperator(TableJobsOperator):
    """Carries out plans for the versions of a table in each target, including labels and views between the jobs."""

    def plans(self, context: Context, versions: Versions) -> Iterator[Plan]:
        """Yield the plans for one target. Each starts from the mark after the one before."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        """Wait for jobs that write the change log, then plan and run."""
        for versions in versions_of(self.warehouse, self.table):
            versions.wait_for_changes()
        return super().execute(context)

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create missing tables, and plan.

        Raises:
            AirflowSkipException: the run is for another table.
        """
        requested = (context.get("params") or {}).get(TABLE_PARAM)
        if requested not in (None, self.table.data_type):
            raise AirflowSkipException(f"the run is for {requested}")
        warehouse.ensure_published(self.table)
        ensure_versions(warehouse, self.table)
        plans = {
            versions.target.label: [plan.to_json() for plan in self.plans(context, versions)]
            for versions in versions_of(warehouse, self.table)
        }
        self.check_planned(any(plans.values()))
        context["ti"].xcom_push(PLANS_KEY, plans)

    def check_planned(self, anything: bool) -> None:
        """Check the plans before they are carried out; nothing by default.

        Args:
            anything: whether there is a plan.
        """

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return a job per statement of the plans; `before` does the steps between them."""
        ti = context["ti"]
        planned = ti.xcom_pull(task_ids=ti.task_id, key=PLANS_KEY)
        limit, jobs = warehouse.config.maximum_bytes_billed, list[Job]()
        self.between: list[list[tuple[Versions, Step]]] = [[]]
        for versions in versions_of(warehouse, self.table):
            for plan in map(Plan.from_json, planned[versions.target.label]):
                # Never reuse a job of an earlier plan, which lacks ledgers that were published since.
                at = Parameter("planned_at", "STRING", plan.at.isoformat())
                for step in versions.steps(plan):
                    if isinstance(step, Change):
                        statement = replace(step.statement, parameters=(*step.statement.parameters, at))
                        jobs.append(query_job(f"{step.name}_{versions.target.label}", statement, limit))
                        self.between.append([])
                    else:
                        self.between[-1].append((versions, step))
        return jobs

    def before(self, context: Context, warehouse: Warehouse, number: int) -> None:
        """Write the labels and views that precede a job."""
        for versions, step in self.between[number]:
            versions.do(step)

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> Any:
        """Write the labels and views that follow the last job, and return the jobs' result."""
        self.before(context, warehouse, len(jobs))
        return super().done(context, warehouse, jobs)

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the change log and the stored full load of each target, and the versions."""
        targets = warehouse.config.targets
        logs = [warehouse.published_dataset(self.table, target) for target in targets]
        bases = [warehouse.base_dataset(self.table, one) for one in targets if warehouse.base_ledger(self.table, one)]
        return Lineage(logs + bases, [warehouse.versions_dataset(self.table, target) for target in targets])
