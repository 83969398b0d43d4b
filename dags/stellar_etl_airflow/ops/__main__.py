"""The command: `python -m stellar_etl_airflow.ops status | coverage | costs --airflow URL`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from stellar_etl_airflow.bigquery.clients import client_of
from stellar_etl_airflow.bigquery.jobs import query_job
from stellar_etl_airflow.bigquery.tables import WarehouseError
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, PUBLISHED
from stellar_etl_airflow.ops import coverage, reports, tables
from stellar_etl_airflow.ops.airflow_api import AirflowApi, AirflowApiError, add_airflow_option
from stellar_etl_airflow.ops.deployment import Deployment
from stellar_etl_airflow.ops.show import print_table
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.environments import CHECKOUT, DEFAULT_FILE, add_variables_option, read_variables
from stellar_etl_airflow.sql.batch_stats import costs_by_day, costs_by_table
from stellar_etl_airflow.sql.statement import Statement


def status(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Print DAGs, tables, stages and required actions. Return 1 if an action is required."""
    since, warehouse = datetime.now(UTC) - timedelta(days=arguments.days), deployment.warehouse
    runs, tasks = deployment.airflow.runs_since(since), deployment.airflow.tasks_since(since)
    print_table(reports.dag_rows(deployment.airflow.dags(), runs))
    of_tables = []
    if warehouse.has(BATCH_STATS_TABLE_ID):
        names = {one: warehouse.config.table_id(one) for one, table in PUBLISHED.items() if warehouse.holds(table)}
        of_tables = tables.newest_reports(in_dataset(warehouse), names, arguments.days, tasks)
    for rows in (of_tables, tables.stage_reports(tasks)):
        print()
        print_table([asdict(row) for row in rows])
    stored = deployment.stored()
    missing = [key for key in deployment.new if key not in stored]
    found = reports.problems(deployment.airflow, missing, runs) + [
        f"table {table.table} has {table.gaps or 0} gaps, {table.not_loaded or 0} ledgers that are not loaded, "
        f"{table.duplicates or 0} duplicates and {table.failed_checks} failed checks: see ledger_coverage"
        for table in of_tables
        if not table.good
    ]
    print("\n" + ("\n".join(found) or "no action needed"))
    return 1 if found else 0


def in_dataset(warehouse: Warehouse) -> Callable[[str], list[dict[str, Any]]]:
    """Return a function that runs a query with the dataset as default, so that tables need no prefix."""

    def query(sql: str) -> list[dict[str, Any]]:
        job = query_job("coverage", Statement(sql), warehouse.config.maximum_bytes_billed)
        job.configuration["query"]["defaultDataset"] = {"projectId": warehouse.project, "datasetId": warehouse.dataset}
        return [dict(row.items()) for row in warehouse.run(job).result()]

    return query


def show_coverage(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Print the loaded ledgers as a bar per table, and their cost. Return 1 if a table has gaps."""
    warehouse = deployment.warehouse
    names = {data_type: warehouse.config.table_id(data_type) for data_type in PUBLISHED}
    found = coverage.read_coverage(in_dataset(warehouse), names)
    if found is None:
        print("no ledgers are loaded yet")
        return 1
    print(coverage.as_text(found) + "\n")
    print_table(_rows(warehouse, costs_by_table, arguments.days))
    if arguments.svg:
        arguments.svg.write_text(coverage.as_svg(found))
    return 1 if any(found.gaps(table) for table in found.loaded) else 0


def costs(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Print the cost of loads by day and DAG."""
    print_table(_rows(deployment.warehouse, costs_by_day, arguments.days))
    return 0


def _rows(warehouse: Warehouse, statement: Callable[[str, datetime], Statement], days: int) -> list[dict[str, Any]]:
    """Return the rows of a report on the batch stats of the last days."""
    since = datetime.now(UTC) - timedelta(days=days)
    return [dict(row.items()) for row in warehouse.query(statement(warehouse.name(BATCH_STATS_TABLE_ID), since))]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    common = argparse.ArgumentParser(add_help=False)
    add_airflow_option(common)
    add_variables_option(
        common,
        f"files of values for Variables that Airflow hides; later ones override earlier ones and {DEFAULT_FILE}",
    )
    made = argparse.ArgumentParser(
        prog="python -m stellar_etl_airflow.ops", description="Report on a deployment, without changing it."
    )
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[common], help=text)
        command.set_defaults(run=run)
        return command

    days = {"type": int, "default": 1, "metavar": "N", "help": "runs of the last N days (default: 1)"}
    add("status", status, "show DAGs, tables, stages and required actions").add_argument("--days", **days)  # type: ignore[arg-type]
    drawn = add("coverage", show_coverage, "draw the loaded ledgers, and show the cost of each table")
    drawn.add_argument("--svg", type=Path, metavar="FILE", help="also write the picture to FILE")
    days |= {"default": 7, "help": "loads of the last N days (default: 7)"}
    drawn.add_argument("--days", **days)  # type: ignore[arg-type]
    add("costs", costs, "show costs of loads by day and DAG").add_argument("--days", **days)  # type: ignore[arg-type]
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Return 0; or 1 if an action is required or an error was printed to standard error."""
    arguments = parser().parse_args(argv)
    try:
        new = read_variables(CHECKOUT / DEFAULT_FILE, *arguments.variables)
        result: int = arguments.run(Deployment(AirflowApi(arguments.airflow), new, client_of), arguments)
    except (AirflowApiError, SettingsError, WarehouseError, GoogleAPICallError, GoogleAuthError) as error:
        print(error, file=sys.stderr)
        return 1
    return result


if __name__ == "__main__":
    sys.exit(main())
