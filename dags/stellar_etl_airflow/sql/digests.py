"""The SQL of digests: one per ledger, and one for a table's rows of a range. Pure.

docs/certificates.md defines the formats of values and rows; `stellar-etl verify-certificate` computes the same from the
lake. A digest depends on the rows of each ledger, not on their order.
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
"""A JSON number with a decimal point or an exponent, which programs format in different ways."""

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
"""The formats of values that are compared within one warehouse, which formats equal fractions alike."""


MOST_LISTS = 2
"""Maximum nesting of lists. Deeper lists are left out: the branches of a claim's predicate."""


def _parts(field: Field, value: str, depth: int, texts: Mapping[str, str] = _TEXTS) -> list[str]:
    """Return SQL of the parts of a value. The enclosing row or list joins them, which limits nested calls."""
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
    """Return SQL that joins parts to one text."""
    return parts[0] if len(parts) == 1 else f"ARRAY_TO_STRING([{', '.join(parts)}], '')"


def encoded(field: Field, value: str) -> str:
    """Return SQL of a value in its documented format.

    Args:
        field: its column or field.
        value: SQL of the value.
    """
    return _joined(_parts(field, value, 0))


def exact_form(field: Field, value: str) -> str:
    """Return SQL of a text that is equal for equal values of one warehouse, including JSON and inner lists.

    Fields of a record within two lists are in the order of the table.

    Args:
        field: its column or field.
        value: SQL of the value.
    """
    return _joined(_parts(field, value, 0, _EXACT_TEXTS))


def encoded_row(fields: Sequence[Field], alias: str) -> str:
    """Return SQL of the text of a row."""
    return _joined(_of_fields(fields, alias, 0))


def certified_fields(fields: Sequence[Field]) -> list[Field]:
    """Return the columns of a schema file without those that describe the load."""
    return [field for field in fields if field["name"] not in BATCH_COLUMNS]


def _by_ledger(table: Table, name: str, fields: Sequence[Field]) -> str:
    """Return a query of `sequence`, `found` and `digest`: one row per ledger with rows."""
    return f"""\
SELECT sequence, COUNT(*) AS found, TO_HEX(SHA256(STRING_AGG(row_hash, '' ORDER BY row_hash))) AS digest
FROM (
  SELECT {ledger_of_row(table)} AS sequence, TO_HEX(SHA256({encoded_row(fields, "t")})) AS row_hash
  FROM {name} AS t
  WHERE {range_predicate(table, "t")}
)
GROUP BY sequence"""


MOST_DIFFERENCES = 100
"""Maximum number of ledgers per table in a comparison."""


def differing_ledgers(
    table: Table, one: str, other: str, fields: Sequence[Field], parameters: tuple[Parameter, ...]
) -> Statement:
    """Return the first ledgers whose rows differ between two tables: `sequence`, `found` and `found_there`.

    Args:
        table: the table of the registry.
        one: the quoted name of a table.
        other: the quoted name of the other table.
        fields: the columns to compare, with nested ones in the order of the schema file.
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
    """Return one row: the number of rows `found` in a range of ledgers of a table, and their `digest`.

    Args:
        table: the table of the registry.
        name: its quoted name.
        fields: the columns to include, with nested ones in the order of the schema file.
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
    """Return the hash, the previous hash and the counts of each header of a range, oldest first.

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
