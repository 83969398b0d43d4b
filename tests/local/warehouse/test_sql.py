"""SQL that runs alike on BigQuery and on the local warehouse: the forms that the pipeline uses."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal

import google.cloud.bigquery as bq
import pytest
from google.api_core.exceptions import BadRequest, Forbidden, NotFound

from tests.local.emulators import DATASET

_numbers = itertools.count()


def run(client: bq.Client, sql: str, **values) -> bq.QueryJob:
    parameters = [parameter(name, value) for name, value in values.items()]
    job = client.query(sql, job_config=bq.QueryJobConfig(query_parameters=parameters), retry=None, job_retry=None)
    job.result(retry=None)
    return job


TYPES = {
    int: "INT64",
    str: "STRING",
    bool: "BOOL",
    float: "FLOAT64",
    bytes: "BYTES",
    Decimal: "NUMERIC",
    dt.datetime: "TIMESTAMP",
    dt.date: "DATE",
    dt.time: "TIME",
}


def parameter(name: str, value) -> bq.ScalarQueryParameter | bq.ArrayQueryParameter:
    if isinstance(value, list):
        return bq.ArrayQueryParameter(name, TYPES[type(value[0])], value)
    return bq.ScalarQueryParameter(name, TYPES[type(value)], value)


def rows(client: bq.Client, sql: str, **parameters) -> list[tuple]:
    return [tuple(row.values()) for row in run(client, sql, **parameters).result()]


@pytest.fixture
def table(client) -> str:
    return f"{DATASET}.t{next(_numbers)}"


def fill(client: bq.Client, table: str, first: int, last: int, v: str) -> bq.QueryJob:
    """Insert rows with an id, ten per seq; return the job."""
    return run(
        client,
        f"INSERT INTO `{table}` (id, seq, v) "
        f"SELECT i, DIV(i, 10), '{v}' FROM UNNEST(GENERATE_ARRAY({first}, {last})) AS i",
    )


def test_on_false_replaces_a_range(client, table):
    for name in (table, f"{table}_staging"):
        run(client, f"CREATE TABLE `{name}` (id INT64, seq INT64, v STRING)")
    fill(client, table, 0, 99, "old")
    fill(client, f"{table}_staging", 20, 34, "new")
    job = run(
        client,
        f"""
        MERGE `{table}` AS T USING `{table}_staging` AS S ON FALSE
        WHEN NOT MATCHED BY SOURCE AND T.seq BETWEEN @start AND @end THEN DELETE
        WHEN NOT MATCHED THEN INSERT (id, seq, v) VALUES (S.id, S.seq, S.v)""",
        start=2,
        end=4,
    )
    assert (job.dml_stats.deleted_row_count, job.dml_stats.inserted_row_count) == (30, 15)
    assert job.num_dml_affected_rows == 45
    assert rows(client, f"SELECT v, COUNT(*) FROM `{table}` GROUP BY v ORDER BY v") == [
        ("new", 15),
        ("old", 70),
    ]


def test_on_false_replaces_a_range_of_time_with_every_type_of_column(client, table):
    columns = (
        "id INT64, closed_at TIMESTAMP, details STRUCT<`from` STRING, `and` ARRAY<STRUCT<n INT64>>>, "
        "signers ARRAY<STRING>, details_json JSON, wasm BYTES, amount NUMERIC, batch_run_date DATETIME"
    )
    for name in (table, f"{table}_staging"):
        run(client, f"CREATE TABLE `{name}` ({columns})")
    insert = (
        "INSERT INTO `{}` (id, closed_at, details, signers, details_json, wasm, amount, batch_run_date) "
        "SELECT i, TIMESTAMP_ADD(TIMESTAMP '2020-01-01 00:00:00+00', INTERVAL i SECOND), "
        "STRUCT('G' AS `from`, [STRUCT(i AS n)] AS `and`), ['a', 'b'], JSON '{{\"k\": [1]}}', FROM_BASE64('AP8='), "
        "NUMERIC '1.5', DATETIME '2020-01-01 00:00:00' FROM UNNEST(GENERATE_ARRAY({}, {})) AS i"
    )
    run(client, insert.format(table, 0, 9))
    run(client, insert.format(f"{table}_staging", 4, 5))
    names = "id, closed_at, details, signers, details_json, wasm, amount, batch_run_date"
    job = run(
        client,
        f"""
        MERGE `{table}` AS T USING `{table}_staging` AS S ON FALSE
        WHEN NOT MATCHED BY SOURCE AND T.closed_at BETWEEN @first AND @last AND T.id >= 4 THEN DELETE
        WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({names})""",
        first=dt.datetime(2020, 1, 1, 0, 0, 4, tzinfo=dt.UTC),
        last=dt.datetime(2020, 1, 1, 0, 0, 6, tzinfo=dt.UTC),
    )
    assert (job.dml_stats.deleted_row_count, job.dml_stats.inserted_row_count) == (3, 2)
    assert rows(client, f"SELECT ARRAY_AGG(id ORDER BY id) FROM `{table}`") == [([0, 1, 2, 3, 4, 5, 7, 8, 9],)]
    assert rows(client, f"SELECT * FROM `{table}` WHERE id = 4") == [
        (
            4,
            dt.datetime(2020, 1, 1, 0, 0, 4, tzinfo=dt.UTC),
            {"from": "G", "and": [{"n": 4}]},
            ["a", "b"],
            {"k": [1]},
            b"\x00\xff",
            Decimal("1.5"),
            dt.datetime(2020, 1, 1),
        )
    ]


def test_on_false_accepts_constants_and_a_query_as_source(client, table):
    run(client, f"CREATE TABLE `{table}` (id INT64, seq INT64, v STRING)")
    fill(client, table, 0, 29, "old")
    job = run(
        client,
        f"""
        MERGE INTO `{table}` T
        USING (SELECT id, seq, @v AS v FROM `{table}` WHERE seq = 1) S
        ON FALSE
        WHEN NOT MATCHED BY SOURCE AND T.id BETWEEN 1 << 3 AND ((2 + 1) << 3) - 1
          AND T.seq >= 1 THEN DELETE
        WHEN NOT MATCHED BY TARGET THEN INSERT (id, seq, v) VALUES (S.id, S.seq, S.v)""",
        v="new",
    )
    assert (job.dml_stats.deleted_row_count, job.dml_stats.inserted_row_count) == (14, 10)


def test_on_false_reads_its_target_before_the_change_without_a_nested_loop(client, table):
    """The merge reads rows of every type before it deletes those of the range; otherwise a million rows take 14 s."""
    run(
        client,
        f"CREATE TABLE `{table}` (id INT64, seq INT64, v STRING, path ARRAY<STRUCT<code STRING>>, "
        "data JSON, moment TIMESTAMP, price NUMERIC)",
    )
    inserted = run(
        client,
        f"INSERT INTO `{table}` (id, seq, v, path, data, moment, price) "
        "SELECT i, DIV(i, 10), 'old', [STRUCT('A' AS code)], "
        "JSON '{\"k\": [1]}', TIMESTAMP '2020-01-01 00:00:00.000001+00', NUMERIC '1.5' "
        "FROM UNNEST(GENERATE_ARRAY(0, 299999)) AS i",
    )
    names = "id, seq, v, path, data, moment, price"
    job = run(
        client,
        f"""
        MERGE `{table}` T USING (SELECT {names.replace("v,", "@v AS v,")} FROM `{table}` WHERE seq = 1) S ON FALSE
        WHEN NOT MATCHED BY SOURCE AND T.seq BETWEEN 1 AND 2 THEN DELETE
        WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({names})""",
        v="new",
    )
    assert (job.dml_stats.deleted_row_count, job.dml_stats.inserted_row_count) == (20, 10)
    assert job.ended - job.started < 2.5 * (inserted.ended - inserted.started)
    assert rows(client, f"SELECT {names} FROM `{table}` WHERE seq IN (1, 2) ORDER BY id LIMIT 1") == [
        (10, 1, "new", [{"code": "A"}], {"k": [1]}, dt.datetime(2020, 1, 1, 0, 0, 0, 1, dt.UTC), Decimal("1.5"))
    ]


def test_on_false_with_an_empty_source_deletes_and_with_an_empty_range_inserts(client, table):
    for name in (table, f"{table}_staging"):
        run(client, f"CREATE TABLE `{name}` (id INT64, seq INT64, v STRING)")
    replace = f"""
        MERGE `{table}` AS T USING `{table}_staging` AS S ON FALSE
        WHEN NOT MATCHED BY SOURCE AND T.seq BETWEEN @start AND @end THEN DELETE
        WHEN NOT MATCHED THEN INSERT (id, seq, v) VALUES (S.id, S.seq, S.v)"""
    fill(client, f"{table}_staging", 0, 9, "new")
    assert run(client, replace, start=0, end=0).dml_stats.inserted_row_count == 10
    run(client, f"DELETE FROM `{table}_staging` WHERE TRUE")
    assert run(client, replace, start=0, end=0).dml_stats.deleted_row_count == 10
    assert rows(client, f"SELECT COUNT(*) FROM `{table}`") == [(0,)]


def test_a_waiting_query_runs_the_same_statements(client, table):
    for name in (table, f"{table}_staging"):
        run(client, f"CREATE TABLE `{name}` (id INT64, seq INT64, v STRING)")
    fill(client, f"{table}_staging", 0, 9, "new")
    replace = f"""
        -- replaces a range
        MERGE `{table}` AS T USING `{table}_staging` AS S ON FALSE
        WHEN NOT MATCHED BY SOURCE AND T.seq BETWEEN 0 AND 0 THEN DELETE
        WHEN NOT MATCHED THEN INSERT (id, seq, v) VALUES (S.id, S.seq, S.v)"""
    assert client.query_and_wait(replace, retry=None, job_retry=None).num_dml_affected_rows == 10
    assert client.query_and_wait(replace, retry=None, job_retry=None).num_dml_affected_rows == 20
    found = client.query_and_wait(f"SELECT id FROM `{table}` ORDER BY id", page_size=4)
    assert [row.id for row in found] == list(range(10))
    with pytest.raises(BadRequest):
        client.query_and_wait("SELECT nope", retry=None, job_retry=None)


def test_replacing_ten_thousand_rows_of_a_million_takes_less_time_than_inserting_the_million(client, table):
    for name in (table, f"{table}_staging"):
        run(client, f"CREATE TABLE `{name}` (id INT64, seq INT64, v STRING)")
    inserted = fill(client, table, 0, 999_999, "old")
    fill(client, f"{table}_staging", 500_000, 509_999, "new")
    job = run(
        client,
        f"""
        MERGE `{table}` AS T USING `{table}_staging` AS S ON FALSE
        WHEN NOT MATCHED BY SOURCE AND T.seq BETWEEN 50000 AND 50999 THEN DELETE
        WHEN NOT MATCHED THEN INSERT (id, seq, v) VALUES (S.id, S.seq, S.v)""",
    )
    assert job.num_dml_affected_rows == 20_000
    assert job.ended - job.started < inserted.ended - inserted.started


UNIQUE_BY_KEY = """
    MERGE `{table}` AS T
    USING (
      SELECT code, issuer, ledger FROM `{table}_staging` WHERE TRUE
      QUALIFY ROW_NUMBER() OVER (PARTITION BY code, issuer ORDER BY ledger, v) = 1
    ) AS S
    ON T.code = S.code AND {issuer}
    WHEN MATCHED AND S.ledger < T.ledger THEN UPDATE SET ledger = S.ledger
    WHEN NOT MATCHED THEN INSERT (code, issuer, ledger) VALUES (S.code, S.issuer, S.ledger)"""


@pytest.mark.parametrize(
    "issuer",
    [
        "T.issuer IS NOT DISTINCT FROM S.issuer",
        "COALESCE(T.issuer, '') = COALESCE(S.issuer, '')",
        "(T.issuer = S.issuer OR (T.issuer IS NULL AND S.issuer IS NULL))",
    ],
)
def test_a_merge_by_key_keeps_the_oldest_row_of_each_key(client, table, issuer):
    run(client, f"CREATE TABLE `{table}` (code STRING, issuer STRING, ledger INT64)")
    run(client, f"CREATE TABLE `{table}_staging` (code STRING, issuer STRING, ledger INT64, v STRING)")
    run(client, f"INSERT INTO `{table}` (code, issuer, ledger) VALUES ('XLM', NULL, 5), ('A', 'G', 5), ('B', 'G', 1)")
    run(
        client,
        f"INSERT INTO `{table}_staging` (code, issuer, ledger, v) VALUES "
        "('XLM', NULL, 3, ''), ('XLM', NULL, 2, ''), ('A', 'G', 9, ''), ('B', 'H', 7, 'x'), ('B', 'H', 7, 'y')",
    )
    merge = UNIQUE_BY_KEY.format(table=table, issuer=issuer)
    job = run(client, merge)
    assert (job.dml_stats.updated_row_count, job.dml_stats.inserted_row_count) == (1, 1)
    assert run(client, merge).num_dml_affected_rows == 0
    assert rows(client, f"SELECT code, issuer, ledger FROM `{table}` ORDER BY code, issuer") == [
        ("A", "G", 5),
        ("B", "G", 1),
        ("B", "H", 7),
        ("XLM", None, 2),
    ]


def test_a_merge_that_matches_a_row_twice_is_refused(client, table):
    for name in (table, f"{table}_staging"):
        run(client, f"CREATE TABLE `{name}` (id INT64, v STRING)")
    run(client, f"INSERT INTO `{table}` (id, v) VALUES (1, 'old')")
    run(client, f"INSERT INTO `{table}_staging` (id, v) VALUES (1, 'a'), (1, 'b')")
    with pytest.raises(BadRequest):
        run(
            client,
            f"MERGE `{table}` T USING `{table}_staging` S ON T.id = S.id WHEN MATCHED THEN UPDATE SET v = S.v",
        )


def test_one_row_of_parameters_is_merged_into_a_table(client, table):
    run(
        client,
        f"CREATE TABLE `{table}` (tbl STRING, start_ledger INT64, end_ledger INT64, rows_loaded INT64, "
        "loaded_at TIMESTAMP, day DATE, ok BOOL, note STRING)",
    )
    merge = f"""
        MERGE `{table}` AS T
        USING (SELECT @tbl AS tbl, @start AS start_ledger, @end AS end_ledger, @rows AS rows_loaded,
                      @at AS loaded_at, @day AS day, @ok AS ok, @note AS note) AS S
        ON T.tbl = S.tbl AND T.start_ledger = S.start_ledger AND T.end_ledger = S.end_ledger
        WHEN MATCHED THEN UPDATE SET rows_loaded = S.rows_loaded, loaded_at = S.loaded_at, note = S.note
        WHEN NOT MATCHED THEN INSERT (tbl, start_ledger, end_ledger, rows_loaded, loaded_at, day, ok, note)
          VALUES (S.tbl, S.start_ledger, S.end_ledger, S.rows_loaded, S.loaded_at, S.day, S.ok, S.note)"""
    row = {
        "tbl": "history_ledgers",
        "start": 2,
        "end": 9,
        "rows": 8,
        "at": dt.datetime(2020, 7, 28, 0, 10, 40, 123456, tzinfo=dt.UTC),
        "day": dt.date(2020, 7, 28),
        "ok": True,
        "note": "it's `quoted` @start \\ \" -- ; ü",
    }
    assert run(client, merge, **row).dml_stats.inserted_row_count == 1
    assert run(client, merge, **{**row, "rows": 7}).dml_stats.updated_row_count == 1
    assert rows(client, f"SELECT * FROM `{table}`") == [tuple({**row, "rows": 7}.values())]


@pytest.mark.parametrize("where", ["seq BETWEEN @start AND @end", "seq >= @start AND seq <= @end"])
def test_a_range_is_deleted(client, table, where):
    run(client, f"CREATE TABLE `{table}` (id INT64, seq INT64, v STRING)")
    fill(client, table, 0, 99, "old")
    job = run(client, f"DELETE FROM `{table}` WHERE {where}", start=3, end=4)
    assert (job.num_dml_affected_rows, job.dml_stats.deleted_row_count) == (20, 20)
    assert rows(client, f"SELECT COUNT(*) FROM `{table}`") == [(80,)]


def test_one_query_checks_a_staging_table(client, table):
    run(client, f"CREATE TABLE `{table}` (a STRING, b INT64, seq INT64, closed_at TIMESTAMP)")
    run(
        client,
        f"INSERT INTO `{table}` (a, b, seq, closed_at) VALUES ('x', 1, 5, TIMESTAMP '2020-01-01 00:00:00+00'), "
        "('x', 1, 6, TIMESTAMP '2020-01-01 00:00:01+00'), ('x', NULL, 9, NULL), (NULL, 1, 7, NULL)",
    )
    (row,) = run(
        client,
        f"""
        SELECT
          COUNT(*) AS row_count,
          COUNTIF(a IS NULL OR b IS NULL) AS null_keys,
          COUNT(*) - COUNT(DISTINCT TO_JSON_STRING(STRUCT(a, b))) AS repeated_keys,
          COUNTIF(NOT (seq BETWEEN @start AND @end)) AS out_of_range,
          COUNTIF(a NOT IN UNNEST(@accepted)) AS unknown_values,
          IFNULL(SUM(b), 0) AS total,
          MIN(seq) AS first_ledger, MAX(seq) AS last_ledger,
          MIN(closed_at) AS first_close, MAX(closed_at) AS last_close
        FROM `{table}`""",
        start=5,
        end=8,
        accepted=["x", "y"],
    ).result()
    assert dict(row.items()) == {
        "row_count": 4,
        "null_keys": 2,
        "repeated_keys": 1,
        "out_of_range": 1,
        "unknown_values": 0,
        "total": 3,
        "first_ledger": 5,
        "last_ledger": 9,
        "first_close": dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        "last_close": dt.datetime(2020, 1, 1, 0, 0, 1, tzinfo=dt.UTC),
    }
    grouped = (
        f"SELECT COUNT(*) AS keys, IFNULL(SUM(n), 0) AS extra FROM "
        f"(SELECT a, b, COUNT(*) - 1 AS n FROM `{table}` GROUP BY a, b HAVING COUNT(*) > 1)"
    )
    assert rows(client, grouped) == [(1, 1)]
    assert rows(client, f"SELECT COUNT(*), COUNTIF(a IS NULL) FROM `{table}` WHERE FALSE") == [(0, 0)]


def test_gaps_and_coverage_of_ledgers_are_found(client, table):
    run(client, f"CREATE TABLE `{table}` (seq INT64)")
    run(client, f"INSERT INTO `{table}` (seq) VALUES (2), (3), (6), (7), (9)")
    gaps = f"""
        SELECT seq + 1 AS first_missing, following - 1 AS last_missing
        FROM (SELECT seq, LEAD(seq) OVER (ORDER BY seq) AS following FROM `{table}`)
        WHERE following > seq + 1 ORDER BY seq"""
    assert rows(client, gaps) == [(4, 5), (8, 8)]


VALUES = [
    7,
    -(2**63),
    "it's",
    True,
    1.5,
    b"\x00\xff",
    Decimal("12345678901234567890.123456789"),
    dt.datetime(2020, 7, 28, 0, 10, 40, 123456, tzinfo=dt.UTC),
    dt.date(2020, 7, 28),
    dt.time(1, 2, 3),
    [1, 2],
    ["a", "b'c"],
    [dt.date(2020, 7, 28)],
    [dt.datetime(2020, 7, 28, tzinfo=dt.UTC)],
    [Decimal("1.5")],
    [1.5],
    [True, False],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_parameters_of_every_type_are_returned_unchanged(client, value):
    assert rows(client, "SELECT @value AS v", value=value) == [(value,)]


def test_a_datetime_parameter_has_no_zone(client):
    value = dt.datetime(2020, 7, 28, 0, 10)
    config = bq.QueryJobConfig(query_parameters=[bq.ScalarQueryParameter("v", "DATETIME", value)])
    assert [row.v for row in client.query("SELECT @v AS v", job_config=config).result()] == [value]


@pytest.mark.parametrize("kind", sorted(TYPES.values()))
def test_a_parameter_can_be_null(client, kind):
    config = bq.QueryJobConfig(query_parameters=[bq.ScalarQueryParameter("v", kind, None)])
    assert [row.v for row in client.query("SELECT @v AS v", job_config=config).result()] == [None]


def test_a_parameter_in_a_string_or_a_name_stays_text(client):
    assert rows(client, "SELECT '@a $a' AS x, @a AS `a`, @ab AS y", a=1, ab=2) == [("@a $a", 1, 2)]


@pytest.mark.parametrize("comment", ["-- asset's\n", "# asset's\n", "/* an\nasset's */", '-- 5" \n', "/* `x */"])
def test_a_quote_in_a_comment_starts_no_string(client, table, comment):
    chosen = f"SELECT {comment} '-- # /* kept */' AS x, @a AS y, 1.5e0 AS z, `a#b` AS n FROM (SELECT 1 AS `a#b`)"
    assert rows(client, chosen, a=1) == [("-- # /* kept */", 1, 1.5, 1)]
    run(client, f"CREATE VIEW `{table}_commented` AS SELECT {comment} 2 AS x")
    assert rows(client, f"SELECT x, @a AS y FROM `{table}_commented`", a=1) == [(2, 1)]


def test_a_repeated_statement_reads_the_current_table_or_view(client, table):
    """The server keeps translations, which depend on the columns of the tables and on the queries of views."""
    values = {"INT64": 2, "NUMERIC": Decimal(2), "FLOAT64": 2.0, "STRUCT<x INT64>": {"x": 2}}
    for kind, value in values.items():
        run(client, f"CREATE OR REPLACE TABLE `{table}` (a {kind})")
        literal = "STRUCT(2)" if isinstance(value, dict) else f"CAST(2 AS {kind})"
        run(client, f"INSERT INTO `{table}` (a) VALUES ({literal})")
        assert rows(client, f"SELECT * FROM `{table}`") == [(value,)]
        if not isinstance(value, dict):
            assert rows(client, f"SELECT AVG(a) FROM `{table}`") == [(value,)]
    run(client, f"DROP TABLE `{table}`")
    for number in (1, 2):
        run(client, f"CREATE OR REPLACE VIEW `{table}` AS SELECT {number} AS a")
        assert rows(client, f"SELECT a FROM `{table}`") == [(number,)]


def test_nested_columns_are_selected(client, table):
    run(
        client,
        f"CREATE TABLE `{table}` (id INT64, details STRUCT<`from` STRING, price STRUCT<n INT64, d INT64>, "
        "path ARRAY<STRUCT<code STRING>>>)",
    )
    run(
        client,
        f"INSERT INTO `{table}` (id, details) VALUES "
        "(1, STRUCT('G' AS `from`, STRUCT(1 AS n, 2 AS d) AS price, "
        "[STRUCT('A' AS code), STRUCT('B' AS code)] AS path)), "
        "(2, NULL)",
    )
    assert rows(client, f"SELECT id, details.`from`, details.price.n FROM `{table}` ORDER BY id") == [
        (1, "G", 1),
        (2, None, None),
    ]
    assert rows(client, f"SELECT T.details.price FROM `{table}` AS T WHERE T.details.`from` = 'G'") == [
        ({"n": 1, "d": 2},)
    ]
    assert rows(client, f"SELECT p.code FROM `{table}` AS T, UNNEST(T.details.path) AS p ORDER BY p.code") == [
        ("A",),
        ("B",),
    ]


def test_a_star_is_all_columns(client, table):
    run(client, f"CREATE TABLE `{table}` (id INT64, path ARRAY<STRUCT<code STRING>>, price STRUCT<n INT64>)")
    run(client, f"INSERT INTO `{table}` (id, path, price) VALUES (1, [STRUCT('A' AS code)], STRUCT(2 AS n))")
    api = bq.Table(f"{table}_api", client.get_table(table).schema)
    client.create_table(api)
    names = "id, path, price"
    run(client, f"INSERT INTO `{table}_api` ({names}) SELECT {names} FROM `{table}`")
    for name in (table, f"{table}_api"):
        (row,) = run(client, f"SELECT *, FARM_FINGERPRINT('a') AS hash FROM `{name}`").result()
        assert list(row.keys()) == ["id", "path", "price", "hash"]


def test_numeric_keeps_nine_digits(client):
    assert rows(client, "SELECT CAST('1.123456789' AS NUMERIC)") == [(Decimal("1.123456789"),)]


@pytest.mark.parametrize(("a", "b", "quotient"), [(7, 3, 2), (-7, 2, -3), (7, -2, -3), (-1, 2, 0), (6, 3, 2)])
def test_div_divides_its_arguments_and_rounds_towards_zero(client, a, b, quotient):
    sql = "SELECT DIV(@a - 0, @b), DIV(n - 1, 3) FROM (SELECT 8 AS n)"
    assert rows(client, sql, a=a, b=b) == [(quotient, 2)]


def test_a_struct_keeps_its_field_names_as_json(client):
    sql = "SELECT TO_JSON_STRING(STRUCT(x, y, 1 AS z)), TO_JSON_STRING(STRUCT(t.x)) FROM (SELECT 'a' AS x, 2 AS y) AS t"
    assert rows(client, sql) == [('{"x":"a","y":2,"z":1}', '{"x":"a"}')]


def test_elements_of_nested_arrays_are_rebuilt_in_their_order(client, table):
    nested = "ARRAY<STRUCT<a STRING, b ARRAY<STRUCT<x INT64, y STRING>>>>"
    run(client, f"CREATE TABLE `{table}` (id INT64, list {nested})")
    run(
        client,
        f"INSERT INTO `{table}` (id, list) VALUES (1, [STRUCT('p' AS a, [STRUCT(2 AS x, 'q' AS y), STRUCT(1 AS x, 'r' "
        "AS y)] AS b), STRUCT('o' AS a, [] AS b)]), (2, [])",
    )
    inner = "ARRAY(SELECT STRUCT(f.y AS y, f.x AS x) FROM UNNEST(e.b) AS f WITH OFFSET AS i ORDER BY i)"
    outer = f"ARRAY(SELECT STRUCT({inner} AS b, e.a AS a) FROM UNNEST(list) AS e WITH OFFSET AS o ORDER BY o)"
    assert rows(client, f"SELECT {outer} AS list FROM `{table}` ORDER BY id") == [
        ([{"b": [{"y": "q", "x": 2}, {"y": "r", "x": 1}], "a": "p"}, {"b": [], "a": "o"}],),
        ([],),
    ]


ROWS = bq.ArrayQueryParameter(
    "rows",
    "RECORD",
    [
        bq.StructQueryParameter(None, bq.ScalarQueryParameter("a", "STRING", a), bq.ScalarQueryParameter("n", kind, n))
        for a, kind, n in (("x", "NUMERIC", None), ("y", "NUMERIC", Decimal("0.5")), (None, "NUMERIC", Decimal(7)))
    ],
)


def test_an_array_of_any_number_of_rows_is_one_parameter(client):
    sql = "SELECT row_of.a, row_of.n FROM UNNEST(@rows) AS row_of ORDER BY 2"
    found = client.query(sql, bq.QueryJobConfig(query_parameters=[ROWS])).result()
    assert [tuple(row.values()) for row in found] == [("x", None), ("y", Decimal("0.5")), (None, Decimal(7))]
    empty = ROWS.to_api_repr() | {"parameterValue": {"arrayValues": []}}
    config = bq.QueryJobConfig.from_api_repr({"query": {"queryParameters": [empty], "parameterMode": "NAMED"}})
    assert list(client.query(sql, config).result()) == []


@pytest.mark.parametrize(
    ("sql", "value"),
    [("SELECT CAST('1' AS BIGNUMERIC)", None), ("SELECT BIGNUMERIC '1'", None), ("SELECT @v", Decimal(1))],
)
def test_a_bignumeric_is_refused_with_a_clear_error(client, sql, value):
    """DuckDB's decimals have 38 digits, and an i128 may have 39."""
    parameters = [] if value is None else [bq.ScalarQueryParameter("v", "BIGNUMERIC", value)]
    with pytest.raises(BadRequest, match="BIGNUMERIC is not supported by the local warehouse"):
        client.query(sql, bq.QueryJobConfig(query_parameters=parameters), job_retry=None).result()
    with pytest.raises(BadRequest, match="Field n is a BIGNUMERIC"):
        client.create_table(bq.Table("local.stellar.wide", [bq.SchemaField("n", "BIGNUMERIC")]))


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELEC 1", BadRequest),
        ("SELECT", BadRequest),
        ("SELECT missing FROM `local.stellar.empty`", BadRequest),
        ("SELECT * FROM `local.stellar.absent`", NotFound),
        ("SELECT * FROM `local.absent.t`", Forbidden),
        ("SELECT NO_SUCH_FUNCTION(1)", BadRequest),
        ("SELECT CAST('x' AS INT64)", BadRequest),
        ("SELECT @missing", BadRequest),
        (
            (
                "MERGE `local.stellar.empty` T USING `local.stellar.absent` S ON FALSE "
                "WHEN NOT MATCHED THEN INSERT (id) VALUES (1)"
            ),
            NotFound,
        ),
        ("INSERT INTO `local.stellar.empty` (id) VALUES ('x')", BadRequest),
        ("INSERT INTO `local.stellar.empty` (nope) VALUES (1)", BadRequest),
        ("SELECT ERROR('stop')", BadRequest),
        ("DELETE FROM `local.stellar.empty`", BadRequest),
        ("UPDATE `local.stellar.empty` SET id = 1", BadRequest),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_in_the_sql_is_reported_to_the_caller(client, sql, error):
    client.create_table(bq.Table("local.stellar.empty", [bq.SchemaField("id", "INTEGER")]), exists_ok=True)
    with pytest.raises(error):
        run(client, sql)
