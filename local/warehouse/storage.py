"""How DuckDB stores the warehouse's tables: in one file, with a limit of memory.

DuckDB keeps fewer rows than fill a row group in memory until the commit, writes them to its log, and compresses them
at a later checkpoint. With its own row groups of 122,880 rows every batch does so, which takes as long as the work
itself. With smaller ones it writes rows into the file while a statement runs, and a commit has next to nothing to do.
The blocks of deleted rows are free after the next checkpoint only. DuckDB makes one when its log has grown, but these
rows are not in the log: here the file's growth counts.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import duckdb
from bqemulator.storage.engine import DuckDBEngine

from local.warehouse.values import literal

MEMORY_LIMIT = "1GB"
ROW_GROUP = 8192
"""The rows of a row group; with 2,048 or 4,096 the work for each of them counts."""
LOG_LIMIT = "128MB"
"""The size of DuckDB's log that begins a checkpoint. With its own 16 MB many jobs with few rows would. After a kill the
log is read again."""
GROWTH = 256 << 20
"""The bytes by which the file grows until the next checkpoint."""
NAME = "bqemulator"
"""The name of the attached database in statements: the one that DuckDB derives from the name of bqemulator's file."""
COMPRESSION = {"LOAD": "uncompressed"}
"""By kind of job how DuckDB compresses new rows, if not as it likes: those of a load are in a staging table, which is
read once or twice, and compression would take a third of the load."""

_path_of = DuckDBEngine._resolve_path


def open_in_memory(_original: Any, _engine: DuckDBEngine) -> str:
    """Begin without a file: only an attached database can have its own size of row groups."""
    return ":memory:"


def attach(original: Any, engine: DuckDBEngine) -> None:
    """Attach the file, and leave memory to Airflow: DuckDB would take 80 % of the machine. It spills the rest to disk.

    Raises:
        duckdb.IOException: The file can't be opened.
    """
    original(engine)
    file, execute = _path_of(engine), engine.connection.execute
    execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    execute(f"SET temp_directory = {literal(f'{file}.tmp')}")
    execute(f"SET wal_autocheckpoint = '{LOG_LIMIT}'")
    execute("SET write_buffer_row_group_count = 1")
    execute(f"ATTACH {literal(file)} AS {NAME} (ROW_GROUP_SIZE {ROW_GROUP})")
    execute(f"USE {NAME}")


def prepare(engine: DuckDBEngine, kind: str) -> None:
    """Choose the compression for a kind of job."""
    engine.execute(f"SET force_compression = '{COMPRESSION.get(kind, 'auto')}'")


class Checkpoints:
    """Frees the blocks of deleted rows when the file has grown."""

    def __init__(self, engine: DuckDBEngine) -> None:
        self._engine, self._file = engine, Path(_path_of(engine))
        self._size = self._file.stat().st_size

    def after_job(self) -> None:
        """Make a checkpoint if it is due; if it fails, a later one does it."""
        if self._file.stat().st_size - self._size < GROWTH:
            return
        # A full disk, or the interrupt of a stop. After an error that DuckDB does not survive, the next job exits.
        with contextlib.suppress(duckdb.Error):
            self._engine.execute("CHECKPOINT")
            self._size = self._file.stat().st_size
