"""The file of the laptop's warehouse: rows are in it at the commit, and it does not grow by tables that are deleted."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from bqemulator.config import PersistenceMode, Settings
from bqemulator.storage.engine import DuckDBEngine

from local.warehouse import storage

ROWS = 3 * storage.ROW_GROUP
MEGABYTE = 1 << 20


@pytest.fixture
def engine(tmp_path: Path) -> DuckDBEngine:
    return _opened(tmp_path)


def _opened(folder: Path) -> DuckDBEngine:
    engine = DuckDBEngine(Settings(persistence_mode=PersistenceMode.PERSISTENT, data_dir=folder))
    engine._connection = duckdb.connect()
    storage.attach(lambda _: None, engine)
    return engine


def _size(engine: DuckDBEngine, suffix: str = "") -> int:
    file = Path(storage._path_of(engine) + suffix)
    return file.stat().st_size if file.exists() else 0


def _load(engine: DuckDBEngine, name: str) -> None:
    storage.prepare(engine, "LOAD")
    text = "repeat(md5(n::VARCHAR), 16)"
    engine.execute(f"CREATE TABLE {name} AS SELECT n, {text} AS text FROM range({ROWS}) AS r(n)")


def test_rows_of_a_load_are_in_the_file_and_not_in_the_log(engine: DuckDBEngine) -> None:
    before = _size(engine)
    _load(engine, "staging")
    assert _size(engine) - before > ROWS * 16 * 32  # as they are, not compressed
    assert _size(engine, ".wal") < MEGABYTE


def test_rows_of_a_merge_are_compressed(engine: DuckDBEngine) -> None:
    storage.prepare(engine, "LOAD")
    engine.execute(f"CREATE TABLE staging AS SELECT repeat('a', 100) AS text FROM range({ROWS})")
    loaded = _size(engine)
    storage.prepare(engine, "QUERY")
    engine.execute("CREATE TABLE published AS FROM staging")
    assert _size(engine) - loaded < loaded / 3


def test_the_blocks_of_deleted_tables_are_used_again(engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "GROWTH", 16 * MEGABYTE)
    checkpoints, sizes = storage.Checkpoints(engine), []
    for number in range(20):
        _load(engine, f"staging_{number}")
        engine.execute(f"DROP TABLE staging_{number}")
        checkpoints.after_job()
        sizes.append(_size(engine))
    assert sizes[-1] == sizes[5] < 5 * sizes[0]


def test_a_checkpoint_that_fails_is_made_later(engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "GROWTH", 0)
    checkpoints = storage.Checkpoints(engine)
    engine.execute("CREATE TABLE numbers (n BIGINT)")
    engine.execute("BEGIN")
    engine.execute("INSERT INTO numbers VALUES (1)")
    checkpoints.after_job()  # DuckDB refuses it within a transaction
    engine.execute("ROLLBACK")
    assert _size(engine, ".wal")
    checkpoints.after_job()
    assert not _size(engine, ".wal")


def test_a_file_with_duckdbs_own_row_groups_is_continued(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "bqemulator.duckdb")) as older:
        older.execute("CREATE TABLE numbers AS SELECT n FROM range(300_000) AS r(n)")
    engine = _opened(tmp_path)
    engine.execute("INSERT INTO numbers SELECT n FROM range(300_000, 400_000) AS r(n)")
    engine.execute("DELETE FROM numbers WHERE n % 2 = 1")
    engine.connection.close()
    with duckdb.connect(str(tmp_path / "bqemulator.duckdb")) as reader:
        assert reader.execute("SELECT count(*), max(n) FROM numbers").fetchall() == [(200_000, 399_998)]
