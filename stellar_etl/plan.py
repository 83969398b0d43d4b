"""The files of an export, and its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FileSet:
    """The files of a range of ledgers, one per type.

    Attributes:
        start: the first ledger.
        end: the last ledger.
        names: the file or object to write for each type.
        parquet_names: the Parquet file or object to write for each type beside the other, empty for no Parquet.
    """

    start: int
    end: int
    names: Mapping[str, str]
    parquet_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RowOptions:
    """The options of rows, for every process.

    Attributes:
        extra_fields: added to every row, as text.
        strict: whether a row that can't be made ends the export; it is counted otherwise.
        limit: how many rows to write to a file at most, None for all.
        verify: whether hashes are checked.
    """

    extra_fields: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    limit: int | None = None
    verify: bool = True
