"""The steps of docs/extending.md for a derived table work in a copy of the tree."""

from __future__ import annotations

import json
import re
import textwrap

import pytest

from tests.dags.test_add_a_table import copy_tree, edit, run
from tests.shared import REPO

pytestmark = pytest.mark.servers

PROOF = '''
"""What the DAG of the new table makes of its sources."""

import json
import runpy

import google.cloud.bigquery as bq

from stellar_etl_airflow.model.tables import DERIVED
from tests.dags.tasks.derived_chain import run_chain
from tests.shared import REPO

ROWS = {
    "history_ledgers": [
        {"sequence": 5, "closed_at": "2026-01-01T00:00:05Z", "successful_transaction_count": 2,
         "failed_transaction_count": 0},
    ],
    "history_transactions": [
        {"id": 1, "ledger_sequence": 5, "closed_at": "2026-01-01T00:00:05Z", "fee_charged": 100, "account": "GA"},
        {"id": 2, "ledger_sequence": 5, "closed_at": "2026-01-01T00:00:05Z", "account": "GB", "fee_account": "GC"},
    ],
}


def test_the_table_has_a_dag():
    assert "fee_sources" in runpy.run_path("dags/derived_tables_dag.py")["dags"]


def test_rows_of_the_new_table_are_published(client, warehouse_server, warehouse_environment, make_context):
    for table_id, rows in ROWS.items():
        fields = json.loads((REPO / "schemas" / f"{table_id}_schema.json").read_text())
        schema = [bq.SchemaField.from_api_repr(field) for field in fields]
        client.create_table(bq.Table(f"local.stellar.{table_id}", schema=schema))
        (warehouse_server[1] / "bucket").mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row) + chr(10) for row in rows)
        (warehouse_server[1] / "bucket" / table_id).write_text(text)
        config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=schema)
        client.load_table_from_uri(f"gs://bucket/{table_id}", f"local.stellar.{table_id}", job_config=config).result()
    run_chain(make_context, DERIVED["fee_sources"], {"start_ledger": 5, "end_ledger": 5}, run_id="run")
    found = client.query("SELECT transaction_id, fee_source FROM local.stellar.fee_sources ORDER BY 1").result()
    assert [tuple(row.values()) for row in found] == [(1, "GA"), (2, "GC")]
'''


BOUND = "tests/dags/sql/test_sql_as_bigquery.py::test_partitioned_tables_are_read_between_constants"


def block(language):
    _, text = (REPO / "docs" / "extending.md").read_text().split("## A derived table", 1)
    (found,) = re.findall(rf"^ +```{language}\n(.*?)^ +```$", text, re.DOTALL | re.MULTILINE)
    return textwrap.dedent(found)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return a copy of the tree in which the steps are done."""
    tree = copy_tree(tmp_path_factory.mktemp("copy") / "project")
    (tree / "dags" / "queries" / "fee_sources.sql").write_text(block("sql"))
    schema = json.loads((tree / "schemas" / "history_transactions_schema.json").read_text())
    of_source = ("transaction_hash", "fee_charged", "ledger_sequence", "closed_at")
    kept = [field for field in schema if field["name"] in of_source or field["name"][:6] == "batch_"]
    for field in kept:
        field["mode"] = "NULLABLE"
    own = [
        {"name": name, "type": kind, "mode": "NULLABLE", "description": "What the name says."}
        for name, kind in (("transaction_id", "INTEGER"), ("fee_source", "STRING"))
    ]
    (tree / "schemas" / "fee_sources_schema.json").write_text(json.dumps([*own, *kept]))
    tables = tree / "dags" / "stellar_etl_airflow" / "model" / "tables.py"
    edit(tables, r"(\nDERIVED: dict\[str, Table\] = )", rf"\n{block('python')}\1")
    edit(tables, r"(BALANCES, ASSET_SUPPLY)\)", r"\1, FEE_SOURCES)")
    done = run(tree, "scripts/generate.py")
    assert done.returncode == 0, done.stderr
    return tree


def test_the_variables_and_pools_have_the_table(copy):
    variables = json.loads((copy / "airflow_variables.json").read_text())
    assert variables["table_ids"]["fee_sources"] == "fee_sources"
    assert variables["partition_fields"]["fee_sources"] == {"type": "DAY", "field": "closed_at"}
    assert "write_fee_sources" in json.loads((copy / "airflow_pools.json").read_text())


def test_the_tests_accept_the_query_and_its_rows_reach_the_warehouse(copy):
    (copy / "tests" / "dags" / "test_the_new_table.py").write_text(PROOF)
    tests = (
        "tests/dags/test_the_new_table.py",
        "tests/schemas/test_schema_files.py::test_each_published_table_has_a_schema_file_and_there_are_no_others",
        f"{BOUND}[replace_range]",
    )
    done = run(copy, "-m", "pytest", "-q", "-n", "0", *tests)
    assert done.returncode == 0, done.stdout
