"""DuckDB expressions for one value of a load: the text forms that BigQuery accepts for each type. No IO.

Sources: `BigQuery's page on loading JSON <https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-json>`_
(section "Details of loading JSON data") and, for forms that the page leaves open, the casts of Google's reference
evaluator of GoogleSQL. If the two differ, a form that either of them accepts is accepted.
``tests/local/warehouse/verdicts.py`` lists forms and verdicts.
"""

from __future__ import annotations

from local.warehouse.schema import Field, duckdb_type
from stellar_etl_airflow.model.schema import type_of

_DECIMAL = r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?"
_PLAIN, _MOST_PLACES = r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+]?[0-9]+)?", 9
_SMALL = "|".join(rf"[+-]?[0-9]+([.][0-9]{{0,{_MOST_PLACES - n}}})?[eE]-0*{n}" for n in range(1, _MOST_PLACES + 1))
"""Numbers with a negative exponent without a digit beyond a NUMERIC's ninth place."""
_DAY = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_MINUTES = r"([01]?[0-9]|2[0-3]):[0-9]{1,2}"
_CLOCK = rf"{_MINUTES}:[0-9]{{1,2}}([.][0-9]{{1,6}})?"
_ZONE = r"( ?UTC|Z| ?[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"

_FORMS = {
    "INTEGER": r"\s*([+-]?[0-9]+|0[xX][0-9a-fA-F]+)\s*",
    "FLOAT": rf"\s*{_DECIMAL}\s*|[+-]?(?i:nan|inf|infinity)",
    "NUMERIC": rf"\s*({_PLAIN}|{_SMALL})\s*",
    "DATE": _DAY,
    "TIME": _CLOCK,
    "DATETIME": rf"{_DAY}([ T]{_CLOCK})?",
    "TIMESTAMP": rf"[0-9]{{4}}[-/][0-9]{{1,2}}[-/][0-9]{{1,2}}([ T]({_CLOCK}|{_MINUTES}){_ZONE}?)?",
}
"""The complete text of a value, as a regular expression of RE2."""

_YEAR_ONE, _YEAR_TEN_THOUSAND = -62_135_596_800, 253_402_300_800
"""Seconds since 1970: where BigQuery's TIMESTAMP begins, and the first second after its end."""

_TEXT_ONLY = {"BYTES", "DATE", "TIME", "DATETIME"}
"""Types whose values are JSON strings; the others also take numbers or true and false."""


def literal(text: str) -> str:
    """Return a DuckDB string literal."""
    return "'" + text.replace("'", "''") + "'"


def error(message: str, value: str | None = None) -> str:
    """Return an expression that fails with a message and the value of another expression."""
    text = literal(message)
    return f"error({text})" if value is None else f"error({text} || {value})"


def takes(field: Field, kind: str) -> bool:
    """Whether a column of one value accepts a JSON scalar, by DuckDB's name of its type."""
    return kind == "VARCHAR" or type_of(field) not in _TEXT_ONLY


def converted(field: Field, value: str, name: str) -> str:
    """Return the expression for a scalar column's value.

    Args:
        field: The column; its mode has no effect.
        value: An expression for the value's text, NULL if there is none.
        name: The column's full name, for the error.

    Returns:
        An expression of the column's type, which fails with BigQuery's reason for a refused text.
    """
    kind = type_of(field)
    refused = error(f"Could not convert value to {kind.lower()}. Field: {name}; Value: ", value)
    if kind == "TIMESTAMP":
        return _timestamp(value, name, refused)
    result = f"CAST({value} AS {duckdb_type({**field, 'mode': 'NULLABLE'})})"
    match kind:
        case "BOOLEAN":
            return (
                f"CASE WHEN {value} IS NULL THEN NULL WHEN lower({value}) IN ('true', '1', 't', 'yes', 'y') THEN true "
                f"WHEN lower({value}) IN ('false', '0', 'f', 'no', 'n') THEN false ELSE {refused} END"
            )
        case "NUMERIC":
            # Digits beyond a NUMERIC, which DuckDB would round off.
            lost = f"regexp_matches({value}, {literal(r'[.][0-9]{9}[0-9]*[1-9]')})"
            return f"CASE WHEN {_has_form(kind, value)} AND NOT {lost} THEN {result} ELSE {refused} END"
        case "BYTES":
            packed = rf"regexp_replace({value}, '\s', '', 'g')"
            return f"from_base64(rpad({packed}, CAST(ceil(length({packed}) / 4) * 4 AS INTEGER), '='))"
        case "DATE" | "DATETIME":
            result = f"CASE WHEN {value} < '0001' THEN {refused} ELSE {result} END"
    return f"CASE WHEN {_has_form(kind, value)} THEN {result} ELSE {refused} END" if kind in _FORMS else result


def _has_form(kind: str, value: str) -> str:
    return f"({value} IS NULL OR regexp_full_match({value}, {literal(_FORMS[kind])}))"


def _timestamp(value: str, name: str, refused: str) -> str:
    """Convert a date and time, or seconds since 1970 with up to six places, as a JSON number or text.

    No client can read a time beyond year 9999, so such a row would make its table unreadable.
    """
    outside = error(f"Timestamp is out of range. Field: {name}; Value: ", value)
    # DuckDB accepts a zone's offset only without a space before it.
    calendar = f"CAST(replace(replace({value}, ' -', '-'), ' +', '+') AS TIMESTAMPTZ)"
    seconds = f"TRY_CAST({value} AS DOUBLE)"
    epoch = f"make_timestamptz(CAST(round(CAST({value} AS DECIMAL(38, 9)) * 1000000) AS BIGINT))"
    inside = "TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"
    return (
        f"CASE WHEN {_has_form('TIMESTAMP', value)} THEN "
        f"CASE WHEN {calendar} NOT BETWEEN {inside} THEN {outside} ELSE {calendar} END "
        f"WHEN NOT regexp_full_match({value}, {literal(_DECIMAL)}) THEN {refused} "
        f"WHEN {seconds} < {_YEAR_ONE} OR {seconds} >= {_YEAR_TEN_THOUSAND} THEN {outside} ELSE {epoch} END"
    )
