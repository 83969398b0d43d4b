"""Changes of ledger entries are published as a log; views show the current entries, and each version of them."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import google.cloud.bigquery as bq
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from stellar_etl_airflow.bigquery.jobs import TARGET_LABEL, target_label
from stellar_etl_airflow.bigquery.tables import WarehouseError
from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile
from stellar_etl_airflow.model.coverage import Finding, healing
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import OFFERS, STATE_TABLES, STATES
from stellar_etl_airflow.model.versions import OPEN_LEDGER, Folded
from stellar_etl_airflow.operators.runtime import VERIFY_TASK
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_audit_tasks import build_checkpoint_task, build_compare_task
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_full_load_task import build_keep_full_load_task, build_merge_full_load_task
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from stellar_etl_airflow.tasks.build_state_fold_task import FoldOperator, build_state_fold_task
from stellar_etl_airflow.tasks.build_state_rebuild_task import build_state_rebuild_task
from tests.bytes_read import bytes_read
from tests.waiting import PATIENCE, wait_until

BATCH = {"batch_id": "x", "batch_run_date": "2026-01-01T00:00:00", "batch_insert_ts": "2026-01-01T00:00:00Z"}


def closed_at(ledger):
    return f"2026-01-01T00:{ledger * 5 // 60:02}:{ledger * 5 % 60:02}Z"


@pytest.fixture
def run(client, warehouse_server, make_context, warehouse_environment):
    """Publish changes of offers for a range of ledgers.

    They are `(offer_id, amount, ledger, deleted)`. In a full load the ledger of the last change follows.
    """
    _, folder = warehouse_server

    def run(first, last, changes, publish=(build_apply_gcs_changes_to_bq_task,)):
        rows = [
            {
                "offer_id": offer,
                "amount": amount,
                "ledger_sequence": ledger,
                "last_modified_ledger": changed[0] if changed else ledger,
                "deleted": deleted,
                "closed_at": closed_at(ledger),
                **BATCH,
            }
            for offer, amount, ledger, deleted, *changed in changes
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        (folder / "exports" / "offers.txt").write_text(lines)
        attempt = ExportAttempt(LedgerRange(first, last), "prefix", "2026-01-01T00:00:00Z")
        file = ExportedFile("gs://exports/offers.txt", len(rows), len(lines))
        batch = Batch(attempt, "a network", last - first + 1, closed_at(first), closed_at(last), {"offers": file})
        make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()
        for build in (build_gcs_to_bq_task, build_check_task, *publish):
            task = build(OFFERS)
            task.deferrable = False
            context = make_context(task.task_id, run_id=f"{first}-{last}")
            task.pre_execute(context)
            result = task.execute(context)
        return result

    return run


@pytest.fixture
def contents(client):
    def contents(table, dataset="stellar"):
        sql = f"SELECT offer_id, amount, ledger_sequence, deleted FROM local.{dataset}.{table} ORDER BY 1, 3"
        return [tuple(row.values()) for row in client.query(sql).result()]

    return contents


FIRST = [(1, 1.0, 10, False), (1, 2.0, 12, False), (2, 5.0, 11, False)]
SECOND = [(1, 2.0, 14, True), (3, 7.0, 15, False)]
NOW = [(2, 5.0, 11, False), (3, 7.0, 15, False)]
HISTORY = [(1, 1.0, 10, 12), (1, 2.0, 12, 14), (2, 5.0, 11, OPEN_LEDGER), (3, 7.0, 15, OPEN_LEDGER)]
CORRECTED = [(1, 1.0, 10, False), (1, 3.0, 12, False)]
"""The corrected first batch: one amount was wrong, and one offer did not exist."""


def test_the_log_the_current_entries_and_each_version_are_published(run, contents, versions):
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    assert contents("offers") == sorted(FIRST + SECOND, key=lambda row: (row[0], row[2]))
    assert contents("offers_current") == NOW
    assert versions() == HISTORY


def test_the_entries_at_a_ledger_are_a_table_function(client, run, fold):
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    for _ in range(2):
        found = {
            ledger: [tuple(row.values()) for row in client.query(AT, bq.QueryJobConfig(query_parameters=[
                bq.ScalarQueryParameter("ledger", "INT64", ledger)])).result()]
            for ledger in (9, 10, 12, 13, 14, 99)
        }  # fmt: skip
        assert found == {
            9: [],
            10: [(1, 1.0)],
            12: [(1, 2.0), (2, 5.0)],
            13: [(1, 2.0), (2, 5.0)],
            14: [(2, 5.0)],
            99: [(2, 5.0), (3, 7.0)],
        }
        fold()


AT = "SELECT offer_id, amount FROM stellar.offers_at(@ledger) ORDER BY 1"


def test_reordered_and_repeated_batches_give_the_same_rows(run, contents):
    run(14, 16, SECOND)
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    assert contents("offers") == sorted(FIRST + SECOND, key=lambda row: (row[0], row[2]))
    assert contents("offers_current") == NOW


@pytest.mark.slow
def test_both_datasets_have_log_and_views(client, run, contents, versions, fold, warehouse_environment):
    client.delete_dataset("public", delete_contents=True, not_found_ok=True)
    client.create_dataset("public")
    warehouse_environment(public_dataset="public")
    jobs = run(10, 13, FIRST)["jobs"]
    assert [job.rsplit("_", 3)[-3] for job in jobs] == ["private", "public"]
    read = {name for job in jobs for name in client.get_job(job).query.split("`") if ".offers" in name}
    assert {name.partition("_staging")[0] for name in read} == {"local.stellar.offers", "local.public.offers"}, (
        "a batch reads no versions, however many there are"
    )
    assert (
        contents("offers_current", "public") == contents("offers_current") == [(1, 2.0, 12, False), (2, 5.0, 11, False)]
    )
    jobs = fold()["jobs"]
    assert [job.rsplit("_", 3)[-3] for job in jobs] == ["private", "public"]
    assert versions("public") == versions()
    run(10, 13, CORRECTED)
    assert contents("offers_current", "public") == contents("offers_current") == [(1, 3.0, 12, False)]
    client.delete_dataset("public", delete_contents=True)


@pytest.mark.slow
def test_a_batch_reads_the_same_bytes_for_any_size_of_the_state(client, run, fold):
    """The state is the older changes and the versions: 10, 100 and 1,000 entries."""

    def query(sql, times=()):
        parameters = [bq.ScalarQueryParameter(name, "TIMESTAMP", times[name]) for name in times]
        return client.query(sql, bq.QueryJobConfig(query_parameters=parameters)).result()

    run(10, 13, FIRST)
    fold()
    read, state, entries = [], [], "offer_id, amount, ledger_sequence, deleted, closed_at"
    for first, last in ((100, 109), (110, 199), (200, 1099)):
        rows = "SELECT n, 1.0, 5, FALSE, TIMESTAMP_SUB(TIMESTAMP '2026-01-01', INTERVAL MOD(n, 100) + 1 DAY){}"
        rows += f" FROM UNNEST(GENERATE_ARRAY({first}, {last})) AS n"
        ends = f", {OPEN_LEDGER}, TIMESTAMP '2100-01-01'"
        query(f"INSERT INTO stellar.offers ({entries}) {rows.format('')}")
        query(f"INSERT INTO stellar.offers_versions ({entries}, valid_to_ledger, valid_to) {rows.format(ends)}")
        begun = datetime.now(UTC)
        run(14, 16, SECOND)
        jobs = [job for job in client.list_jobs(min_creation_time=begun) if job.job_type == "query"]
        assert {"check", "merge_private"} <= {job.labels.get("stellar_job") for job in jobs}
        read.append(sum(bytes_read(job.query, timestamps_of(job), query) for job in jobs))
        state.append(sum(bytes_read(f"SELECT 1 FROM local.stellar.{one}", {}, query) for one in STATE))
    assert state[2] > 50 * state[0]
    assert read[0] == read[1] == read[2] > 0


STATE = ("offers", "offers_versions")


def timestamps_of(job):
    return {one.name: one.value for one in job.query_parameters if getattr(one, "type_", "") == "TIMESTAMP"}


# Faults of folds ---------------------------------------------------------------------------------------------------

DAYS = 4077
"""The days of the public network, from its first ledger to November 2026: a fold has three statements."""


def dies(fold, number, way, run_id):
    """Run a fold in a separate process, which is killed before or after the steps between two of its statements."""
    process = os.fork()
    if process == 0:
        steps = FoldOperator.before

        def before(operator, context, warehouse, now):
            if way == "after":
                steps(operator, context, warehouse, now)
            if now == number:
                os.kill(os.getpid(), signal.SIGKILL)
            if way == "before":
                steps(operator, context, warehouse, now)

        FoldOperator.before = before
        try:
            fold(run_id)
        finally:
            os._exit(1)  # the test kills it
    _, status = os.waitpid(process, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, "the fold ended before the kill"


@pytest.mark.slow
def test_a_fold_that_is_killed_between_statements_continues_and_readers_see_the_same_rows(client, run, fold, versions):
    run(10, 13, [])
    client.query(
        "INSERT INTO stellar.offers (offer_id, amount, deleted, ledger_sequence, closed_at) "
        "SELECT MOD(n, 7), n / 2, MOD(n, 11) = 0, n, TIMESTAMP_ADD(TIMESTAMP '2014-10-01', INTERVAL n DAY) "
        f"FROM UNNEST(GENERATE_ARRAY(1, {DAYS})) AS n"
    ).result()
    expected = versions()
    assert len(expected) > DAYS / 2
    # The last tries run fewer statements, because folded changes are not folded again.
    for number, way in ((0, "before"), (0, "after"), (1, "before"), (1, "after"), (1, "before"), (1, "after")):
        dies(fold, number, way, "killed")
        assert versions() == expected, f"after the try that was killed {way} the steps of statement {number}"
    fold("killed")
    assert versions() == expected
    (row,) = client.query("SELECT COUNT(*) AS n FROM stellar.offers_versions").result()
    assert row["n"] == len(expected), "the views read everything from the versions"


@pytest.mark.slow
def test_a_fold_waits_for_the_merge_of_a_lost_worker(client, run, fold, versions, caplog):
    """The pool is free again, while the merge still runs."""
    run(10, 13, FIRST)
    config = bq.QueryJobConfig(labels={TARGET_LABEL: target_label("local.stellar.offers")})
    numbers = "UNNEST(GENERATE_ARRAY(1, 60000)) AS a, UNNEST(GENERATE_ARRAY(1, 10000000)) AS b"
    busy = client.query(f"SELECT COUNT(*) FROM {numbers} WHERE a < b", config)
    merge = client.query("UPDATE stellar.offers SET amount = 9 WHERE ledger_sequence = 11", config)
    with ThreadPoolExecutor() as pool, caplog.at_level("INFO"):
        ended = pool.submit(fold)
        try:
            wait_until(lambda: "waiting for the jobs that write the same table" in caplog.text, "the fold did not wait")
        finally:
            client.cancel_job(busy.job_id)
        jobs = ended.result(PATIENCE)["jobs"]
    assert (2, 9.0, 11, OPEN_LEDGER) in versions()
    folded = client.get_job(jobs[0])
    assert folded.created >= client.get_job(merge.job_id).ended
    (row,) = client.query("SELECT amount FROM stellar.offers_versions WHERE offer_id = 2").result()
    assert row["amount"] == 9.0


FULL_LOAD = (build_keep_full_load_task, build_merge_full_load_task)


def test_a_full_load_begins_the_state_and_keeps_the_changes(run, contents, versions):
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    run(14, 14, [(2, 6.0, 14, False), (4, 1.0, 14, False)], FULL_LOAD)
    assert contents("offers") == sorted(FIRST + SECOND, key=lambda row: (row[0], row[2]))
    assert contents("offers_current") == [(2, 6.0, 14, False), (3, 7.0, 15, False), (4, 1.0, 14, False)]
    assert versions()[2:4] == [(2, 5.0, 11, 14), (2, 6.0, 14, OPEN_LEDGER)]


@pytest.mark.slow
def test_an_entry_that_a_full_load_confirms_stays(run, contents):
    run(10, 13, FIRST)
    run(14, 14, [(2, 5.0, 14, False, 11)], FULL_LOAD)
    assert contents("offers_current") == [(2, 5.0, 11, False)]


def test_a_full_load_removes_versions_whose_changes_were_removed(run, versions, fold):
    run(10, 13, FIRST)
    fold()
    run(11, 13, [])
    run(20, 20, [(3, 7.0, 20, False)], FULL_LOAD)
    assert versions() == [(1, 1.0, 10, 20), (3, 7.0, 20, OPEN_LEDGER)]


AUDIT = (build_compare_task,)


@pytest.mark.parametrize("folds", [False, True])
def test_an_audit_names_the_ledgers_whose_entries_differ_from_the_archive(run, fold, folds):
    """In the archive offer 2 has another amount, 3 is missing, and 4 is additional."""
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    if folds:
        fold()
    assert run(15, 15, [(2, 5.0, 15, False, 11), (3, 7.0, 15, False, 15)], AUDIT)["findings"] == []
    found = run(15, 15, [(2, 6.0, 15, False, 12), (4, 1.0, 15, False, 13)], AUDIT)["findings"]
    assert [(one["fault"], one["start_ledger"], one["end_ledger"]) for one in found] == [
        ("not_as_archive", 11, 13),
        ("not_as_archive", 15, 15),
    ]
    plan = healing([Finding.from_json(one) for one in found])
    assert plan.loads == ((STATE_TABLES, LedgerRange(11, 13)), (STATE_TABLES, LedgerRange(15, 15)))
    assert (plan.folds, plan.rebuilds, plan.derived) == (("offers",), (), ())
    assert run(13, 13, [(1, 2.0, 13, False, 12), (2, 5.0, 13, False, 11)], AUDIT)["findings"] == []


def test_an_audit_uses_the_newest_checkpoint_of_all_tables(client, warehouse_environment, make_context):
    def chosen(**params):
        task = build_checkpoint_task()
        task.deferrable = False
        context = make_context(task.task_id, params)
        task.pre_execute(context)
        return task.execute(context)

    columns = (("table_id", "STRING"), ("start_ledger", "INTEGER"), ("end_ledger", "INTEGER"))
    fields = [bq.SchemaField(*one) for one in columns]
    stats = client.create_table(bq.Table("local.stellar.history_archives_dag_runs", [
        *fields, bq.SchemaField("last_closed_at", "TIMESTAMP")]))  # fmt: skip
    tables = [table.table_id for table in STATES.values()]
    client.insert_rows(stats, [{"table_id": one, "end_ledger": 200} for one in tables[1:]])
    with pytest.raises(AirflowSkipException, match="no checkpoint is loaded into all tables"):
        chosen()
    client.insert_rows(stats, [{"table_id": tables[0], "end_ledger": ledger} for ledger in (100, 190)])
    assert chosen() == {"start": 127, "end": 128}
    assert chosen(checkpoint_ledger=63) == {"start": 63, "end": 64}


def test_a_full_load_with_a_duplicate_entry_is_refused_before_the_merge(run, contents):
    """BigQuery would fail the merge: at most one row of the source may match a row of the target."""
    run(10, 13, FIRST)
    with pytest.raises(AirflowFailException, match="1 rows that repeat another row's key"):
        run(14, 14, [(2, 5.0, 14, False), (2, 6.0, 14, False)], FULL_LOAD)
    with pytest.raises(AirflowFailException, match="1 rows whose ledger is not in the batch"):
        run(14, 14, [(2, 5.0, 14, False), (2, 6.0, 13, False)], FULL_LOAD)
    assert contents("offers_current") == [(1, 2.0, 12, False), (2, 5.0, 11, False)]


@pytest.mark.slow
def test_only_changes_after_a_full_load_enter_the_state(run, contents):
    run(13, 13, [(2, 5.0, 13, False)], FULL_LOAD)
    run(10, 13, FIRST)
    assert contents("offers_current") == [(2, 5.0, 13, False)]
    run(14, 16, SECOND)
    assert contents("offers_current") == [(2, 5.0, 13, False), (3, 7.0, 15, False)]
    assert len(contents("offers")) == 5


def test_a_full_load_older_than_the_stored_one_changes_nothing(run, contents):
    run(15, 15, [(3, 7.0, 15, False)], FULL_LOAD)
    jobs = run(12, 12, [(1, 2.0, 12, False)], FULL_LOAD)["jobs"]
    assert (jobs, contents("offers_current")) == ([], [(3, 7.0, 15, False)])


@pytest.mark.slow
def test_a_rebuild_begins_with_the_full_load_even_if_it_is_empty(client, run, contents, fold, rebuild):
    run(10, 13, FIRST)
    run(14, 14, [], FULL_LOAD)
    run(15, 16, SECOND[1:])
    fold()
    client.query("DELETE FROM local.stellar.offers_versions WHERE TRUE").result()
    assert contents("offers_current") == []
    rebuild()
    assert contents("offers_current") == [(3, 7.0, 15, False)]


@pytest.fixture
def versions(client):
    def versions(dataset="stellar"):
        sql = f"SELECT offer_id, amount, valid_from_ledger, valid_to_ledger FROM local.{dataset}.offers_history"
        return sorted(tuple(row.values()) for row in client.query(sql).result())

    return versions


@pytest.fixture
def fold(make_context, warehouse_environment):
    def fold(run_id="fold", run_type="manual"):
        task = build_state_fold_task(OFFERS)
        task.deferrable = False
        context = make_context(task.task_id, run_id=run_id)
        context["dag_run"].run_type = run_type
        task.pre_execute(context)
        return task.execute(context)

    return fold


@pytest.fixture
def rebuild(make_context):
    def rebuild(table=None, run_id="rebuild"):
        task = build_state_rebuild_task(OFFERS)
        task.deferrable = False
        context = make_context(task.task_id, {"table": table}, run_id=run_id)
        task.pre_execute(context)
        task.execute(context)

    return rebuild


def test_a_rebuild_repairs_a_damaged_state(client, run, contents, versions, fold, rebuild):
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    fold()
    client.query("UPDATE local.stellar.offers_versions SET amount = 99.0 WHERE TRUE").result()
    client.query(
        "INSERT INTO local.stellar.offers_versions (offer_id, ledger_sequence, deleted, valid_to_ledger, valid_to) "
        f"VALUES (9, 9, FALSE, {OPEN_LEDGER}, TIMESTAMP '2100-01-01')"
    ).result()
    assert contents("offers_current") != NOW
    rebuild("offers")
    assert (contents("offers_current"), versions()) == (NOW, HISTORY)


def mark(client):
    return Folded.from_labels(client.get_table("local.stellar.offers_versions").labels)


def test_a_correction_of_folded_ledgers_is_visible_at_once_and_folded_again(client, run, contents, versions, fold):
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    fold()
    assert mark(client).ledger == 16
    assert (contents("offers_current"), versions()) == (NOW, HISTORY)
    run(10, 13, CORRECTED)
    expected = [(1, 1.0, 10, 12), (1, 3.0, 12, 14), (3, 7.0, 15, OPEN_LEDGER)]
    assert (contents("offers_current"), versions(), mark(client).ledger) == (NOW[1:], expected, 10)
    fold("again")
    assert (contents("offers_current"), versions(), mark(client).ledger) == (NOW[1:], expected, 16)
    assert contents("offers_versions") == sorted(
        [(1, 1.0, 10, False), (1, 3.0, 12, False), (3, 7.0, 15, False)], key=lambda row: (row[0], row[2])
    )


@pytest.mark.slow
def test_ledgers_much_older_than_the_fold_wait_for_the_next_fold(client, run, contents, fold):
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    fold()
    folded = mark(client)
    note(client, replace(folded, time=folded.time + timedelta(days=31)))
    run(10, 13, CORRECTED)
    assert (contents("offers_current"), mark(client).dirty_ledger, mark(client).ledger) == (NOW, 10, 16)
    note(client, replace(mark(client), time=folded.time))
    fold("next")
    assert (contents("offers_current"), mark(client).dirty_ledger, mark(client).ledger) == (NOW[1:], None, 16)


def note(client, folded):
    table = client.get_table("local.stellar.offers_versions")
    table.labels = {**table.labels, **folded.to_labels()}
    client.update_table(table, ["labels"])


@pytest.mark.slow
def test_the_schedule_folds_a_long_tail_and_skips_a_short_one(client, run, fold, warehouse_environment):
    run(10, 13, FIRST)
    warehouse_environment(state_tail_hours=24 * 365 * 100)
    with pytest.raises(AirflowSkipException, match="no fold is due"):
        fold("early", run_type="scheduled")
    warehouse_environment(state_tail_hours=24)
    fold("first", run_type="scheduled")
    assert mark(client).ledger == 13
    run(14, 16, SECOND)
    with pytest.raises(AirflowSkipException, match="no fold is due"):
        fold("second", run_type="scheduled")
    assert mark(client).ledger == 13


def test_a_fold_before_the_first_load_is_skipped(client, fold):
    with pytest.raises(AirflowSkipException, match="no offers are loaded yet"):
        fold()


def test_a_fold_that_died_before_writing_the_labels_is_repeated(client, run, contents, versions, fold, monkeypatch):
    run(10, 13, FIRST)
    run(14, 16, SECOND)
    with monkeypatch.context() as dying:
        dying.setattr(FoldOperator, "done", lambda *_: None)
        fold()
    assert (mark(client).ledger, contents("offers_current"), versions()) == (1, NOW, HISTORY)
    run(10, 13, CORRECTED)
    fold()
    assert (mark(client).ledger, contents("offers_current")) == (16, NOW[1:])


def test_a_point_in_time_table_of_an_earlier_release_is_an_error(client, run):
    client.create_table(bq.Table("local.stellar.offers_state", schema=[bq.SchemaField("x", "STRING")]))
    with pytest.raises(WarehouseError, match=r"offers_state is a point-in-time table .* stellar_etl_airflow.upgrade"):
        run(10, 13, FIRST)


def test_modified_labels_are_an_error(client, run):
    run(10, 13, FIRST)
    table = client.get_table("local.stellar.offers_versions")
    table.labels = {"fold_ledger": "5"}
    client.update_table(table, ["labels"])
    with pytest.raises(WarehouseError, match=r"offers_versions: its labels \(fold_ledger=5\) have no valid mark"):
        run(14, 16, SECOND)


def test_a_rebuild_of_another_table_changes_nothing(run, rebuild):
    run(10, 13, FIRST)
    with pytest.raises(AirflowSkipException, match="the run is for accounts"):
        rebuild("accounts")


def test_a_table_with_a_views_name_is_not_replaced(client, run):
    client.create_table(bq.Table("local.stellar.offers_current", schema=[bq.SchemaField("x", "STRING")]))
    with pytest.raises(WarehouseError, match="local.stellar.offers_current is not a view"):
        run(10, 13, FIRST)
