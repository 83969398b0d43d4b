"""An audit chooses loaded ledgers, finds manually changed rows, records them, and reports the remedy."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from stellar_etl_airflow.model.batch import Batch, ExportAttempt, ExportedFile, staging_table_id
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import ASSETS, OFFERS, STATE_TABLES, WITHOUT_CAPTIVE_CORE
from stellar_etl_airflow.operators.runtime import TIME_TASK, VERIFY_TASK
from stellar_etl_airflow.tasks.build_apply_gcs_changes_to_bq_task import build_apply_gcs_changes_to_bq_task
from stellar_etl_airflow.tasks.build_check_task import build_check_task
from stellar_etl_airflow.tasks.build_coverage_tasks import build_plan_healing_task
from stellar_etl_airflow.tasks.build_export_task import exported_types
from stellar_etl_airflow.tasks.build_gcs_to_bq_task import build_gcs_to_bq_task
from stellar_etl_airflow.tasks.build_ledger_audit_tasks import (
    build_choose_range_task,
    build_collect_audit_task,
    build_compare_rows_task,
    build_load_audited_task,
    build_record_audit_task,
    build_report_audit_task,
)
from tests.runbook import procedures

HOUR = timedelta(hours=1)
BATCH = {"batch_id": "x", "batch_run_date": "2026-01-01T00:00:00", "batch_insert_ts": "2026-01-01T00:00:00Z"}
FIRST, LAST = 11, 40
RUN = "audit"


def closed_at(ledger):
    return f"2026-01-01T00:{ledger * 5 // 60:02}:{ledger * 5 % 60:02}Z"


def rows_of(table, first, last):
    """Return two rows per ledger, as an export creates them."""
    for ledger in range(first, last + 1):
        common = {"ledger_sequence": ledger, "closed_at": closed_at(ledger), **BATCH}
        for number in (1, 2):
            if table is OFFERS:
                row = {"offer_id": number, "amount": ledger + 0.5, "last_modified_ledger": ledger, "deleted": False}
            else:
                code = f"A{ledger}N{number}"
                row = {"asset_type": "credit_alphanum12", "asset_issuer": "G", "asset_code": code, "asset_id": ledger}
            yield {**common, **row}


@pytest.fixture
def do(make_context, warehouse_server, warehouse_environment):
    """Execute a task of a run, and store the result as its DAG does."""
    _, folder = warehouse_server

    def do(task, run_id=RUN, params=None, group=""):
        task.deferrable = False
        context = make_context(task.task_id, params, dag_id="ledger_audit", run_id=run_id)
        task.pre_execute(context)
        result = task.execute(context)
        if result is not None:
            make_context.xcoms[group + task.task_id, "return_value"] = json.loads(json.dumps(result))
        return result

    def export(table, first, last):
        rows = list(rows_of(table, first, last))
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        name = f"{table.data_type}.txt"
        (folder / "exports").mkdir(parents=True, exist_ok=True)
        (folder / "exports" / name).write_text(lines)
        attempt = ExportAttempt(LedgerRange(first, last), "prefix", "2026-01-01T00:00:00Z")
        file = ExportedFile(f"gs://exports/{name}", len(rows), len(lines))
        times = closed_at(first), closed_at(last)
        batch = Batch(attempt, "a network", last - first + 1, *times, {table.data_type: file})
        make_context.xcoms[VERIFY_TASK, "return_value"] = batch.to_json()

    do.export = export
    return do


@pytest.fixture
def published(client, do):
    """Load offers of all ledgers by one batch."""

    def publish(table=OFFERS, published_at="2026-01-01T01:00:00Z"):
        do.export(table, FIRST, LAST)
        for build in (build_gcs_to_bq_task, build_check_task, build_apply_gcs_changes_to_bq_task):
            do(build(table), run_id="load")
        client.query(
            "INSERT INTO stellar.history_archives_dag_runs "
            "(table_id, start_ledger, end_ledger, row_count, first_closed_at, last_closed_at, published_at) "
            f"VALUES ('{table.table_id}', {FIRST}, {LAST}, 60, TIMESTAMP '{closed_at(FIRST)}', "
            f"TIMESTAMP '{closed_at(LAST)}', TIMESTAMP '{published_at}')"
        ).result()

    return publish


@pytest.fixture
def audit(do, client):
    """Run an audit up to its record; return the chosen ledgers."""

    def audit(table=OFFERS, run_id=RUN, params=None):
        chosen = do(build_choose_range_task(HOUR), run_id, params)
        first, last = chosen["start"], chosen["end"] - 1
        do.export(table, first, last)
        for build in (build_load_audited_task, build_check_task, build_compare_rows_task):
            do(build(table), run_id, params, group=f"{table.data_type}.")
        do(build_collect_audit_task(), run_id, params)
        do(build_record_audit_task(), run_id, params)
        return first, last

    return audit


@pytest.fixture
def stats(client, do):
    """The table of batch stats, which the first query of an empty dataset creates."""
    with pytest.raises(AirflowSkipException, match="no ledgers are complete"):
        do(build_choose_range_task(HOUR))


@pytest.fixture
def sql(client):
    def sql(text):
        return [tuple(row.values()) for row in client.query(text).result()]

    return sql


AUDITS = (
    "SELECT dataset, table_id, start_ledger, end_ledger, row_count, missing_rows, extra_rows, different_rows, "
    "differing_columns, is_healed FROM stellar.ledger_audits WHERE run_id = '{}'"
)
FINDINGS = (
    "SELECT fault, start_ledger, end_ledger, found, differing_columns FROM stellar.ledger_coverage "
    "WHERE run_id = '{}' ORDER BY 1, 2"
)
COMPLETE = "SELECT complete_from, complete_through FROM stellar.ledger_ranges WHERE table_id = 'offers' ORDER BY 1"


@pytest.mark.slow
def test_audit_ledgers_sets_how_many_ledgers_a_run_compares(stats, published, do, warehouse_environment):
    published()
    for size in (1, 7, 500):
        warehouse_environment(audit_ledgers=size)
        chosen = do(build_choose_range_task(HOUR))
        assert chosen["end"] - chosen["start"] <= size
        assert chosen["sample"]["chunks"] == -(-30 // size)
        assert chosen["types"] == ["offers"]
        assert chosen == do(build_choose_range_task(HOUR)), "the run chooses the same ledgers again"
    assert (chosen["start"], chosen["end"]) == (FIRST, LAST + 1)


def test_correct_rows_are_recorded_and_reported_with_the_probability(
    stats, published, audit, do, sql, capsys, warehouse_environment
):
    warehouse_environment(audit_ledgers=10)
    published()
    first, last = audit()
    assert sql(AUDITS.format(RUN)) == [
        ("local.stellar", "offers", first, last, 20, 0, 0, 0, None, False),
    ]
    assert sql(FINDINGS.format(RUN)) == []
    (chances,) = sql("SELECT complete_ledgers, runs_per_year, detection_probability FROM stellar.ledger_audits")
    assert chances[:2] == (30, 8760.0)
    assert chances[2] == pytest.approx(1.0)
    do(build_report_audit_task())
    stdout = capsys.readouterr().out
    assert f"compared ledgers {first} to {last} of 1 tables" in stdout
    assert "compares 10 of 30 complete ledgers; the schedule makes at least 8760 audits a year" in stdout


BY_HAND = (
    "UPDATE stellar.offers SET amount = 7.0, price = 2.0 WHERE offer_id = 1 AND ledger_sequence BETWEEN 12 AND 13",
    "DELETE FROM stellar.offers WHERE offer_id = 2 AND ledger_sequence = 14",
    f"INSERT INTO stellar.offers (offer_id, ledger_sequence, closed_at) VALUES (9, 30, TIMESTAMP '{closed_at(30)}')",
)
ALL = {"start_ledger": FIRST, "end_ledger": LAST}
FOUND = [
    ("different_rows", 12, 13, 2, "amount, price"),
    ("extra_rows", 30, 30, 1, None),
    ("missing_rows", 14, 14, 1, None),
]


@pytest.fixture
def damaged(stats, published, audit, sql):
    published()
    for statement in BY_HAND:
        sql(statement)


def test_manually_changed_rows_fail_the_run_with_all_details(damaged, audit, do, sql):
    assert sql(COMPLETE) == [(FIRST, LAST)]
    assert audit(params=ALL) == (FIRST, LAST)
    assert sql(FINDINGS.format(RUN)) == FOUND
    assert sql(AUDITS.format(RUN)) == [("local.stellar", "offers", 11, 40, 60, 1, 1, 2, "amount, price", False)]
    assert sql(COMPLETE) == [(11, 11), (15, 29), (31, 40)], "the watermark excludes the findings"
    with pytest.raises(AirflowFailException) as failed:
        do(build_report_audit_task(), params=ALL)
    message = str(failed.value)
    for part in (
        "3 findings; the rows of the new export are kept 7 days in local.stellar.TABLE_staging_",
        '{"start_ledger": 11, "end_ledger": 40, "auto_heal": true}',
        "local.stellar.offers, ledgers 12 to 13: 2 rows differ from a new export, in the columns amount, price",
        "local.stellar.offers, ledgers 14 to 14: 1 rows of a new export are missing",
        "local.stellar.offers, ledgers 30 to 30: 1 rows are not in a new export",
    ):
        assert part in message
    assert do(build_plan_healing_task(), params=ALL)["loads"] == []
    do(build_record_audit_task(), params=ALL)
    assert len(sql(AUDITS.format(RUN))) == 1, "a repeated task writes no second row"
    assert sql(FINDINGS.format(RUN)) == FOUND


def test_with_auto_heal_only_ledgers_with_findings_are_reloaded(damaged, audit, do, warehouse_environment):
    warehouse_environment(coverage_auto_heal=True)
    audit(params=ALL)
    do(build_report_audit_task(), params=ALL)
    planned = do(build_plan_healing_task(), params=ALL)
    assert [(run["trigger_dag_id"], run["conf"]) for run in planned["loads"]] == [
        (STATE_TABLES, {"start_ledger": 12, "end_ledger": 14}),
        (STATE_TABLES, {"start_ledger": 30, "end_ledger": 30}),
    ]


def statement_of_the_runbook(staging):
    """Return the statement that deletes rows that the new export lacks, for this test's ledgers and tables."""
    (statement,) = re.findall(r"```sql\n(.*?)```", procedures()["audit-finding"].text, re.S)
    names = {"history_assets": "stellar.history_assets", "STAGING": f"stellar.{staging}"}
    names |= {"70 AND 71": f"{FIRST} AND {LAST}"}
    assert all(statement.count(name) == 1 for name in names)
    return re.sub("|".join(names), lambda found: names[found[0]], statement)


ASSET_RANGES = "SELECT complete_from, complete_through FROM stellar.ledger_ranges WHERE table_id = 'history_assets'"


@pytest.mark.slow
def test_loads_correct_assets_and_a_user_deletes_those_of_other_ledgers(
    stats, published, audit, do, sql, warehouse_environment
):
    warehouse_environment(coverage_auto_heal=True)
    published(ASSETS)
    sql("UPDATE stellar.history_assets SET asset_id = 0 WHERE ledger_sequence = 12 AND asset_code = 'A12N1'")
    sql("DELETE FROM stellar.history_assets WHERE ledger_sequence = 20")
    sql("UPDATE stellar.history_assets SET asset_code = 'GHOST' WHERE ledger_sequence = 30 AND asset_code = 'A30N1'")
    audit(ASSETS, params=ALL)
    with pytest.raises(AirflowFailException) as failed:
        do(build_report_audit_task(), params=ALL)
    assert str(failed.value).startswith("1 findings that loads do not correct; the rows of the new export are kept 7")
    assert (
        "history_assets, ledgers 30 to 30: 1 rows are not in a new export, and loads keep them: delete them, then "
        "audit these ledgers again"
    ) in str(failed.value)
    planned = do(build_plan_healing_task(), params=ALL)["loads"]
    assert [(run["trigger_dag_id"], run["conf"]) for run in planned] == [
        (WITHOUT_CAPTIVE_CORE, {"start_ledger": 12, "end_ledger": 12}),
        (WITHOUT_CAPTIVE_CORE, {"start_ledger": 20, "end_ledger": 20}),
        (WITHOUT_CAPTIVE_CORE, {"start_ledger": 30, "end_ledger": 30}),
    ]
    published(ASSETS, "2999-01-01T00:00:00Z")
    assert sql(ASSET_RANGES) == [(11, 29), (31, 40)], "loads corrected all but one row"
    audit(ASSETS, "again", params=ALL)
    assert [row[:4] for row in sql(FINDINGS.format("again"))] == [("audited", 11, 40, 30), ("kept_rows", 30, 30, 1)]
    assert sql(AUDITS.format("again"))[0][5:8] == (0, 1, 0)
    sql(statement_of_the_runbook(staging_table_id(ASSETS.table_id, "ledger_audit", "again")))
    assert sql("SELECT COUNT(*), COUNTIF(asset_code = 'GHOST') FROM stellar.history_assets") == [(60, 0)]
    audit(ASSETS, "last", params=ALL)
    do(build_report_audit_task(), "last", params=ALL)
    assert sql(ASSET_RANGES) == [(11, 40)], "a later audit of these ledgers ends the finding"


def test_a_table_without_these_ledgers_is_skipped(stats, published, do, make_context):
    published()
    do(build_choose_range_task(HOUR), params=ALL)
    assert exported_types(make_context("export"), ["offers", "accounts"]) == ["offers"]
    with pytest.raises(AirflowSkipException, match="these ledgers were never loaded into history_assets"):
        do(build_load_audited_task(ASSETS))
    del make_context.xcoms[TIME_TASK, "return_value"]
    assert exported_types(make_context("export"), ["offers", "accounts"]) == ["offers", "accounts"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"start_ledger": 1, "end_ledger": 5001}, "are 5001, but an audit compares at most 5000"),
        ({"start_ledger": 900, "end_ledger": 901}, "none of ledgers 900 to 901 are loaded"),
        ({"start_ledger": 5}, "start_ledger"),
    ],
)
def test_a_range_that_cannot_be_audited_is_refused(stats, published, do, params, message):
    published()
    with pytest.raises(AirflowFailException, match=message):
        do(build_choose_range_task(HOUR), params=params)


def test_without_a_comparison_no_findings_are_collected(do):
    with pytest.raises(AirflowSkipException, match="no table was compared"):
        do(build_collect_audit_task())
