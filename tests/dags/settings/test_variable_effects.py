"""The effects of Variables that no other test shows; docs/variables.md names the test of each Variable."""

from __future__ import annotations

import json

import google.cloud.bigquery as bq
import pytest
from airflow.providers.google.cloud.hooks.bigquery import BigQueryHook

from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.tables import ENRICHED_OPERATIONS, LEDGERS
from stellar_etl_airflow.operators.runtime import GOOGLE_CONNECTION, settings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings
from stellar_etl_airflow.tasks.build_bq_insert_job_task import PLAN, build_check_sources_task
from stellar_etl_airflow.tasks.build_export_task import build_export_task
from stellar_etl_airflow.tasks.build_time_task import build_time_task
from tests.shared import REPO


@pytest.fixture
def publish(client, warehouse_environment):
    """Publish the table of ledgers with some Variables changed; return the table."""

    def publish(name, **changes):
        warehouse_environment(**changes)
        config = settings(WarehouseSettings)
        hook = BigQueryHook(gcp_conn_id=GOOGLE_CONNECTION)
        warehouse = Warehouse(hook.get_client(project_id=config.bq_project), config)
        warehouse.ensure_published(LEDGERS)
        return client.get_table(name)

    return publish


def test_the_variables_set_project_and_dataset_of_the_tables(client, publish):
    client.create_dataset(bq.Dataset("elsewhere.mirror"), exists_ok=True)
    client.delete_table("elsewhere.mirror.history_ledgers", not_found_ok=True)
    table = publish("elsewhere.mirror.history_ledgers", bq_project="elsewhere", bq_dataset="mirror")
    assert (table.project, table.dataset_id) == ("elsewhere", "mirror")
    assert list(client.list_tables("local.stellar")) == []


def test_the_public_variables_set_project_and_dataset_of_the_public_tables(client, publish):
    client.create_dataset(bq.Dataset("open.mirror"), exists_ok=True)
    client.delete_table("open.mirror.history_ledgers", not_found_ok=True)
    publish("local.stellar.history_ledgers", public_project="open", public_dataset="mirror")
    assert [table.table_id for table in client.list_tables("open.mirror")] == ["history_ledgers"]


def test_table_ids_sets_the_name_of_a_table(publish):
    assert publish("local.stellar.my_ledgers", table_ids={"ledgers": "my_ledgers"}).table_id == "my_ledgers"


def test_partition_fields_sets_the_partitioning_of_a_table(publish):
    fields = {"history_ledgers": {"type": "MONTH", "field": "closed_at"}}
    made = publish("local.stellar.history_ledgers", partition_fields=fields).time_partitioning
    assert (made.type_, made.field) == ("MONTH", "closed_at")


def test_cluster_fields_sets_the_clustering_of_a_table(publish):
    fields = {"history_ledgers": ["ledger_hash", "sequence"]}
    assert (
        publish("local.stellar.history_ledgers", cluster_fields=fields).clustering_fields == fields["history_ledgers"]
    )


def test_schema_filepath_sets_the_columns(publish, tmp_path):
    fields = json.loads((REPO / "schemas" / "history_ledgers_schema.json").read_text())
    column = {"name": "of_mine", "type": "STRING", "mode": "NULLABLE", "description": "mine"}
    (tmp_path / "history_ledgers_schema.json").write_text(json.dumps([*fields, column]))
    table = publish("local.stellar.history_ledgers", schema_filepath=str(tmp_path))
    assert table.schema[-1].name == "of_mine"


def test_maximum_bytes_billed_limits_a_query(client, warehouse_environment, make_context):
    warehouse_environment(maximum_bytes_billed=12345)
    task = build_check_sources_task(ENRICHED_OPERATIONS)
    context = make_context(task.task_id)
    make_context.xcoms[task.task_id, PLAN] = {"ledgers": None, "closed": None}
    task.pre_execute(context)
    (job,) = task.jobs(context, task.warehouse)
    assert job.configuration["query"]["maximumBytesBilled"] == "12345"


@pytest.fixture
def arguments(airflow_environment, make_context):
    """Return the export pod's arguments, with some Variables changed."""

    def arguments(**changes):
        airflow_environment(**changes)
        make_context.xcoms["get_ledger_range_from_times", "return_value"] = {"start": 100, "end": 220}
        task = build_export_task((LEDGERS,))
        task.pre_execute(make_context(task.task_id))
        return task.arguments

    return arguments


def option(arguments, name):
    return arguments[arguments.index(name) + 1]


def test_the_bucket_and_the_prefix_set_the_path_of_exports(arguments):
    argv = arguments(gcs_exported_data_bucket_name="a-bucket", gcs_exported_object_prefix="a/folder")
    assert option(argv, "--cloud-storage-bucket") == "a-bucket"
    assert option(argv, "--output").startswith("a/folder/scheduled__")


def test_output_file_names_sets_the_names_of_files(arguments):
    argv = arguments(output_file_names={"ledgers": "of-ledgers.ndjson"})
    assert "ledgers=of-ledgers.ndjson" in argv


def test_use_futurenet_exports_futurenet(arguments):
    assert "--futurenet" in arguments(use_futurenet=True)
    assert "--futurenet" not in arguments(use_futurenet=False)


def test_kube_config_location_sets_the_cluster(airflow_environment, make_context, tmp_path):
    airflow_environment(kube_config_location=str(tmp_path / "kubeconfig"))
    task = build_time_task()
    task.pre_execute(make_context(task.task_id))
    assert task.hook.config_file == str(tmp_path / "kubeconfig")


def test_resources_for_all_pods_apply_to_builders_without_an_entry(airflow_environment, make_context):
    own, common = {"requests": {"cpu": "2"}}, {"requests": {"cpu": "1"}}
    airflow_environment(resources={"build_export_task": own, "default": common})
    task = build_time_task()
    task.pre_execute(make_context(task.task_id))
    assert task.container_resources.requests == {"cpu": "1"}


def test_a_variable_keeps_its_value_within_a_try(airflow_environment, make_context, monkeypatch):
    airflow_environment(bq_dataset="before")
    task = build_time_task()
    task.pre_execute(make_context(task.task_id))
    assert settings(WarehouseSettings).bq_dataset == "before"
    monkeypatch.setenv("AIRFLOW_VAR_BQ_DATASET", "after")
    assert settings(WarehouseSettings).bq_dataset == "before"
    task.pre_execute(make_context(task.task_id))
    assert settings(WarehouseSettings).bq_dataset == "after"
