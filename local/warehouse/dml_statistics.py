"""Rows that a statement inserted, updated and deleted, which BigQuery reports apart."""

from __future__ import annotations

from collections import Counter
from typing import Any


class AffectedRows(int):
    """Rows that a statement changed, by kind; the number is their sum."""

    inserted: int
    updated: int
    deleted: int

    def __new__(cls, inserted: int = 0, updated: int = 0, deleted: int = 0) -> AffectedRows:
        """Sum the three counts."""
        rows = super().__new__(cls, inserted + updated + deleted)
        rows.inserted, rows.updated, rows.deleted = inserted, updated, deleted
        return rows

    @classmethod
    def of_merge(cls, actions: Any) -> AffectedRows:
        """Count the values of DuckDB's ``merge_action``, an Arrow column."""
        counts = Counter({item["values"]: item["counts"] for item in actions.value_counts().to_pylist()})
        return cls(inserted=counts["INSERT"], updated=counts["UPDATE"], deleted=counts["DELETE"])

    @classmethod
    def of_statement(cls, statement_type: str, count: int) -> AffectedRows:
        """Read a count as the one kind of change that the statement can make."""
        match statement_type:
            case "INSERT":
                return cls(inserted=count)
            case "UPDATE":
                return cls(updated=count)
            case _:
                return cls(deleted=count)

    def as_dml_stats(self) -> dict[str, str]:
        """BigQuery's ``DmlStats`` resource, whose counts are strings."""
        return {
            "insertedRowCount": str(self.inserted),
            "updatedRowCount": str(self.updated),
            "deletedRowCount": str(self.deleted),
        }


def count_rows_by_kind(original: Any, result: Any) -> int:
    """Rows that a statement changed, out of the Arrow table that DuckDB answered it with."""
    if result.column_names == ["merge_action"]:
        return AffectedRows.of_merge(result.column(0))
    return int(original(result))


def build_statistics_with_kinds(original: Any, **arguments: Any) -> dict[str, Any]:
    """Add ``dmlStats``, which bqemulator leaves out of a query job's statistics."""
    statistics: dict[str, Any] = original(**arguments)
    rows = arguments["num_dml_affected_rows"]
    if rows is not None:
        if not isinstance(rows, AffectedRows):
            rows = AffectedRows.of_statement(arguments["statement_type"], rows)
        statistics["query"]["dmlStats"] = rows.as_dml_stats()
    return statistics
