"""Each form of a value in newline-delimited JSON is accepted or refused as in BigQuery, and at once."""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path
from typing import Any

import google.cloud.bigquery as bq
import pytest
from google.api_core.exceptions import BadRequest
from google.cloud.bigquery import SchemaField

from stellar_etl_airflow.sql.statement import Parameter, Statement
from tests.dags.sql.googlesql import RefusedError
from tests.dags.sql.reference import Reference
from tests.local.emulators import DATASET
from tests.local.warehouse.verdicts import LINES, REFUSED, SCALARS, SHAPES, Source, Verdict

TABLES = itertools.count()
CASTS = {"INTEGER": "INT64", "FLOAT": "FLOAT64"}
"""Types with another name in SQL."""


def load(client: bq.Client, folder: Path, schema: list[SchemaField], *lines: str) -> list[dict[str, Any]]:
    """Load lines into a separate table, and read it."""
    name = f"t{next(TABLES)}"
    bucket = folder / "gcs" / "b"
    bucket.mkdir(exist_ok=True)
    (bucket / name).write_text("".join(f"{line}\n" for line in lines))
    config = bq.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=schema)
    client.load_table_from_uri(f"gs://b/{name}", f"{DATASET}.{name}", job_config=config, retry=None).result(retry=None)
    return [dict(row.items()) for row in client.query(f"SELECT * FROM `{DATASET}.{name}`").result()]


def column(verdict: Verdict, name: str = "v") -> SchemaField:
    fields = [SchemaField("x", "INTEGER")] if verdict.type == "RECORD" else ()
    return SchemaField(name, verdict.type, mode=verdict.mode, fields=fields)


def test_every_accepted_form_is_loaded(client, folder):
    taken = [verdict for verdict in [*SCALARS, *SHAPES] if verdict.value is not REFUSED]
    columns = [column(verdict, f"v{number}") for number, verdict in enumerate(taken)]
    line = ", ".join(f'"{field.name}": {verdict.json}' for field, verdict in zip(columns, taken, strict=True))
    (row,) = load(client, folder, columns, f"{{{line}}}")
    assert row == {field.name: verdict.value for field, verdict in zip(columns, taken, strict=True)}


@pytest.mark.parametrize(
    "verdict",
    [verdict for verdict in [*SCALARS, *SHAPES] if verdict.value is REFUSED],
    ids=lambda verdict: f"{verdict.mode} {verdict.type} {verdict.json}",
)
def test_every_refused_form_fails_the_load(client, folder, verdict):
    with pytest.raises(BadRequest):
        load(client, folder, [column(verdict)], f'{{"v": {verdict.json}}}')


@pytest.mark.parametrize("line", [line for line, _ in LINES])
def test_a_line_that_is_not_a_json_object_fails_the_load(client, folder, line):
    schema = [
        SchemaField("v", "INTEGER"),
        SchemaField("r", "RECORD", fields=[SchemaField("x", "INTEGER")]),
        SchemaField("a", "INTEGER", mode="REPEATED"),
    ]
    with pytest.raises(BadRequest):
        load(client, folder, schema, '{"v":1}', line)


RECORDS = {"NULLABLE": '{{"v": {}}}', "REPEATED": '[{{}}, {{"v": {}}}]'}
"""By mode of a record, a value with one field. The warehouse reads elements of arrays by other expressions."""
INSIDE = [verdict for verdict in SCALARS if verdict.type != "JSON"]


def record(verdict: Verdict, mode: str, name: str = "r") -> SchemaField:
    return SchemaField(name, "RECORD", mode=mode, fields=[column(verdict)])


@pytest.mark.parametrize("mode", RECORDS)
def test_every_accepted_form_is_loaded_in_a_record(client, folder, mode):
    taken = [verdict for verdict in INSIDE if verdict.value is not REFUSED]
    columns = [record(verdict, mode, f"r{number}") for number, verdict in enumerate(taken)]
    values = [RECORDS[mode].format(verdict.json) for verdict in taken]
    line = ", ".join(f'"{field.name}": {value}' for field, value in zip(columns, values, strict=True))
    (row,) = load(client, folder, columns, f"{{{line}}}")
    found = [value["v"] if mode == "NULLABLE" else value[1]["v"] for value in row.values()]
    assert found == [verdict.value for verdict in taken]


@pytest.mark.parametrize("mode", [pytest.param("NULLABLE", marks=pytest.mark.slow), "REPEATED"])
def test_every_refused_form_fails_the_load_in_a_record(client, folder, mode):
    # In arrays only the text of a value counts, so a number is accepted for BYTES. No source documents BigQuery's
    # result.
    taken = []
    for verdict in INSIDE:
        if verdict.value is REFUSED and not (mode == "REPEATED" and verdict.source is Source.SILENT):
            with contextlib.suppress(BadRequest):
                value = RECORDS[mode].format(verdict.json)
                taken += [(verdict, load(client, folder, [record(verdict, mode)], f'{{"r": {value}}}'))]
    assert taken == []


@pytest.mark.parametrize(
    "verdict",
    [verdict for verdict in SCALARS if verdict.source is Source.CAST],
    ids=lambda verdict: f"{verdict.type} {verdict.json}",
)
def test_googles_evaluator_gives_the_verdicts_attributed_to_it(verdict):
    text = verdict.json.strip('"')
    text = str(json.loads(verdict.json)) if verdict.json.startswith('"') else text
    sql = "FROM_BASE64(@v)" if verdict.type == "BYTES" else f"CAST(@v AS {CASTS.get(verdict.type, verdict.type)})"
    try:
        (row,) = Reference({}, {}).query(
            Statement(f"SELECT TO_JSON_STRING({sql}) AS v", (Parameter("v", "STRING", text),))
        )
    except RefusedError:
        assert verdict.value is REFUSED
    else:
        assert verdict.value is not REFUSED, row


@pytest.mark.parametrize("value", ["TIMESTAMP_SECONDS(1534680695000)", "DATE_ADD(DATE '9999-12-31', INTERVAL 10 DAY)"])
def test_a_time_out_of_range_fails_a_query_at_once(client, value):
    with pytest.raises(BadRequest):
        list(client.query(f"SELECT {value} AS v").result())


def test_a_syntax_error_is_plain_text(client):
    with pytest.raises(BadRequest) as refused:
        client.query("SELECT (1 FROM").result()
    assert "\x1b" not in str(refused.value)
    assert "Line 1" in str(refused.value)
