"""docs/tables.md has every published table, and a query of each that runs and reads one partition."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from stellar_etl_airflow.bigquery.versions import Versions
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.tables import DERIVED, PUBLISHED, STATES, VIEWS
from stellar_etl_airflow.settings.parsing import load
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from stellar_etl_airflow.sql.statement import Statement
from stellar_etl_airflow.tasks.build_bq_insert_job_task import ensure_views
from tests.dags.sql.googlesql import Analyzer
from tests.dags.sql.statements import LIVE, VARIABLES
from tests.dags.sql.test_sql_as_bigquery import unbound
from tests.local import emulators
from tests.shared import REPO

DOCUMENT = (REPO / "docs" / "tables.md").read_text()
SECTIONS = {section.partition("\n")[0]: section for section in DOCUMENT.split("\n## ")[1:]}
QUERIES = {name: re.search(r"```sql\n(.*?)```", section, re.DOTALL)[1] for name, section in SECTIONS.items()}


def test_exactly_the_published_tables_have_a_section():
    assert SECTIONS.keys() == {table.table_id for table in PUBLISHED.values()} | VIEWS.keys()


def test_the_page_equals_the_registry():
    done = subprocess.run(
        [sys.executable, str(REPO / "scripts" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_bigquery_accepts_each_query_and_reads_the_partitions_of_a_day():
    analyzer = Analyzer({quoted.strip("`"): columns for quoted, columns in LIVE.items()})
    for query in QUERIES.values():
        analyzer.analyze(Statement(query.replace("`stellar.", "`my-project.stellar.")))
        assert unbound(query) == []


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with emulators.running(emulators.warehouse(tmp_path_factory.mktemp("stack"))) as server:
        client = emulators.bigquery_client(server)
        client.create_dataset("stellar")
        own = {"bq_project": "local", "bq_dataset": "stellar", "schema_filepath": str(REPO / "schemas")}
        warehouse = Warehouse(client, load(WarehouseSettings, {**VARIABLES, **own}.get))
        for table in PUBLISHED.values():
            warehouse.ensure_published(table)
        for table in STATES.values():
            Versions(warehouse, table, warehouse.config.targets[0]).ensure()
        for table in DERIVED.values():
            ensure_views(warehouse, table, "C")
        yield client


def test_each_query_runs(client):
    for query in QUERIES.values():
        assert list(client.query(query).result()) == []
