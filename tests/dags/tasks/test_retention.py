"""The bucket's lifecycle rules must delete exported files as the Variable requires; coverage fails otherwise."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from stellar_etl_airflow.export.retention import retention_problem
from stellar_etl_airflow.tasks.build_coverage_tasks import build_retention_task
from tests.local import emulators


def rule(action="Delete", **condition):
    return {"action": {"type": action, "storageClass": "NEARLINE"}, "condition": condition}


def test_export_days_sets_when_the_bucket_must_delete_files(bucket, warehouse_environment, make_context, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.url)
    warehouse_environment(gcs_exported_data_bucket_name=emulators.BUCKET, export_days=20)
    exports = emulators.storage_client(bucket).get_bucket(emulators.BUCKET)

    def check(*rules):
        exports.lifecycle_rules = rules
        exports.patch()
        task = build_retention_task()
        context = make_context(task.task_id)
        task.pre_execute(context)
        task.execute(context)

    check(rule(age=20))
    with pytest.raises(AirflowFailException, match="deletes exports after 30 days, .*'export_days' is 20"):
        check(rule(age=30))
    with pytest.raises(AirflowFailException, match="deletes no old exports"):
        check(rule("SetStorageClass", age=20))


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        ([rule(age=30), rule(age=7)], 7),
        ([rule(age=7, matchesPrefix=["logs/"])], None),
        ([rule(age=7, matchesPrefix=["logs/", "dag-"])], 7),
        ([rule(age=7, matchesSuffix=[".txt"])], None),
        ([rule(isLive=False)], None),
    ],
)
def test_only_rules_that_cover_all_exported_files_count(rules, days):
    found = retention_problem("b", "dag-exported", rules, 7)
    assert (found is None) == (days == 7)
    assert retention_problem("b", "dag-exported", [*rules, rule(age=1)], 1) is None
