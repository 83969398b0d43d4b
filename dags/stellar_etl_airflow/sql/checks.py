"""Checks as SQL: one query that counts invalid rows of a staging table, and a query per fault that shows the rows.

Pure: columns are checked names, and values are query parameters. Only the query in a message has its values written
out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from stellar_etl_airflow.model.checks import Check, Condition, Kind, Metric, Value
from stellar_etl_airflow.model.tables import LEDGERS, Table
from stellar_etl_airflow.sql.batch_stats import LEDGER_COUNTS, ledger_counts
from stellar_etl_airflow.sql.derived import in_names
from stellar_etl_airflow.sql.statement import (
    ArrayParameter,
    Parameter,
    Statement,
    column_list,
    identifier,
    ledger_of_row,
    ledgers_predicate,
    range_predicate,
)


class CheckError(ValueError):
    """A check does not fit its table; the message says why."""


@dataclass(frozen=True)
class Rule:
    """One fault that a staging table may have, and its query.

    Attributes:
        name: the column with its count in the check's result.
        meaning: the fault, as text after the count.
        count: SQL over the staging table's rows; 0 if there is no fault.
        rows: a query that shows the invalid rows.
        parameters: the parameters of `count` and `rows`, in addition to the batch's.
        refuses: whether such rows keep the batch from being published; otherwise the task logs them.
    """

    name: str
    meaning: str
    count: str
    rows: str
    parameters: tuple[Parameter | ArrayParameter, ...] = ()
    refuses: bool = True


def check_staging(
    staging: str, rules: Sequence[Rule], parameters: tuple[Parameter, ...], counted: Table | None = None
) -> Statement:
    """Return one row: `row_count`, a count per rule, and `LEDGER_COUNTS` if `counted` is given.

    Args:
        staging: the quoted name of the staging table.
        rules: the rules to count.
        parameters: `range_parameters` of the batch.
        counted: the table whose rows are counted per ledger.
    """
    rows = f"COUNTIF({ledgers_predicate(counted)})" if counted and counted.chain else "COUNT(*)"  # without later rows
    columns = [f"{rows} AS row_count", *(f"COALESCE({rule.count}, 0) AS {identifier(rule.name)}" for rule in rules)]
    if counted:
        within = ledgers_predicate(counted) if counted.chain else "TRUE"
        columns.append(f"({ledger_counts(counted, staging, within)}) AS {LEDGER_COUNTS}")
    own = tuple(parameter for rule in rules for parameter in rule.parameters)
    listed = ",\n".join(f"  {column}" for column in columns)
    return Statement(f"SELECT\n{listed}\nFROM {staging}", (*parameters, *own))


def shown(rule: Rule, parameters: Sequence[Parameter]) -> str:
    """Return the query that shows invalid rows, ready to run: with values instead of parameters."""
    values = {parameter.name: _literal(parameter) for parameter in (*parameters, *rule.parameters)}
    return re.sub(r"@(\w+)", lambda match: values[match[1]], rule.rows)


def _literal(parameter: Parameter | ArrayParameter) -> str:
    if isinstance(parameter, ArrayParameter):
        values = (_literal(Parameter(parameter.name, parameter.type, value)) for value in parameter.values)
        return f"ARRAY<{parameter.type}>[{', '.join(values)}]"
    if parameter.value is None:
        return "NULL"
    if parameter.type in ("INT64", "FLOAT64", "BOOL"):
        return parameter.value
    # GoogleSQL has the same escapes except surrogate pairs, so characters beyond U+FFFF are not escaped.
    quoted = json.dumps(parameter.value, ensure_ascii=False)
    return quoted if parameter.type == "STRING" else f"{parameter.type} {quoted}"


# Checks of every table ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """The published tables that a staging table is checked against.

    Attributes:
        published: the quoted name of the published table.
        table_id: the published table's name in the batch stats.
        stats: the quoted name of the batch stats; None if the table does not exist.
        headers: the quoted name of the published ledgers; None if the table does not exist.
    """

    published: str
    table_id: str
    stats: str | None = None
    headers: str | None = None


def own_rules(table: Table, staging: str, loaded: Loaded, left_out: Sequence[int] = ()) -> list[Rule]:
    """Return the registry's checks of a table: keys, range, chain, counts and values.

    Args:
        table: the table.
        staging: the quoted name of its staging table.
        loaded: the published tables.
        left_out: the ledger of each row that the export skipped.
    """
    keys = [identifier(key) for key in table.keys]
    closed_at = identifier(table.closed_at_column)
    # In a chain of rows per entry, later rows of the changed entries are staged too.
    ledgers = f"{identifier(table.ledger_column)} >= @start_ledger" if table.chain else ledgers_predicate(table)
    until = "@newest_closed_at" if table.chain else "@last_closed_at"
    rules = [
        _rows_rule("keys_missing", "rows whose key is NULL", staging, " OR ".join(f"{key} IS NULL" for key in keys)),
        _rows_rule(
            "ledger_outside_range",
            "rows whose ledger is not in the batch",
            staging,
            f"NOT COALESCE({ledgers}, FALSE)",
        ),
        _rows_rule(
            "closed_at_outside_range",
            "rows whose close time is not in the batch",
            staging,
            f"NOT COALESCE({closed_at} BETWEEN @first_closed_at AND {until}, FALSE)",
        ),
    ]
    if loaded.stats:
        rules.append(_other_chain(loaded.stats, loaded.table_id))
    if table.unique:
        rules.append(_repeated("keys_repeated", "rows that repeat another row's key", staging, table.keys, "TRUE"))
    if table.identity:
        known = " AND ".join(f"{identifier(column)} IS NOT NULL" for column in table.identity)
        meaning = f"rows that repeat another row's {', '.join(table.identity)}"
        rules.append(_repeated("identity_repeated", meaning, staging, table.identity, known))
    if table.header_count and loaded.headers and not table.derivation:  # derived tables check their sources instead
        rules.append(_promised(table, staging, loaded.headers, left_out))
    if table is LEDGERS:
        rules.append(_broken_chain(staging, loaded.published))
    return rules


def against_sources(
    query: str, table: Table, names: Mapping[Table, str], staging: str, *, refuses: bool = True
) -> Rule:
    """Return the rule of a derived table's own check query.

    Args:
        query: the text of a file in `dags/queries/checks`; see `derived.in_names`.
        table: the derived table.
        names: the quoted name of each source.
        staging: the quoted name of the staging table.
        refuses: whether rows of the query keep the batch from being published.
    """
    assert table.derivation is not None
    rows, meaning = in_names(query, table, names, staging=staging), table.derivation.against_sources
    return Rule("against_sources", meaning, f"(SELECT COUNT(*) FROM (\n{rows}))", rows, refuses=refuses)


def _rows_rule(
    name: str, meaning: str, staging: str, fault: str, parameters: tuple[Parameter | ArrayParameter, ...] = ()
) -> Rule:
    return Rule(name, meaning, f"COUNTIF({fault})", f"SELECT * FROM {staging} WHERE {fault}", parameters)


def _repeated(
    name: str,
    meaning: str,
    staging: str,
    keys: Sequence[str],
    where: str,
    parameters: tuple[Parameter | ArrayParameter, ...] = (),
) -> Rule:
    columns = column_list(keys)
    groups = f"SELECT {columns}, COUNT(*) AS copies FROM {staging} WHERE {where} GROUP BY {columns} HAVING COUNT(*) > 1"
    return Rule(name, meaning, f"(SELECT SUM(copies - 1) FROM ({groups}))", groups, parameters)


_EDGES = (("start_ledger", "first_closed_at"), ("end_ledger", "last_closed_at"))
"""The columns of a load's first and last ledger with their close times. The batch's parameters have the same names."""


def _other_chain(stats: str, table_id: str) -> Rule:
    """Return the rule that finds earlier loads of another chain: a later ledger never closes earlier.

    It reads only the batch stats, not the published table, however large that is.
    """
    contradictions = " OR ".join(
        f"{ledger} > @{edge} AND {closed_at} < @{edge_closed_at}"
        f" OR {ledger} < @{edge} AND {closed_at} > @{edge_closed_at}"
        f" OR {ledger} = @{edge} AND {closed_at} <> @{edge_closed_at}"
        for ledger, closed_at in _EDGES
        for edge, edge_closed_at in _EDGES
    )
    rows = f"FROM {stats} WHERE table_id = @chain_table_id AND ({contradictions})"
    meaning = (
        "earlier loads whose ledgers and close times contradict the batch's: they are of another chain, such as a test "
        "network before its reset; load this one into another dataset"
    )
    parameters = (Parameter("chain_table_id", "STRING", table_id),)
    return Rule("other_chain", meaning, f"(SELECT COUNT(*) {rows})", f"SELECT * {rows}", parameters)


def _promised(table: Table, staging: str, headers: str, left_out: Sequence[int]) -> Rule:
    """Return the rule that compares row counts per ledger with the published headers; ledgers without one are ignored.

    Rows that the export skipped are expected to be missing.
    """
    promised = f"{table.header_count} AS promised"
    parameters: tuple[ArrayParameter, ...] = ()
    if left_out:
        promised = f"{table.header_count} - (SELECT COUNTIF(one = sequence) FROM UNNEST(@left_out) AS one) AS promised"
        parameters = (ArrayParameter("left_out", "INT64", tuple(map(str, left_out))),)
    groups = f"""\
SELECT h.sequence, h.promised, COALESCE(s.found, 0) AS found
FROM (SELECT sequence, {promised} FROM {headers} WHERE {range_predicate(LEDGERS)}) AS h
LEFT JOIN (SELECT {ledger_of_row(table)} AS sequence, COUNT(*) AS found FROM {staging} GROUP BY 1) AS s
ON s.sequence = h.sequence
WHERE COALESCE(s.found, 0) <> h.promised"""
    meaning = "ledgers whose row count differs from their header in the published ledgers"
    if left_out:
        meaning += ", not counting rows that the export skipped"
    return Rule("not_as_promised", meaning, f"(SELECT COUNT(*) FROM ({groups}))", groups, parameters)


def _broken_chain(staging: str, published: str) -> Rule:
    """Return the rule that finds broken hash chains, including the ledgers before and after the batch."""
    near = (
        "closed_at BETWEEN TIMESTAMP_SUB(@first_closed_at, INTERVAL 1 DAY) "
        "AND TIMESTAMP_ADD(@last_closed_at, INTERVAL 1 DAY)"
    )
    links = f"""\
SELECT a.sequence, a.ledger_hash, b.previous_ledger_hash AS named_by_the_next
FROM (
  SELECT sequence, ledger_hash FROM {staging}
  UNION ALL SELECT sequence, ledger_hash FROM {published} WHERE sequence = @start_ledger - 1 AND {near}
) AS a
JOIN (
  SELECT sequence, previous_ledger_hash FROM {staging}
  UNION ALL SELECT sequence, previous_ledger_hash FROM {published} WHERE sequence = @end_ledger + 1 AND {near}
) AS b
ON b.sequence = a.sequence + 1
WHERE b.previous_ledger_hash <> a.ledger_hash"""
    meaning = "ledgers whose hash differs from the previous hash in the next ledger, including adjacent loaded ledgers"
    return Rule("broken_chain", meaning, f"(SELECT COUNT(*) FROM ({links}))", links)


# Checks of columns -------------------------------------------------------------------------------------------------

PARAMETER_TYPES = {
    "INTEGER": "INT64",
    "INT64": "INT64",
    "FLOAT": "FLOAT64",
    "FLOAT64": "FLOAT64",
    "NUMERIC": "NUMERIC",
    "BIGNUMERIC": "BIGNUMERIC",
    "BOOLEAN": "BOOL",
    "BOOL": "BOOL",
    "STRING": "STRING",
    "TIMESTAMP": "TIMESTAMP",
    "DATETIME": "DATETIME",
    "DATE": "DATE",
}
"""The parameter type for comparing a column, by the column's type. Other types cannot be checked."""

NUMBERS = ("INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC")


def column_rules(checks: Sequence[Check], staging: str, fields: Sequence[Mapping[str, object]]) -> list[Rule]:
    """Return the rules of checks on columns, named `check_0` and so on.

    Args:
        checks: the checks.
        staging: the quoted name of the staging table.
        fields: the table's schema.

    Raises:
        CheckError: a column is not in the table, or a value does not have its type.
    """
    types = {
        str(field["name"]): PARAMETER_TYPES.get(str(field["type"]).upper())
        for field in fields
        if str(field.get("mode") or "NULLABLE").upper() != "REPEATED"
    }
    return [_column_rule(f"check_{number}", check, staging, types) for number, check in enumerate(checks)]


def _column_rule(name: str, check: Check, staging: str, types: Mapping[str, str | None]) -> Rule:
    parameters: list[Parameter | ArrayParameter] = []

    def parameter(column: str, value: Value, type_: str | None = None) -> str:
        type_ = type_ or _type_of(column, types)
        made = Parameter(f"{name}_{len(parameters)}", type_, _text(column, value, type_))
        parameters.append(made)
        return f"@{made.name}"

    def comparison(condition: Condition) -> str:
        value = parameter(condition.column, condition.value)  # raises for an unknown column
        return f"COALESCE({identifier(condition.column)} {condition.operator} {value}, FALSE)"

    type_ = _type_of(check.column, types)
    column = identifier(check.column)
    where = " AND ".join(map(comparison, check.where)) or "TRUE"
    if check.kind is Kind.UNIQUE:
        meaning = f"rows that repeat another row's {column}"
        return _repeated(name, meaning, staging, [check.column], f"{where} AND {column} IS NOT NULL", tuple(parameters))
    if check.kind is Kind.METRIC:
        assert check.metric is not None
        number = _metric_type(check.metric, check.column, type_)
        value = f"{check.metric.value}({column})"
        if check.metric is Metric.MIN and type_ == "FLOAT64":  # with NaN: BigQuery returns NaN, DuckDB the least number
            value = f"IF(COUNTIF(IS_NAN({column})) > 0, CAST('NaN' AS FLOAT64), {value})"
        if check.metric is Metric.AVG and number == "NUMERIC":  # BigQuery returns NUMERIC, bqemulator FLOAT64
            value = f"CAST({value} AS NUMERIC)"
        value = f"COALESCE({value}, 0)" if check.metric in (Metric.COUNT, Metric.SUM) else value
        found = f"SELECT {value} AS found FROM {staging} WHERE {where}"
        outside = _outside("found", number, check, lambda bound: parameter(check.column, bound, number))
        meaning = f"for {check.metric.value}({column}) not {_bounds(check)}"
        return Rule(name, meaning, f"(SELECT COUNTIF({outside}) FROM ({found}))", found, tuple(parameters))
    if check.kind is Kind.ACCEPTED_VALUES:
        texts = tuple(_text(check.column, value, type_) for value in check.values)
        accepted = ArrayParameter(f"{name}_{len(parameters)}", type_, texts)
        parameters.append(accepted)
        fault, meaning = (
            f"{column} NOT IN UNNEST(@{accepted.name})",
            f"rows whose {column} is not one of the accepted values",
        )
    elif check.kind is Kind.RANGE:
        fault = f"({_outside(column, type_, check, lambda bound: parameter(check.column, bound))})"
        meaning = f"rows whose {column} is not {_bounds(check)}"
    else:
        fault, meaning = f"{column} IS NULL", f"rows whose {column} is NULL"
    return _rows_rule(name, meaning, staging, f"{where} AND {fault}", tuple(parameters))


def _outside(value: str, type_: str, check: Check, parameter: Callable[[Value], str]) -> str:
    """Return SQL that is true for a value outside the bounds, and for NaN.

    In BigQuery every comparison with NaN is false. In DuckDB NaN is the greatest value.
    """
    parts = [f"IS_NAN({value})"] if type_ == "FLOAT64" else []
    if check.minimum is not None:
        parts.append(f"{value} < {parameter(check.minimum)}")
    if check.maximum is not None:
        parts.append(f"{value} > {parameter(check.maximum)}")
    return " OR ".join(parts)


def _bounds(check: Check) -> str:
    parts = [(check.minimum, "at least"), (check.maximum, "at most")]
    return " and ".join(f"{words} {bound}" for bound, words in parts if bound is not None)


def _type_of(column: str, types: Mapping[str, str | None]) -> str:
    if column not in types:
        raise CheckError(f"there is no column {column!r} with one value per row")
    type_ = types[column]
    if type_ is None:
        raise CheckError(f"column {column!r} has a type that cannot be checked")
    return type_


def _metric_type(metric: Metric, column: str, type_: str) -> str:
    if metric is Metric.COUNT:
        return "INT64"
    if metric in (Metric.SUM, Metric.AVG) and type_ not in NUMBERS:
        raise CheckError(f"{metric.value} needs a column of numbers, and {column!r} is {type_}")
    return "FLOAT64" if metric is Metric.AVG and type_ == "INT64" else type_


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer greater than the largest float
        return False


def _text(column: str, value: Value, type_: str) -> str:
    """Return a value as the text of a query parameter."""
    wrong = CheckError(f"{value!r} is not of type {type_}, as column {column!r} requires")
    if isinstance(value, bool):
        if type_ != "BOOL":
            raise wrong
        return str(value).lower()
    if isinstance(value, (int, float)):
        if type_ not in NUMBERS or not _is_finite(value):  # comparisons with NaN would never find a fault
            raise wrong
        if type_ == "INT64" and not (isinstance(value, int) and -(1 << 63) <= value < 1 << 63):
            raise wrong
        return repr(value)
    if type_ == "STRING":
        return value
    try:
        if type_ == "DATE":
            return date.fromisoformat(value).isoformat()
        if type_ in ("TIMESTAMP", "DATETIME"):
            return datetime.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise wrong
