"""Tables of different ages have nested columns in different orders; each value stays in its own column."""

from __future__ import annotations

import json

import google.cloud.bigquery as bq
import pytest

from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import CLAIMABLE_BALANCES
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.sql.versions import ENDS
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_full_load_task import build_keep_full_load_task, build_merge_full_load_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from stellar_etl_airflow.tasks.build_state_rebuild_task import build_state_rebuild_task
from tests.dags.sql.statements import fields, reversed_records

NESTED = {"and": [{"not": [{"abs_before": "a", "rel_before": 1, "abs_before_epoch": 2}]}], "unconditional": False}
CLAIMANTS = [{"destination": f"G{n}", "predicate": [NESTED, {"rel_before": n}]} for n in range(3)]


def balance(ledger, claimants=CLAIMANTS):
    return {
        "balance_id": f"b{ledger}",
        "claimants": claimants,
        "ledger_sequence": ledger,
        "deleted": False,
        "closed_at": "2026-01-01T00:00:00Z",
        "batch_id": "x",
        "batch_run_date": "2026-01-01T00:00:00",
        "batch_insert_ts": "2026-01-01T00:00:00Z",
    }


@pytest.fixture
def public(client, warehouse_environment):
    """A public dataset, whose table an older release created, as it did the private point-in-time table."""
    client.delete_dataset("public", delete_contents=True, not_found_ok=True)
    client.create_dataset("public")
    warehouse_environment(public_dataset="public", partition_fields={}, cluster_fields={})
    older = [bq.SchemaField.from_api_repr(one) for one in reversed_records(fields(CLAIMABLE_BALANCES))]
    for name, clusters in (
        ("public.claimable_balances", CLAIMABLE_BALANCES.cluster),
        ("stellar.claimable_balances_versions", CLAIMABLE_BALANCES.entry_keys),
        ("public.claimable_balances_base", CLAIMABLE_BALANCES.entry_keys),
    ):
        ends = [bq.SchemaField.from_api_repr(dict(one)) for one in ENDS] if name.endswith("versions") else []
        table = bq.Table(f"local.{name}", [*older, *ends])
        table.clustering_fields = list(clusters)
        if name == "public.claimable_balances":
            table.time_partitioning = bq.TimePartitioning(field="closed_at")
        if name.endswith("versions"):
            table.time_partitioning = bq.TimePartitioning(field="valid_to")
        client.create_table(table)
    yield "public"
    client.delete_dataset("public", delete_contents=True)


@pytest.fixture
def run(warehouse_server, make_context):
    """Run the tasks of a batch of claimable balances of one ledger."""
    _, folder = warehouse_server

    def run(ledger, *builders):
        lines = json.dumps(balance(ledger)) + "\n"
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        (folder / "exports" / "balances.txt").write_text(lines)
        file = ExportedFile("gs://exports/balances.txt", 1, len(lines))
        times = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
        attempt = ExportAttempt(LedgerRange(ledger, ledger), "prefix", times[0])
        batch = Batch(attempt, "a network", 1, *times, {CLAIMABLE_BALANCES.data_type: file})
        make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()
        for build in builders:
            task = build(CLAIMABLE_BALANCES)
            task.deferrable = False
            context = make_context(task.task_id, run_id=f"run-{ledger}")
            task.pre_execute(context)
            task.execute(context)

    return run


def without_empty(value):
    """Return a value without its NULL and empty fields, which a file omits."""
    if isinstance(value, dict):
        return {key: kept for key, part in value.items() if (kept := without_empty(part)) not in (None, [], {})}
    return [without_empty(part) for part in value] if isinstance(value, list) else value


@pytest.fixture
def contents(client):
    def contents(name):
        rows = client.query(f"SELECT balance_id, claimants FROM local.{name} ORDER BY 1").result()
        return [(row.balance_id, without_empty(row.claimants)) for row in rows]

    return contents


@pytest.mark.slow
def test_published_rows_full_loads_and_states_keep_each_value_in_its_field(client, public, run, contents):
    loaded = (build_gcs_to_bq_task, build_check_task)
    run(63, *loaded, build_keep_full_load_task, build_merge_full_load_task)
    run(70, *loaded, build_apply_gcs_changes_to_bq_task)
    expected = [("b63", CLAIMANTS), ("b70", CLAIMANTS)]
    for dataset in ("stellar", public):
        assert contents(f"{dataset}.claimable_balances") == expected[1:]
        assert contents(f"{dataset}.claimable_balances_base") == expected[:1]
        assert contents(f"{dataset}.claimable_balances_current") == expected
        assert contents(f"{dataset}.claimable_balances_history") == expected
        assert contents(f"{dataset}.claimable_balances_versions") == expected[:1]
        client.query(f"DELETE FROM local.{dataset}.claimable_balances_versions WHERE TRUE").result()
    run(70, build_state_rebuild_task)
    for dataset in ("stellar", public):
        assert contents(f"{dataset}.claimable_balances_current") == expected
        assert contents(f"{dataset}.claimable_balances_versions") == expected
    first = client.get_table(f"local.{public}.claimable_balances").schema[1]
    assert [one.name for one in first.fields] == ["predicate", "destination"], "the table keeps its order"
