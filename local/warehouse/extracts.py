"""Extract jobs: files with a number in place of the `*`, and Parquet with small row groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
from bqemulator.api.dependencies import AppContext

GROUP_BYTES = 1 << 20
"""The approximate size of a row group, and so the memory of a reader that takes one at a time."""
ROWS_AT_A_TIME = 64
FIRST_FILE = "000000000000"
"""BigQuery's text for the `*` of the first file; a laptop's tables fit into one file."""


def copy_relation_to_file(
    original: Callable[..., None], relation_sql: str, dest_path: str, fmt: str, ctx: AppContext, **options: Any
) -> None:
    """Write a table into the file that its pattern names; Parquet row group by row group."""
    path = dest_path.replace("*", FIRST_FILE)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if fmt.upper() != "PARQUET":
        original(relation_sql, path, fmt, ctx, **options)
        return
    reader: pa.RecordBatchReader = ctx.engine.connection.sql(relation_sql).to_arrow_reader(ROWS_AT_A_TIME)
    partial = f"{path}.part"
    with parquet.ParquetWriter(partial, reader.schema) as writer:
        for group in _groups(reader):
            writer.write_table(group)
    Path(partial).replace(path)


def _groups(reader: pa.RecordBatchReader) -> Any:
    """Yield tables of about `GROUP_BYTES` each; a larger row is a separate group."""
    batches: list[pa.RecordBatch] = []
    size = 0
    for batch in reader:
        for row in range(batch.num_rows) if batch.nbytes > GROUP_BYTES else (None,):
            piece = batch if row is None else batch.slice(row, 1)
            bytes_of = batch.nbytes if row is None else batch.nbytes // batch.num_rows
            if batches and size + bytes_of > GROUP_BYTES:
                yield pa.Table.from_batches(batches)
                batches, size = [], 0
            batches.append(piece)
            size += bytes_of
    if batches:
        yield pa.Table.from_batches(batches)
