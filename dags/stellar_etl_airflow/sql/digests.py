"""The SQL of digests: one for the rows of each ledger, and one for a table's rows of a range. Pure.

The forms of values and rows are those of docs/certificates.md; `stellar-etl verify-certificate` computes the same from
the lake. A digest depends on the rows of each ledger and not on their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stellar_etl_airflow.model.schema import Field, mode_of, type_of
from stellar_etl_airflow.model.tables import BATCH_COLUMNS, LEDGERS, Table
from stellar_etl_airflow.sql.statement import Parameter, Statement, identifier, ledger_of_row, range_predicate

_FLOAT = (
    "CASE WHEN IS_NAN({0}) THEN 'NaN' WHEN IS_INF({0}) THEN IF({0} > 0, 'Infinity', '-Infinity') "
    "WHEN {0} = 0 THEN '0' ELSE FORMAT('%.17e', {0}) END"
)
_NUMERIC = "IF(STRPOS(CAST({0} AS STRING), '.') > 0, RTRIM(RTRIM(CAST({0} AS STRING), '0'), '.'), CAST({0} AS STRING))"
_FRACTION = r"([:\[,])-?[0-9]+(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)"
"""A number in JSON with a point or an exponent, which programs spell in different ways."""

_TEXTS = {
    "STRING": "{0}",
    "INTEGER": "CAST({0} AS STRING)",
    "FLOAT": _FLOAT,
    "NUMERIC": _NUMERIC,
    "BOOLEAN": "IF({0}, 'true', 'false')",
    "TIMESTAMP": "CAST(UNIX_MICROS({0}) AS STRING)",
    "BYTES": "TO_HEX({0})",
    "JSON": f"REGEXP_REPLACE(TO_JSON_STRING({{0}}), r'{_FRACTION}', r'\\1~')",
}
_EXACT_TEXTS = _TEXTS | {"JSON": "TO_JSON_STRING({0})"}
"""The forms of values that are compared within one warehouse, which spells equal fractions alike."""


MOST_LISTS = 2
"""A list that lies in so many others is left out: the branches of a claim's predicate."""


def _parts(field: Field, value: str, depth: int, texts: Mapping[str, str] = _TEXTS) -> list[str]:
    """SQL of the parts of a value, which are joined by the row or the list that it lies in: so calls nest little."""
    if mode_of(field) == "REPEATED":
        if depth == MOST_LISTS:
            return [] if texts is _TEXTS else [f"TO_JSON_STRING({value})"]
        alias, place = f"e{depth}", f"p{depth}"
        single = _joined(_parts({**field, "mode": "NULLABLE"}, alias, depth + 1, texts))
        elements = f"ARRAY(SELECT {single} FROM UNNEST({value}) AS {alias} WITH OFFSET AS {place} ORDER BY {place})"
        return ["'['", f"ARRAY_TO_STRING({elements}, '')", "']'"]
    if type_of(field) == "RECORD":
        return ["'('", *_of_fields(field["fields"], value, depth, texts), "')'"]
    text = texts[type_of(field)].replace("{0}", value)
    return [f"IF({value} IS NULL, '-', CONCAT(CAST(LENGTH({text}) AS STRING), ':', {text}))"]


def _of_fields(fields: Sequence[Field], alias: str, depth: int, texts: Mapping[str, str] = _TEXTS) -> list[str]:
    return [part for field in fields for part in _parts(field, f"{alias}.{identifier(field['name'])}", depth, texts)]


def _joined(parts: Sequence[str]) -> str:
    """SQL of parts as one text."""
    return parts[0] if len(parts) == 1 else f"ARRAY_TO_STRING([{', '.join(parts)}], '')"


def encoded(field: Field, value: str) -> str:
    """SQL of a value in its documented form.

    Args:
        field: its column or field.
        value: SQL of the value.
    """
    return _joined(_parts(field, value, 0))


def exact_form(field: Field, value: str) -> str:
    """SQL of a value in a form that is equal for equal values of one warehouse: JSON and inner lists are complete.

    The fields of a record that lies in two lists are taken in the order of the table.

    Args:
        field: its column or field.
        value: SQL of the value.
    """
    return _joined(_parts(field, value, 0, _EXACT_TEXTS))


def encoded_row(fields: Sequence[Field], alias: str) -> str:
    """SQL of the text of a row."""
    return _joined(_of_fields(fields, alias, 0))


def certified_fields(fields: Sequence[Field]) -> list[Field]:
    """The columns of a schema file that say something of the ledger: all but those of the load."""
    return [field for field in fields if field["name"] not in BATCH_COLUMNS]


def _by_ledger(table: Table, name: str, fields: Sequence[Field]) -> str:
    """A query of `sequence`, `found` and `digest`: a row for each ledger that has rows."""
    return f"""\
SELECT sequence, COUNT(*) AS found, TO_HEX(SHA256(STRING_AGG(row_hash, '' ORDER BY row_hash))) AS digest
FROM (
  SELECT {ledger_of_row(table)} AS sequence, TO_HEX(SHA256({encoded_row(fields, "t")})) AS row_hash
  FROM {name} AS t
  WHERE {range_predicate(table, "t")}
)
GROUP BY sequence"""


MOST_DIFFERENCES = 100
"""How many ledgers of a table a comparison names."""


def differing_ledgers(
    table: Table, one: str, other: str, fields: Sequence[Field], parameters: tuple[Parameter, ...]
) -> Statement:
    """The first ledgers in which two tables do not have the same rows: `sequence`, `found` and `found_there`.

    Args:
        table: the table of the registry.
        one: the quoted name of a table.
        other: the quoted name of the table that it is compared with.
        fields: the columns that count, with the nested ones in the order of the schema file.
        parameters: `range_parameters`.
    """
    sql = f"""\
SELECT COALESCE(a.sequence, b.sequence) AS sequence, COALESCE(a.found, 0) AS found, COALESCE(b.found, 0) AS found_there
FROM (
{_by_ledger(table, one, fields)}
) AS a
FULL JOIN (
{_by_ledger(table, other, fields)}
) AS b ON a.sequence = b.sequence
WHERE COALESCE(a.digest, '') <> COALESCE(b.digest, '')
ORDER BY 1
LIMIT {MOST_DIFFERENCES}"""
    return Statement(sql, parameters)


def table_digest(table: Table, name: str, fields: Sequence[Field], parameters: tuple[Parameter, ...]) -> Statement:
    """One row: the number of rows `found` in a range of ledgers of a table, and their `digest`.

    Args:
        table: the table of the registry.
        name: its quoted name.
        fields: the columns that count, with the nested ones in the order of the schema file.
        parameters: `range_parameters`.
    """
    sql = f"""\
SELECT COALESCE(SUM(found), 0) AS found, TO_HEX(SHA256(COALESCE(
  STRING_AGG(CONCAT(CAST(sequence AS STRING), ':', digest), ',' ORDER BY sequence), ''))) AS digest
FROM (
{_by_ledger(table, name, fields)}
)"""
    return Statement(sql, parameters)


def header_links(name: str, parameters: tuple[Parameter, ...]) -> Statement:
    """The hash, the hash of the ledger before and the counts of each header of a range, oldest first.

    Args:
        name: the quoted name of the ledgers' table.
        parameters: `range_parameters`.
    """
    return Statement(
        "SELECT sequence, ledger_hash, previous_ledger_hash, "
        "successful_transaction_count + failed_transaction_count AS transactions, "
        f"tx_set_operation_count AS operations FROM {name} WHERE {range_predicate(LEDGERS)} ORDER BY sequence",
        parameters,
    )
