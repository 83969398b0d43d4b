"""Columns from schema files."""

from __future__ import annotations

from pathlib import Path

import pytest

from stellar_etl import schema_files
from stellar_etl.errors import ExportError
from stellar_etl.schema_files import BATCH_COLUMNS, Column, read_columns
from tests.stellar_etl.program import schema


def test_columns_are_in_the_order_of_the_file_without_the_loads_columns() -> None:
    names = [field["name"] for field in schema("trades")]
    assert set(names) > BATCH_COLUMNS
    assert list(read_columns("history_trades")) == [name for name in names if name not in BATCH_COLUMNS]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "is missing: reinstall stellar-etl"),
        ("[", "is not a schema file: JSONDecodeError"),
        ('[{"name": "x", "type": "STRING"}]', "is not a schema file: KeyError('mode')"),
        ("[1]", "is not a schema file: TypeError"),
    ],
)
def test_an_unreadable_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, problem: str
) -> None:
    monkeypatch.setattr(schema_files, "schema_folder", lambda: tmp_path)
    if content is not None:
        (tmp_path / "planets_schema.json").write_text(content)
    with pytest.raises(ExportError, match="planets_schema.json") as error:
        read_columns("planets")
    assert problem in str(error.value)


def test_records_and_lists_are_columns_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_files, "schema_folder", lambda: tmp_path)
    (tmp_path / "moons_schema.json").write_text(
        '[{"name": "orbits", "type": "RECORD", "mode": "REPEATED", "description": "All of them.", "fields": '
        '[{"name": "days", "type": "FLOAT", "mode": "REQUIRED", "description": "How long it takes."}]}]'
    )
    assert read_columns("moons") == {"orbits": Column("RECORD", "REPEATED", {"days": Column("FLOAT", "REQUIRED")})}
