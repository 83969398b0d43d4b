"""Declarations of outbound exports: the shipped ones are valid, and each kind of mistake is named with its place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.outbound import (
    SOURCES,
    check_declarations,
    declared,
    find_declaration,
    read_declaration,
)
from stellar_etl_airflow.tasks.build_outbound_schedule_tasks import due

RIGHT = {
    "description": "Accounts",
    "table": "accounts_current",
    "key": ["account_id"],
    "columns": ["account_id", "balance"],
    "mode": "full",
    "sink": {"kind": "http", "connection": "c", "secret": "projects/p/secrets/s/versions/latest"},
}
DELTA = {"table": "accounts", "ledger": "ledger_sequence"}
FILES = {"kind": "files", "format": "avro", "prefix": "p"}


def sink(**changes):
    return {"sink": {**RIGHT["sink"], **changes}}


def test_the_shipped_declarations_are_valid():
    assert check_declarations() == []
    assert {path.stem for path in declared().values()} == {"asset_holders", "trades"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": "delta", "delta": DELTA},
        {"sink": FILES},
        {"schedule": "0 3 * * *"},
        sink(secret="vault:secret/data/crm#token"),
        {"engine": {"flexrs": True, "on_kill": "cancel"}},
    ],
)
def test_a_valid_declaration_is_accepted(tmp_path, changes):
    (tmp_path / "people.yaml").write_text(yaml.safe_dump({**RIGHT, **changes}))
    assert check_declarations(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"column_names": []}, "column_names: Extra inputs are not permitted"),
        ({"columns": []}, "columns: List should have at least 1 item"),
        ({"columns": ["account_id", "ACCOUNT_ID"]}, "'columns' names a column twice"),
        ({"columns": ["account_id; DROP"]}, r"columns.1|columns.0: String should match pattern"),
        ({"key": ["balance", "flags"]}, "'key' has flags, which 'columns' lacks"),
        ({"table": "accountz"}, "unknown table 'accountz'; did you mean 'accounts'?"),
        ({"query": "q.sql"}, "either 'query' or 'table'"),
        ({"mode": "delta"}, "mode 'delta' needs 'delta'"),
        ({"delta": DELTA}, "mode 'delta' needs 'delta'"),
        ({"mode": "delta", "delta": {**DELTA, "table": "accountz"}}, "did you mean 'accounts'?"),
        ({"schedule": "at noon"}, "schedule: 'at noon' is not a cron expression"),
        ({"sink": {"kind": "ftp"}}, "sink: Input tag 'ftp' found"),
        (sink(batch={"rows": 5001}), "sink.http.batch.rows: Input should be less than or equal to 5000, not 5001"),
        (sink(lanes=0), "sink.http.lanes: Input should be greater than or equal to 1, not 0"),
        (sink(on_unknown="maybe"), "sink.http.on_unknown: Input should be 'resend' or 'hold'"),
        (sink(url="https://crm.example"), "sink.http.url: Extra inputs are not permitted"),
        ({"engine": {"region": "here"}}, "engine.region: String should match pattern"),
        ({"sink": {**FILES, "format": "csv"}}, "sink.files.format: Input should be 'parquet', 'avro' or 'ndjson'"),
    ],
)
def test_an_invalid_declaration_is_named(tmp_path, changes, message):
    (tmp_path / "people.yaml").write_text(yaml.safe_dump({**RIGHT, **changes}))
    (found,) = check_declarations(tmp_path)
    assert found.startswith("outbound export people.yaml: ")
    with pytest.raises(SettingsError, match=message):
        read_declaration(tmp_path / "people.yaml")


@pytest.mark.parametrize("secret", ["hunter2", "Bearer abc", "projects/p/secrets/s", "vault:mine", "${TOKEN}"])
def test_a_literal_secret_is_refused_and_never_shown(tmp_path, secret):
    (tmp_path / "people.yaml").write_text(yaml.safe_dump({**RIGHT, **sink(secret=secret)}))
    (found,) = check_declarations(tmp_path)
    assert "sink.http.secret: it must be projects/P/secrets/S/versions/V or vault:path#field" in found
    assert secret not in found


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (None, "can't be read: No such file"),
        ("SELECT 1 FROM {accountz}", "unknown table 'accountz'; did you mean 'accounts'?"),
        ("SELECT '{' FROM {accounts}", "braces may only contain names of tables"),
        ("SELECT @last_closed_at FROM {accounts}", "@last_closed_at has a value in exports of mode 'delta' only"),
    ],
)
def test_an_invalid_query_is_named(tmp_path, query, message):
    changed = {key: value for key, value in RIGHT.items() if key != "table"}
    (tmp_path / "people.yaml").write_text(yaml.safe_dump({**changed, "query": "people.sql"}))
    if query:
        (tmp_path / "people.sql").write_text(query)
    (found,) = check_declarations(tmp_path)
    assert message in found


@pytest.mark.parametrize(
    "condition", ["", "WHERE closed_at >= @first_closed_at", "WHERE a = @last_closed_at2 AND b = @first_closed_at"]
)
def test_the_query_of_a_delta_export_binds_the_close_time(tmp_path, condition):
    changed = {key: value for key, value in RIGHT.items() if key != "table"}
    declared = {**changed, "query": "people.sql", "mode": "delta", "delta": DELTA}
    (tmp_path / "people.yaml").write_text(yaml.safe_dump(declared))
    (tmp_path / "people.sql").write_text(f"SELECT * FROM {{accounts}} {condition}")
    (found,) = check_declarations(tmp_path)
    assert "WHERE closed_at BETWEEN @first_closed_at AND @last_closed_at" in found


@pytest.mark.parametrize(
    ("table", "column"), [("trades", "ledger_closed_at"), ("accounts", "closed_at"), ("accounts_current", "closed_at")]
)
def test_a_delta_export_of_a_table_binds_its_close_time(tmp_path, table, column):
    (tmp_path / "all.yaml").write_text(yaml.safe_dump({**RIGHT, "table": table, "mode": "delta", "delta": DELTA}))
    query = read_declaration(tmp_path / "all.yaml").sql({table: "`p.d.t`"})
    assert query == f"SELECT * FROM `p.d.t` WHERE `{column}` BETWEEN @first_closed_at AND @last_closed_at"


def test_files_and_exports_have_valid_names(tmp_path):
    (tmp_path / "Two Words.yaml").write_text(yaml.safe_dump(RIGHT))
    (tmp_path / "broken.yaml").write_text("a: [")
    found = check_declarations(tmp_path)
    assert "outbound export broken.yaml is not YAML" in found[1]
    assert "lowercase letters, digits and _" in found[0]
    with pytest.raises(SettingsError, match="unknown outbound export 'trade'; did you mean 'trades'?"):
        find_declaration("trade")
    assert {"trades", "trustlines_current"} <= set(SOURCES)


def at(text):
    return datetime.fromisoformat(f"2026-01-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "start", "end", "expected"),
    [
        ("0 3 * * *", "01T02:50", "01T03:00", "01T03:00"),
        ("0 3 * * *", "01T03:00", "01T03:10", None),
        ("*/5 * * * *", "01T03:00", "01T03:10", "01T03:10"),
        ("7 * * * *", "01T03:00", "01T03:10", "01T03:07"),
        ("0 3 * * *", "01T00:00", "04T00:00", "03T03:00"),
    ],
)
def test_an_export_is_due_once_per_scheduled_time(schedule, start, end, expected):
    assert due(schedule, at(start), at(end)) == (at(expected) if expected else None)
