"""Copies of rows between tables, with the fields of nested columns matched by name. Pure.

BigQuery assigns a STRUCT to a column by the position of its fields and ignores their names
(https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules). Two tables may have the same fields in
another order: a field that is added to a table comes last there, whatever its place in the schema file. If the orders
differ, the record is rebuilt in the order of the target.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stellar_etl_airflow.model.schema import Field, mode_of, same_fields, type_of
from stellar_etl_airflow.sql.statement import identifier

Columns = Mapping[str, str]
"""The SQL of each column's value from a source row, by the column's name, in the order of the target."""

_SQL_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}


def unchanged(names: Iterable[str]) -> Columns:
    """Return columns whose values are copied unchanged."""
    return {name: identifier(name) for name in names}


def moved(source: Sequence[Field], target: Sequence[Field], names: Sequence[str]) -> Columns:
    """Return columns whose values are copied from a source to a target, with record fields matched by name.

    Args:
        source: the schema of the source table.
        target: the schema of the target table.
        names: the columns to copy; both tables have them.

    Raises:
        KeyError: a column is missing in the source or in the target.
    """
    sources, targets = ({field["name"].lower(): field for field in fields} for fields in (source, target))
    return {
        name: _value(identifier(name), sources[name.lower()], targets[name.lower()], itertools.count())
        for name in names
    }


def select_list(columns: Columns) -> str:
    """Return the SELECT list over the source that returns the columns under their names."""
    return ", ".join(
        value if value == identifier(name) else f"{value} AS {identifier(name)}" for name, value in columns.items()
    )


def moved_rows(source: str, columns: Columns) -> str:
    """Return the source itself, or a query over it if a record must be rebuilt in the order of the target.

    A MERGE supports correlated subqueries only in its source
    (https://cloud.google.com/bigquery/docs/data-manipulation-language#limitations).

    Args:
        source: the quoted name of a table, or a query in parentheses.
        columns: the columns to copy.
    """
    if columns == unchanged(columns):
        return source
    return f"(\n  SELECT {select_list(columns)}\n  FROM {source}\n)"


def _value(value: str, source: Field, target: Field, numbers: Iterator[int]) -> str:
    """Return SQL of a field's value in the format of the target."""
    if type_of(target) != "RECORD" or same_fields(source["fields"], target["fields"]):
        return value
    if mode_of(target) != "REPEATED":
        return f"IF({value} IS NULL, NULL, {_struct(value, source, target, numbers)})"
    number = next(numbers)
    element, offset = f"e{number}", f"o{number}"
    return (
        f"ARRAY(SELECT {_struct(element, source, target, numbers)} "
        f"FROM UNNEST({value}) AS {element} WITH OFFSET AS {offset} ORDER BY {offset})"
    )


def _struct(value: str, source: Field, target: Field, numbers: Iterator[int]) -> str:
    fields = {field["name"].lower(): field for field in source["fields"]}
    parts = []
    for wanted in target["fields"]:
        name = identifier(wanted["name"])
        found = fields.get(wanted["name"].lower())
        part = _missing(wanted) if found is None else _value(f"{value}.{name}", found, wanted, numbers)
        parts.append(f"{part} AS {name}")
    return f"STRUCT({', '.join(parts)})"


def _missing(field: Field) -> str:
    """Return SQL of a field that the source lacks: NULL, or an empty array."""
    single = _sql_type({**field, "mode": "NULLABLE"})
    return f"ARRAY<{single}>[]" if mode_of(field) == "REPEATED" else f"CAST(NULL AS {single})"


def _sql_type(field: Field) -> str:
    if type_of(field) == "RECORD":
        parts = ", ".join(f"{identifier(part['name'])} {_sql_type(part)}" for part in field["fields"])
        single = f"STRUCT<{parts}>"
    else:
        single = _SQL_TYPES.get(type_of(field), type_of(field))
    return f"ARRAY<{single}>" if mode_of(field) == "REPEATED" else single
