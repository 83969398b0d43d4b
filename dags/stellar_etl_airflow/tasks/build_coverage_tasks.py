"""Coverage checks of loaded history: missing or wrong ledgers, the lag, and ledgers to reload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.sdk import BaseOperator, Context, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from google.api_core.exceptions import NotFound

from stellar_etl_airflow.bigquery.jobs import Job, query_job
from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.export.exports import network_arguments
from stellar_etl_airflow.export.retention import retention_problem
from stellar_etl_airflow.model.coverage import (
    AFTER_ALL,
    BEFORE_ALL,
    FIRST_LOADED,
    FOLD_DAG,
    LUMENS_TYPES,
    NO_FAULTS,
    REBUILD_DAG,
    TABLE_PARAM,
    Fault,
    Finding,
    Loads,
    NetworkHead,
    Window,
    healing,
    lag_of,
    whole,
)
from stellar_etl_airflow.model.lineage import Lineage, dataset_at
from stellar_etl_airflow.model.metrics import Measurement, of_coverage, of_loads
from stellar_etl_airflow.model.network import native_contract
from stellar_etl_airflow.model.ranges import LedgerRange, RangeError, TimeRange, has_range_params, requested_range
from stellar_etl_airflow.model.schedule import loaded_by_run, overdue
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, COVERAGE_TABLE_ID, LEDGERS, PUBLISHED, STATES
from stellar_etl_airflow.operators.alerts import report_finding
from stellar_etl_airflow.operators.bigquery_jobs import BigQueryJobsOperator, client_for
from stellar_etl_airflow.operators.metrics import send
from stellar_etl_airflow.operators.pods import LAKE_VARIABLE, XCOM_FILE, StellarPodOperator
from stellar_etl_airflow.operators.runtime import GOOGLE_CONNECTION, SettingsAtRunTime, pull_result, settings
from stellar_etl_airflow.settings.export import ExportSettings, NetworkSettings
from stellar_etl_airflow.settings.runs import CoverageSettings
from stellar_etl_airflow.settings.warehouse import Target, WarehouseSettings
from stellar_etl_airflow.sql.batch_stats import costs_by_table, loads_by_table
from stellar_etl_airflow.sql.coverage import (
    check_identity,
    check_loads,
    check_lumens,
    check_rows,
    check_versions,
    closed_between,
    dirty_since,
    headers_around,
    newest_loaded,
    record,
    times_around,
    window_parameters,
)
from stellar_etl_airflow.sql.versions import history_view_id, versions_table_id
from stellar_etl_airflow.tasks.build_trigger_tasks import PlannedRun, range_run, run_of, run_prefix

HEAD_TASK = "get_newest_ledger"
LOOK_TASK = "look"
HEALING_TASK = "plan_healing"
HEAL_PARAM = "auto_heal"


class NewestLedgerOperator(StellarPodOperator):
    """Reads the network's latest ledger from the lake. Result: `{"sequence": N, "closed_at": "…"}`.

    The Go image, which requires `manifest` `derived`, has no such command. With it, the result has the current time
    and no sequence.
    """

    builder = "build_coverage_tasks"

    def pod_arguments(self, context: Context) -> list[str]:
        """Return the command `get_newest_ledger`."""
        network = settings(NetworkSettings)
        self.lineage = Lineage([dataset_at(network.txmeta_datastore_path)])
        return ["get_newest_ledger", "--output", XCOM_FILE, *network_arguments(network)]

    def pod_environment(self, context: Context) -> dict[str, str]:
        """Return the variable with the lake of ledgers."""
        return {LAKE_VARIABLE: settings(NetworkSettings).txmeta_datastore_path}

    def execute(self, context: Context) -> Any:
        """Return the latest ledger."""
        if settings(ExportSettings).manifest == "derived":
            self.log.info("the image has no get_newest_ledger: using the current time as the latest close time")
            self.lineage = Lineage()
            return {"sequence": None, "closed_at": datetime.now(UTC).isoformat()}
        return super().execute(context)


class CoverageCheckOperator(BigQueryJobsOperator):
    """Check every table of every target.

    The check compares all loads in the batch stats, and the rows of the last loaded days (by the Variable) or of the
    range in the params. The result is `{"checked_at": "…", "looks": […], "findings": […]}`. `looks` refers to the query
    jobs whose results have the findings; `findings` has only lags and missing tables.
    """

    builder = "build_coverage_tasks"

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the table of batch stats, or add missing columns.

        Raises:
            AirflowFailException: no ledgers are loaded.
        """
        if not warehouse.holds(LEDGERS):
            raise AirflowFailException(f"{warehouse.published(LEDGERS)} does not exist: load ledgers first")
        warehouse.ensure_batch_stats()

    def _span(self, context: Context, warehouse: Warehouse, loads: Mapping[str, Loads]) -> tuple[LedgerRange, Window]:
        """Return the ledgers whose loads are checked, and the window whose rows are checked.

        Raises:
            AirflowFailException: the params are not a valid range, or none of its ledgers are loaded.
        """
        params = context["params"]
        try:
            requested = requested_range(params, None) if has_range_params(params) else None
        except RangeError as error:
            raise AirflowFailException(str(error)) from None
        own = loads.get(LEDGERS.data_type)
        if isinstance(requested, LedgerRange):
            window = self._window_of_ledgers(warehouse, requested, own)
            return window.ledgers, window
        if isinstance(requested, TimeRange):
            window = self._window_of_times(warehouse, requested, own)
            return window.ledgers, window
        days = settings(CoverageSettings).coverage_days
        start = BEFORE_ALL
        if own and days:
            start = own.closed_at - timedelta(days=min(days, (own.closed_at - BEFORE_ALL).days))
        window = self._window_of_times(warehouse, TimeRange(start, AFTER_ALL), own)
        first = min(own.ledgers.start, window.ledgers.start) if own else window.ledgers.start
        return LedgerRange(first, max(one.ledgers.end for one in loads.values()) if loads else first), window

    def _window_of_times(self, warehouse: Warehouse, times: TimeRange, own: Loads | None) -> Window:
        """Return the ledgers from after the last ledger before `times` to before the first ledger after them.

        The window therefore includes ledgers that are missing at either end of `times`.
        """
        low, high = _day(times.start, BEFORE_ALL), _day(times.end, AFTER_ALL)
        found = self._headers_around(warehouse, times, low, high)
        if (found["before"] is None and low > BEFORE_ALL) or (found["after"] is None and high < AFTER_ALL):
            # The nearest ledgers are further away, so read two whole columns.
            found = self._headers_around(warehouse, times, BEFORE_ALL, AFTER_ALL)
        own_ends = (own.ledgers.start, own.ledgers.end) if own else (None, None)
        start = min(_known(found["first"], own_ends[0]), default=1)
        end = max(_known(found["last"], found["before"], own_ends[1]), default=0)
        return Window(
            LedgerRange(
                start if found["before"] is None else found["before"] + 1,
                end if found["after"] is None else found["after"] - 1,
            ),
            found["before_closed_at"] or BEFORE_ALL,
            found["after_closed_at"] or AFTER_ALL,
        )

    def _headers_around(self, warehouse: Warehouse, times: TimeRange, low: datetime, high: datetime) -> Any:
        (found,) = warehouse.query(headers_around(warehouse.published(LEDGERS), times, low, high))
        return found

    def _window_of_ledgers(self, warehouse: Warehouse, requested: LedgerRange, own: Loads | None) -> Window:
        (times,) = warehouse.query(times_around(warehouse.name(BATCH_STATS_TABLE_ID), requested))
        (present,) = warehouse.query(closed_between(warehouse.published(LEDGERS), requested.start, requested.end))
        if present["start_time"] is None and not times["loads"]:
            raise AirflowFailException(
                f"none of ledgers {requested.start} to {requested.end} are loaded: load them first"
            )
        newest = max(_known(present["last"], own.ledgers.end if own else None), default=requested.end)
        return Window(
            LedgerRange(requested.start, min(requested.end, newest)),
            times["start_time"] or BEFORE_ALL,
            times["end_time"] or AFTER_ALL,
        )

    def _loads(self, warehouse: Warehouse) -> dict[str, Loads]:
        """Return the loads of each table by type; types without loads are left out."""
        ids = {warehouse.config.table_id(data_type): data_type for data_type in PUBLISHED}
        rows = warehouse.query(newest_loaded(warehouse.name(BATCH_STATS_TABLE_ID), list(ids)))
        loads = {}
        for row in rows:
            ledgers = LedgerRange(int(row["start_ledger"]), int(row["end_ledger"]))
            loads[ids[row["table_id"]]] = Loads(ledgers, (row["closed_at"] or BEFORE_ALL).astimezone(UTC))
        return loads

    def _planned(self, context: Context, warehouse: Warehouse) -> Iterator[tuple[CheckedTable, Job]]:
        limit = warehouse.config.maximum_bytes_billed
        self.loads = self._loads(warehouse)
        span, window = self._span(context, warehouse, self.loads)
        self.window, parameters = window.ledgers, window_parameters(window)
        headers, stats = warehouse.published(LEDGERS), warehouse.name(BATCH_STATS_TABLE_ID)
        ids = {table: warehouse.config.table_id(table.data_type) for table in PUBLISHED.values()}
        loaded = [ids[PUBLISHED[data_type]] for data_type in self.loads]
        of_loads = check_loads(stats, loaded, ids[LEDGERS], span, window.ledgers.start)
        yield CheckedTable(warehouse.dataset_id, None), query_job("loads", of_loads, limit)
        self.missing = []
        for target, table in product(warehouse.config.targets, PUBLISHED.values()):
            checked = CheckedTable(target.dataset_id, table.data_type)
            name, label = warehouse.published(table, target), f"{table.data_type}_{target.label}"
            if not warehouse.holds(table, target):
                if (own := self.loads.get(table.data_type)) is not None:
                    self.missing.append(checked.missing_table(own.ledgers))
                continue
            newest = self.loads[table.data_type].ledgers.end if table.data_type in self.loads else 0
            yield (
                checked,
                query_job(f"look_{label}", check_rows(table, name, headers, stats, ids, newest, parameters), limit),
            )
            if table.identity and warehouse.has_columns(ids[table], table.identity, target):
                yield checked, query_job(f"identity_{label}", check_identity(table, name, parameters), limit)
            if table.data_type in STATES and warehouse.has(versions_table_id(ids[table]), target):
                versions = Versions(warehouse, table, target)
                kept = window_parameters(replace(window, start=max(window.start, self._first_kept(warehouse))))
                behind = check_versions(versions.names(), versions.folded().cleaned(), kept)
                yield checked, query_job(f"state_{label}", behind, limit)
        if is_daily(context):
            for target in warehouse.config.targets:
                if (job := self._lumens(warehouse, target)) is not None:
                    yield CheckedTable(target.dataset_id, LUMENS_TYPES[0]), job

    def _lumens(self, warehouse: Warehouse, target: Target) -> Job | None:
        """Return the query that sums the lumens of all entries; None if the tables do not have all entries.

        They have all entries if they begin with the network, or all with the same full load, and the views show all
        changes.
        """
        ids = {data_type: warehouse.config.table_id(data_type) for data_type in LUMENS_TYPES}
        loads = [self.loads.get(data_type) for data_type in (*LUMENS_TYPES, LEDGERS.data_type)]
        if not all(warehouse.has(versions_table_id(table_id), target) for table_id in ids.values()):
            return None
        marks = [Versions(warehouse, STATES[data_type], target).folded() for data_type in LUMENS_TYPES]
        begun = {(mark.start_ledger, mark.start_time) for mark in marks}
        known = [one for one in loads if one is not None and one.closed_at > BEFORE_ALL]
        if len(known) < len(loads) or len(begun) > 1 or any(mark.dirty_ledger is not None for mark in marks):
            return None
        (start,) = begun
        if not start[0] and max(one.ledgers.start for one in known) > FIRST_LOADED:
            return None
        newest = min(known, key=lambda one: one.ledgers.end)
        if newest.ledgers.end <= start[0]:
            return None
        statement = check_lumens(
            {data_type: warehouse.name(history_view_id(table_id), target) for data_type, table_id in ids.items()},
            {data_type: warehouse.base(STATES[data_type], target) for data_type in ids} if start[0] else None,
            warehouse.published(STATES["contract_data"], target),
            warehouse.published(LEDGERS),
            native_contract(settings(NetworkSettings).passphrase),
            (newest.ledgers.end, newest.closed_at),
            start,
        )
        return query_job(f"lumens_{target.label}", statement, warehouse.config.maximum_bytes_billed)

    def _first_kept(self, warehouse: Warehouse) -> datetime:
        """Return the close time since which all versions are kept; older ones may have expired."""
        days = warehouse.config.history_days
        return datetime.now(UTC) - timedelta(days=days - 1) if days else BEFORE_ALL

    def _dirty(self, warehouse: Warehouse) -> Iterator[Finding]:
        """Yield the ledgers that the point-in-time views do not show before the next fold."""
        looked_at = {(one.dataset, one.data_type) for one in self.checked}
        for target, (data_type, table) in product(warehouse.config.targets, STATES.items()):
            table_id = versions_table_id(warehouse.config.table_id(data_type))
            if (target.dataset_id, data_type) not in looked_at or not warehouse.has(table_id, target):
                continue
            folded = Versions(warehouse, table, target).folded()
            if folded.dirty_ledger is not None:
                first, last = folded.dirty_ledger, folded.ledger - 1
                stats, own = warehouse.name(BATCH_STATS_TABLE_ID), warehouse.config.table_id(data_type)
                (since,) = warehouse.query(dirty_since(stats, own, LedgerRange(first, last), folded.at))
                moment = since["published_at"]
                age = max(0, round((datetime.now(UTC) - moment).total_seconds())) if moment else None
                yield Finding(data_type, Fault.DIRTY, first, last, last - first + 1, age, target.dataset_id)

    def _compared(self) -> Iterator[Finding]:
        """Yield the ledgers whose rows this check compares, so that findings that are not found again are resolved."""
        first, last = self.window.start, self.window.end
        if first <= last:
            for dataset, data_type in sorted(self.compared):
                yield Finding(data_type, Fault.LOOKED_AT, first, last, last - first + 1, dataset=dataset)

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return a query of the batch stats, and per target one query per table and per point-in-time table."""
        planned = list(self._planned(context, warehouse))
        self.checked = [checked for checked, _ in planned]
        self.compared = {
            (one.dataset, one.data_type) for one, job in planned if one.data_type and job.label.startswith("look_")
        }
        return [job for _, job in planned]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the checked tables."""
        names = {target.dataset_id: target for target in warehouse.config.targets}
        looked_at = dict.fromkeys((one.dataset, one.data_type) for one in self.checked if one.data_type)
        return Lineage([warehouse.published_dataset(PUBLISHED[type_], names[dataset]) for dataset, type_ in looked_at])

    def done(self, context: Context, warehouse: Warehouse, jobs: Sequence[Any]) -> dict[str, Any]:
        """Return the jobs with findings, and the lag of each table."""
        head_result, findings = pull_result(context, HEAD_TASK), list(self.missing)
        for data_type, own in self.loads.items():
            newest = own.ledgers.end
            head = NetworkHead(head_result["sequence"] or newest, datetime.fromisoformat(head_result["closed_at"]))
            findings.append(replace(lag_of(data_type, newest, own.closed_at, head), dataset=warehouse.dataset_id))
        findings += self._dirty(warehouse)
        findings += self._compared()
        for checked, job in zip(self.checked, jobs, strict=True):
            self.log.info("%s %s: %d findings", checked.dataset, checked.data_type or "loads", job.result().total_rows)
        return {
            "checked_at": datetime.now(UTC).isoformat(),
            "looks": [[*astuple(checked), job.job_id] for checked, job in zip(self.checked, jobs, strict=True)],
            "findings": [one.to_json() for one in findings],
        }


def is_daily(context: Context) -> bool:
    """Whether a run includes the daily checks: the first scheduled run of a day, or one without interval and range."""
    if has_range_params(context["params"]):
        return False
    dag_run: Any = context["dag_run"]
    period = loaded_by_run(dag_run.data_interval_start, dag_run.data_interval_end)
    return period is None or period.start.date() < period.end.date()


def _known(*ledgers: int | None) -> list[int]:
    return [ledger for ledger in ledgers if ledger is not None]


def _day(moment: datetime, bound: datetime) -> datetime:
    """Return the time one day from a moment towards a bound, but not beyond it."""
    day = min(timedelta(days=1), abs(bound - moment))
    return moment - day if bound < moment else moment + day


@dataclass(frozen=True)
class CheckedTable:
    """The table that a job of a coverage check compares.

    Attributes:
        dataset: the target's dataset, as `project.dataset`.
        data_type: the table's type; None for the loads of all tables.
    """

    dataset: str
    data_type: str | None

    def missing_table(self, ledgers: LedgerRange) -> Finding:
        """Return the finding for a table that does not exist although ledgers were loaded into it."""
        assert self.data_type is not None
        fault = Fault.MISSING if self.data_type == LEDGERS.data_type else Fault.LOST_ROWS
        count = ledgers.end - ledgers.start + 1
        return Finding(self.data_type, fault, ledgers.start, ledgers.end, count, dataset=self.dataset)


def found_by(context: Context, warehouse: Warehouse) -> list[Finding]:
    """Return the run's findings: those in the results of its query jobs, and its lags.

    Raises:
        AirflowFailException: BigQuery has deleted a result, which it keeps for a day.
    """
    result = pull_result(context, LOOK_TASK)
    types = {warehouse.config.table_id(data_type): data_type for data_type in PUBLISHED}
    findings = []
    for dataset, data_type, job_id in result.get("looks", ()):
        try:
            rows = warehouse.get_job(job_id).result()
        except NotFound:
            raise AirflowFailException(
                f"the result of job {job_id} no longer exists, because BigQuery keeps it for a day: clear the task "
                f"{LOOK_TASK!r} with its downstream tasks"
            ) from None
        findings += whole(
            Finding(
                data_type or types[row["table_id"]],
                Fault(row["fault"]),
                int(row["start_ledger"]),
                int(row["end_ledger"]),
                int(row["found"]),
                dataset=dataset,
                columns=row.get("differing_columns") or "",
            )
            for row in rows
        )
    return findings + [Finding.from_json(one) for one in result["findings"]]


def _warehouse() -> Warehouse:
    config = settings(WarehouseSettings)
    return Warehouse(client_for(config), config)


class RecordOperator(BigQueryJobsOperator):
    """Writes the findings into `ledger_coverage`."""

    builder = "build_coverage_tasks"
    waits_for_budget = False

    def prepare(self, context: Context, warehouse: Warehouse) -> None:
        """Create the table and the views of watermarks if they are missing."""
        warehouse.ensure_watermarks()

    def jobs(self, context: Context, warehouse: Warehouse) -> Sequence[Job]:
        """Return a statement per some thousand findings. A repeated task does not duplicate them."""
        statements = record(
            warehouse.name(COVERAGE_TABLE_ID),
            context["ti"].run_id,
            datetime.fromisoformat(pull_result(context, LOOK_TASK)["checked_at"]),
            {data_type: warehouse.config.table_id(data_type) for data_type in PUBLISHED},
            found_by(context, warehouse),
        )
        limit = warehouse.config.maximum_bytes_billed
        return [query_job(f"record_{number}", statement, limit) for number, statement in enumerate(statements)]

    def reads_and_writes(self, context: Context, warehouse: Warehouse) -> Lineage:
        """Return the table of findings."""
        return Lineage(outputs=[warehouse.table_dataset(COVERAGE_TABLE_ID, COVERAGE_TABLE_ID)])


MOST_EVENTS = 100
"""Maximum number of findings in a run's message and events; `ledger_coverage` has all."""


COST_DAYS = timedelta(days=7)
"""Age of the loads whose cost a report shows."""


class ReportOperator(SettingsAtRunTime, BaseOperator):
    """Sends an event per finding and logs the cost of each table. Fails if a finding is not being fixed."""

    builder = "build_coverage_tasks"

    def execute(self, context: Context) -> None:
        """Report the findings.

        Raises:
            AirflowFailException: a table lags too far behind, or has faults that this run does not fix.
        """
        limit, heal = settings(CoverageSettings).coverage_alert_lag, heals(context)
        wrong, reported, warehouse = [], 0, _warehouse()
        self.log_summary(context, warehouse)
        findings = found_by(context, warehouse)
        send(self.measurements(context, warehouse, findings))
        heals_any = heal and bool(healing(findings))
        for finding in findings:
            late = finding.fault is Fault.LAG and limit and (finding.lag_seconds or 0) > limit
            if finding.fault in NO_FAULTS and not late:
                continue
            if reported < MOST_EVENTS:
                self.log.warning("%s", finding.text)
                report_finding(context, finding.text, {"table": finding.data_type, "fault": finding.fault})
            reported += 1
            healed = heal and finding.fault is not Fault.KEPT_ROWS and (heals_any or finding.fault is not Fault.LUMENS)
            if late or not healed:
                wrong.append(finding.text)
        if wrong:
            advice = self.advice(context, heal=heal)
            more = len(wrong) - MOST_EVENTS
            rest = [f"and {more} more in {COVERAGE_TABLE_ID}"] if more > 0 else []
            raise AirflowFailException("\n".join([f"{len(wrong)} findings{advice}:", *wrong[:MOST_EVENTS], *rest]))

    def measurements(
        self, context: Context, warehouse: Warehouse, findings: Sequence[Finding]
    ) -> Iterator[Measurement]:
        """Yield the metrics of a whole check, and of the loads of the last 24 hours.

        There are none for a check of a range, nor for `state_audit`, because these do not cover all tables.
        """
        if has_range_params(context["params"]) or "looks" not in pull_result(context, LOOK_TASK):
            return
        ids = {data_type: warehouse.config.table_id(data_type) for data_type in PUBLISHED}
        yield from of_coverage(findings, ids)
        since = datetime.now(UTC) - timedelta(days=1)
        yield from of_loads(warehouse.query(loads_by_table(warehouse.name(BATCH_STATS_TABLE_ID), since)), ids.values())

    def advice(self, context: Context, *, heal: bool) -> str:
        """Return the remedy that follows the number of findings."""
        return "" if heal else f"; to reload them, set the Variable coverage_auto_heal, or {HEAL_PARAM} of a manual run"

    def log_summary(self, context: Context, warehouse: Warehouse) -> None:
        """Log the cost of the loads of the last days, one line per table."""
        warehouse.ensure_batch_stats()
        since = datetime.now(UTC) - COST_DAYS
        for row in warehouse.query(costs_by_table(warehouse.name(BATCH_STATS_TABLE_ID), since)):
            self.log.info(
                "%s: %d loads since %s cost %s: queries %s, pods %s, storage for a month %s",
                row["table_id"],
                row["loads"],
                since.date(),
                *(row[part] for part in ("cost", "queries", "pods", "storage")),
            )


class SchedulesOperator(SettingsAtRunTime, BaseOperator):
    """Fails if a DAG that is not paused creates no runs. Such a DAG has no failure and no deadline alert.

    Airflow stores the next run that it plans. If that run is due for two intervals while no run of the DAG is active,
    the DAG is reported. A retry checks again, because the scheduler may be about to create the run.
    """

    builder = "build_coverage_tasks"

    def __init__(self, *, periods: Mapping[str, float], ends: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.periods = periods
        self.ends = ends

    def execute(self, context: Context) -> None:
        """Check the DAGs.

        Raises:
            AirflowException: runs are missing; the message names each DAG and the run.
        """
        ti, now, wrong = context["ti"], datetime.now(UTC), []
        for dag_id, seconds in self.periods.items():
            dag, period = ti.get_dag(dag_id), timedelta(seconds=seconds)
            if dag.is_paused:
                self.log.info("%s is paused", dag_id)
                continue
            active = ti.get_dr_count(dag_id, states=["queued", "running"])
            if text := overdue(dag.next_dagrun, period, now, active=active, ends=self.ends):
                wrong.append(f"{dag_id}: {text}")
        if wrong:
            raise AirflowException("; ".join(["runs are missing, see the scheduler's log", *wrong]))


class RetentionOperator(SettingsAtRunTime, BaseOperator):
    """Fails if the bucket's lifecycle rules do not delete exported files after `export_days`."""

    builder = "build_coverage_tasks"

    def execute(self, context: Context) -> None:
        """Check the bucket.

        Raises:
            AirflowFailException: the rules differ; the message has the actual and the expected rules. A retry would
                find the same.
        """
        export = settings(ExportSettings)
        if export.volume_config:
            self.log.info("exports are on a volume: there are no lifecycle rules to check")
            return
        name = export.gcs_exported_data_bucket_name
        rules = list(GCSHook(gcp_conn_id=GOOGLE_CONNECTION).get_conn().get_bucket(name).lifecycle_rules)
        if wrong := retention_problem(name, export.gcs_exported_object_prefix, rules, export.export_days):
            raise AirflowFailException(wrong)


def get_heal_param() -> Param:
    """Return the param `HEAL_PARAM` of a DAG that finds wrong ledgers."""
    return Param(None, type=["null", "boolean"], description="reload wrong ledgers; null uses the Variable")


def heals(context: Context) -> bool:
    """Whether this run fixes its findings, by its param or else by the Variable."""
    requested = context["params"].get(HEAL_PARAM)
    return settings(CoverageSettings).coverage_auto_heal if requested is None else bool(requested)


class PlanHealingOperator(SettingsAtRunTime, BaseOperator):
    """Plans the runs that fix the findings. Result: `loads`, `rebuilds`, `folds` and `derived`, possibly empty."""

    builder = "build_coverage_tasks"

    def execute(self, context: Context) -> dict[str, list[PlannedRun]]:
        """Plan the runs."""
        plan = healing(found_by(context, _warehouse()) if heals(context) else [])
        if plan.rest:
            self.log.warning("%d more runs are left to the next coverage check", plan.rest)
        prefix = run_prefix(context, f"heal__{context['ti'].run_id}", self.retries or 0)
        return {
            "loads": [range_run(prefix, dag_id, one) for dag_id, one in plan.loads],
            "derived": [range_run(prefix, dag_id, one) for dag_id, one in plan.derived],
            "rebuilds": [run_of(prefix, REBUILD_DAG, one, {TABLE_PARAM: one}) for one in plan.rebuilds],
            "folds": [run_of(f"{prefix}__fold", FOLD_DAG, one, {TABLE_PARAM: one}) for one in plan.folds],
        }


def build_newest_ledger_task() -> NewestLedgerOperator:
    """Return a task that reads the network's latest ledger."""
    return NewestLedgerOperator(task_id=HEAD_TASK, do_xcom_push=True)


def build_coverage_check_task() -> CoverageCheckOperator:
    """Return a task that checks all tables."""
    return CoverageCheckOperator(task_id=LOOK_TASK)


def build_record_task() -> RecordOperator:
    """Return a task that records the findings."""
    return RecordOperator(task_id="record")


def build_report_task() -> ReportOperator:
    """Return a task that reports the findings."""
    return ReportOperator(task_id="report")


def build_schedules_task(periods: Mapping[str, timedelta], *, ends: bool) -> SchedulesOperator:
    """Return a task that fails if a DAG that is not paused creates no runs.

    Args:
        periods: the longest time between two runs of each DAG.
        ends: whether these schedules have an end.
    """
    return SchedulesOperator(
        task_id="check_schedules",
        periods={dag_id: period.total_seconds() for dag_id, period in periods.items()},
        ends=ends,
    )


def build_retention_task() -> RetentionOperator:
    """Return a task that fails if exported files are not deleted after `export_days`."""
    return RetentionOperator(task_id="check_retention")


def build_plan_healing_task() -> PlanHealingOperator:
    """Return a task that plans the runs that fix the findings."""
    return PlanHealingOperator(task_id=HEALING_TASK)
