"""Certificates from the warehouse and their verification from the lake agree on every table, and detect any change."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import google.cloud.bigquery as bq
import pytest

from stellar_etl import certificate as of_lake
from stellar_etl.schema_files import Column
from stellar_etl.sources.lake import open_lake
from stellar_etl_airflow.bigquery.tables import NETWORK_LABEL
from stellar_etl_airflow.certify import CERTIFIED, CertificateError, chain, main, parse_ledgers
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.sql.digests import encoded
from stellar_etl_airflow.sql.statement import Statement
from tests.dags.sql.reference import Reference
from tests.dags.sql.statements import fields
from tests.dags.sql.statements import name as table_of
from tests.local import emulators
from tests.shared import REPO
from tests.stellar_etl.program import PROGRAM, succeed

FIRST, LAST = 3, 42
LEDGERS = LedgerRange(FIRST, LAST)
EXTRA = "batch_id=x,batch_run_date=2026-01-01T00:00:00,batch_insert_ts=2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def published(warehouse_server, lake, tmp_path_factory):
    """Load every table of the sample network's ledgers into a separate dataset; return the client."""
    folder = tmp_path_factory.mktemp("certified")
    arguments = ("-s", FIRST, "-e", LAST, "--datastore-path", lake, "-o", folder, "-u", EXTRA)
    succeed("export_all_history", *arguments)
    succeed("export_ledger_entry_changes", *arguments, "-b", LAST)
    client = emulators.bigquery_client(warehouse_server[0])
    client.create_dataset("certified")
    files = warehouse_server[1] / "certified"
    files.mkdir(parents=True)
    config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", write_disposition="WRITE_APPEND")
    for table in CERTIFIED.values():
        schema = [bq.SchemaField.from_api_repr(one) for one in fields(table)]
        client.create_table(bq.Table(f"local.certified.{table.table_id}", schema))
        text = (folder / f"{FIRST}-{LAST}-{table.data_type}.txt").read_text()
        if text:
            (files / table.table_id).write_text(text)
            uri = f"gs://certified/{table.table_id}"
            client.load_table_from_uri(uri, f"local.certified.{table.table_id}", job_config=config).result()
    dataset = client.get_dataset("local.certified")
    dataset.labels = {NETWORK_LABEL: "0123456789abcdef"}
    client.update_dataset(dataset, ["labels"])
    return client


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    """The shipped Variables, with the datasets of this test."""
    shipped = json.loads((REPO / "airflow_variables.json").read_text())
    path = tmp_path_factory.mktemp("variables") / "variables.json"
    own = {
        "bq_project": "local",
        "bq_dataset": "certified",
        "public_dataset": "copied",
        "schema_filepath": str(REPO / "schemas"),
    }
    path.write_text(json.dumps(shipped | own))
    return path


@pytest.fixture(scope="module")
def certify(published, variables, warehouse_server):
    """Run the program in this process, which has imported its packages; return what a completed process would have."""

    def certify(*arguments):
        out, error = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(error):
            patch.setenv("BIGQUERY_EMULATOR_HOST", warehouse_server[0].url)
            patch.setattr(sys, "argv", ["certify", "--variables", str(variables), *arguments])
            status = main()
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), error.getvalue())

    return certify


@pytest.fixture(scope="module")
def certificate(published, variables, warehouse_server, tmp_path_factory):
    """Write the certificate of all ledgers of the sample network to a file, with the program in its own process."""
    path = tmp_path_factory.mktemp("certificate") / "certificate.json"
    program = [sys.executable, "-m", "stellar_etl_airflow.certify", "--variables", str(variables)]
    environment = {"BIGQUERY_EMULATOR_HOST": warehouse_server[0].url, "PYTHONPATH": str(REPO / "dags")}
    done = subprocess.run(
        [*program, "--ledgers", f"{FIRST}-{LAST}", "--output", str(path)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return path


def verify(path, lake):
    command = [PROGRAM, "verify-certificate", str(path), "--datastore-path", str(lake)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_warehouse_and_lake_have_the_same_digest_of_every_table(certificate, lake):
    found = json.loads(certificate.read_text())
    assert found["tables"].keys() == CERTIFIED.keys() == of_lake.CERTIFIED.keys()
    with_rows = {data_type for data_type, table in found["tables"].items() if table["rows"]}
    assert with_rows >= CERTIFIED.keys() - {"restored_key"}
    columns = {data_type: table["columns"] for data_type, table in found["tables"].items()}
    recomputed = of_lake.recompute(open_lake(str(lake), "pubnet"), FIRST, LAST, columns)
    assert {key: found[key] for key in ("headers", "counts")} == {key: recomputed[key] for key in ("headers", "counts")}
    for data_type, table in found["tables"].items():
        ours = {key: table[key] for key in ("rows", "digest")}
        assert (data_type, ours) == (data_type, recomputed["tables"][data_type])


def test_a_certificate_is_verified_with_the_lake_only(certificate, lake):
    done = verify(certificate, lake)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"agrees with the lake: ledgers {FIRST} to {LAST}" in done.stdout
    assert json.loads(certificate.read_text())["network"] == "0123456789abcdef"


CHANGES_BY_HAND = {
    "operations": "UPDATE `local.certified.history_operations` SET source_account = 'G' WHERE ledger_sequence = 20",
    "effects": "DELETE FROM `local.certified.history_effects` WHERE ledger_sequence = 30",
    "accounts": "UPDATE `local.certified.accounts` SET balance = balance + 0.0000001 WHERE ledger_sequence = 12",
}


@pytest.mark.parametrize(
    "data_type", ["operations", *(pytest.param(one, marks=pytest.mark.slow) for one in ("effects", "accounts"))]
)
def test_a_manually_changed_row_is_found(data_type, published, certify, lake, tmp_path):
    table = f"local.certified.{CERTIFIED[data_type].table_id}"
    published.query(f"CREATE TABLE `local.certified.kept_{data_type}` AS SELECT * FROM `{table}`").result()
    published.query(CHANGES_BY_HAND[data_type]).result()
    try:
        path = tmp_path / "changed.json"
        assert certify("--ledgers", f"{FIRST}-{LAST}", "--output", str(path)).returncode == 0
        done = verify(path, lake)
        assert done.returncode == 1
        assert f"differs from the lake: tables.{data_type}." in done.stderr
        others = {one for one in CERTIFIED if f"tables.{one}." in done.stderr}
        assert others == {data_type}
    finally:
        published.query(f"TRUNCATE TABLE `{table}`").result()
        published.query(f"INSERT INTO `{table}` SELECT * FROM `local.certified.kept_{data_type}`").result()


@pytest.mark.slow
def test_the_public_dataset_is_compared_with_the_private_one(published, certify):
    """The comparison goes ledger by ledger, for any order of rows."""
    published.create_dataset("copied")
    for table in CERTIFIED.values():
        published.copy_table(f"local.certified.{table.table_id}", f"local.copied.{table.table_id}").result()
    arguments = ("--ledgers", f"{FIRST}-{LAST}", "--against", "local.copied")
    done = certify(*arguments)
    assert (done.returncode, done.stdout) == (0, "local.certified and local.copied have the same rows\n"), done.stderr
    rows = "FROM `local.copied.history_effects` WHERE ledger_sequence = 30"
    (found,) = next(iter(published.query(f"SELECT COUNT(*) {rows}").result())).values()
    published.query(f"DELETE {rows}").result()
    published.query("UPDATE `local.copied.history_ledgers` SET base_fee = 7 WHERE sequence = 12").result()
    done = certify(*arguments)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "history_ledgers, ledger 12: 1 rows in local.certified and 1 in local.copied differ",
        f"history_effects, ledger 30: {found} rows in local.certified and 0 in local.copied differ",
    ]


def test_a_part_of_the_range_has_a_separate_certificate(certify, lake, tmp_path):
    path = tmp_path / "part.json"
    assert certify("--ledgers", "10-12", "--output", str(path)).returncode == 0
    assert verify(path, lake).returncode == 0


@pytest.mark.parametrize(
    ("ledgers", "message"),
    [
        ("10", "write it like 100-199"),
        ("12-10", "write it like 100-199"),
        ("1-100001", "a certificate has at most 100000"),
        ("40-50", "the table has 3 of ledgers 40 to 50"),
        ("900-901", "none of ledgers 900 to 901 are loaded"),
    ],
)
def test_a_range_that_cannot_be_certified_is_named(certify, ledgers, message):
    done = certify("--ledgers", ledgers)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_chain_has_no_certificate():
    links = [{"sequence": n, "ledger_hash": f"h{n}", "previous_ledger_hash": f"h{n - 1}"} for n in (5, 6, 7)]
    assert chain(links, LedgerRange(5, 7))["previous_hash"] == "h4"
    links[2]["previous_ledger_hash"] = "x"
    with pytest.raises(CertificateError, match="previous hash in ledger 7 is not"):
        chain(links, LedgerRange(5, 7))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": "other", "start_ledger": 1, "end_ledger": 2, "tables": {}}']
)
def test_an_invalid_certificate_file_is_named(text, lake, tmp_path):
    path = tmp_path / "file"
    path.write_text(text)
    done = verify(path, lake)
    assert done.returncode == 1
    assert "is not a certificate" in done.stderr


# Values -------------------------------------------------------------------------------------------------------------

VALUES = {
    "FLOAT": [
        0.1, -2.5e-7, 1e300, 5e-324, 0.0, -0.0, 100.0, 922337203685.4775807, "NaN", "Infinity", "-Infinity", None,
    ],
    "NUMERIC": ["1.5", "100", "0", "-0.000000001", "99999999999999999999999999999.999999999", "10.10", None],
    "INTEGER": [0, -1, 1 << 62, None],
    "BOOLEAN": [True, False, None],
    "TIMESTAMP": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z", "1969-12-31T23:59:59.5Z", None],
    "STRING": ["", "-", "3:abc", "é\N{WINKING FACE}", 'a"\\\n<&>', None],
    "BYTES": ["", "AQL/", None],
    "JSON": [
        {"b": [1, 2.5, True, None], "a": {"z": "é<&>\u2028", "y": ""}},
        {"a": 1e-7, "b": [1e22, 0.00001234, 100.0, -2.5, 7, -7], "c": "1.5"},
        [], {}, "text", 0, 12345678901234567, "\u0001\"\\/", None,
    ],
}  # fmt: skip


@pytest.mark.parametrize("type_", VALUES)
@pytest.mark.parametrize("repeated", [False, True])
def test_difficult_values_have_one_form_in_bigquery_and_python(type_, repeated):
    """Google's own evaluator computes BigQuery's form."""
    given = [VALUES[type_][:-1], []] if repeated else VALUES[type_]
    if repeated and type_ == "JSON":
        pytest.skip("no table has a list of JSON")
    field = {"name": "value", "type": type_, "mode": "REPEATED" if repeated else "NULLABLE"}
    quoted = table_of("values")
    rows = [{"place": place, "value": value} for place, value in enumerate(given)]
    place = {"name": "place", "type": "INTEGER", "mode": "NULLABLE"}
    reference = Reference({quoted: [place, field]}, {quoted: rows})
    sql = f"SELECT {encoded(field, 't.value')} AS text FROM {quoted} AS t ORDER BY t.place"
    ours = [of_lake.encoded(Column(type_, field["mode"]), value) for value in given]
    assert [row["text"] for row in reference.query(Statement(sql))] == ours
    assert len(set(ours)) >= len(ours) - (type_ == "FLOAT" and not repeated), "only 0 and -0 have one form"


def test_records_have_one_form_in_bigquery_and_python():
    inner = {"name": "parts", "type": "RECORD", "mode": "REPEATED", "fields": [
        {"name": "n", "type": "INTEGER", "mode": "NULLABLE"}, {"name": "tags", "type": "STRING", "mode": "REPEATED"},
    ]}  # fmt: skip
    field = {"name": "value", "type": "RECORD", "mode": "NULLABLE", "fields": [
        {"name": "from", "type": "STRING", "mode": "NULLABLE"}, inner,
    ]}  # fmt: skip
    given = [None, {}, {"from": "a", "parts": []}, {"parts": [{"n": 1, "tags": ["x", "", "y"]}, {"tags": []}]}]
    quoted = table_of("values")
    place = {"name": "place", "type": "INTEGER", "mode": "NULLABLE"}
    rows = [{"place": number, "value": value} for number, value in enumerate(given)]
    reference = Reference({quoted: [place, field]}, {quoted: rows})
    sql = f"SELECT {encoded(field, 't.value')} AS text FROM {quoted} AS t ORDER BY t.place"
    column = Column("RECORD", fields={
        "from": Column("STRING"),
        "parts": Column("RECORD", "REPEATED", {"n": Column("INTEGER"), "tags": Column("STRING", "REPEATED")}),
    })  # fmt: skip
    ours = [of_lake.encoded(column, value) for value in given]
    assert [row["text"] for row in reference.query(Statement(sql))] == ours
    assert ours == ["(-[])", "(-[])", "(1:a[])", "(-[(1:1[1:x0:1:y])(-[])])"]


def test_the_digest_depends_on_the_number_of_rows_and_not_on_their_order():
    assert of_lake.ledger_digest(["a", "b"]) == of_lake.ledger_digest(["b", "a"])
    assert of_lake.ledger_digest(["a", "b"]) != of_lake.ledger_digest(["a", "b", "b"])


def test_the_largest_range_is_accepted():
    assert parse_ledgers("1-100000") == LedgerRange(1, 100_000)
