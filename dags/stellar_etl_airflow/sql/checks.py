"""From checks to SQL: one query that counts what is wrong with a staging table, and for each fault one that shows it.

Pure, like `sql`: columns are checked names, and values are query parameters. Only the query that a message shows to
people has its values written out.
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
    """A check doesn't fit its table; the message says what does."""


@dataclass(frozen=True)
class Rule:
    """One fault that a staging table may have.

    Attributes:
        name: the column of the check's result that counts it.
        meaning: what is counted, in words.
        count: SQL over the staging table's rows, 0 if all is well.
        rows: a query that shows what is wrong.
        parameters: those that `count` and `rows` name, beside the batch's own.
    """

    name: str
    meaning: str
    count: str
    rows: str
    parameters: tuple[Parameter | ArrayParameter, ...] = ()


def check_staging(
    staging: str, rules: Sequence[Rule], parameters: tuple[Parameter, ...], counted: Table | None = None
) -> Statement:
    """One row: `row_count`, and a count for each rule; `LEDGER_COUNTS` too if rows are counted by ledger.

    Args:
        staging: the quoted name of the staging table.
        rules: what to count.
        parameters: `range_parameters` of the batch.
        counted: the table whose rows are counted by ledger.
    """
    rows = f"COUNTIF({ledgers_predicate(counted)})" if counted and counted.chain else "COUNT(*)"  # no later rows
    columns = [f"{rows} AS row_count", *(f"COALESCE({rule.count}, 0) AS {identifier(rule.name)}" for rule in rules)]
    if counted:
        within = ledgers_predicate(counted) if counted.chain else "TRUE"
        columns.append(f"({ledger_counts(counted, staging, within)}) AS {LEDGER_COUNTS}")
    own = tuple(parameter for rule in rules for parameter in rule.parameters)
    listed = ",\n".join(f"  {column}" for column in columns)
    return Statement(f"SELECT\n{listed}\nFROM {staging}", (*parameters, *own))


def shown(rule: Rule, parameters: Sequence[Parameter]) -> str:
    """The query that shows what is wrong, to be pasted: with its values in place of parameters."""
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
    # The escapes are GoogleSQL's too, except surrogate pairs: a character beyond U+FFFF stands as it is.
    quoted = json.dumps(parameter.value, ensure_ascii=False)
    return quoted if parameter.type == "STRING" else f"{parameter.type} {quoted}"


# What every table is held to ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """The references of the checks of a staging table.

    Attributes:
        published: the quoted name of the published table.
        table_id: the published table's name in the batch stats.
        stats: the quoted name of the batch stats, None if there is no such table yet.
        headers: the quoted name of the published ledgers, None if there is no such table yet.
    """

    published: str
    table_id: str
    stats: str | None = None
    headers: str | None = None


def own_rules(table: Table, staging: str, loaded: Loaded, left_out: Sequence[int] = ()) -> list[Rule]:
    """What the registry says of a table: keys, range, chain, counts, values.

    Args:
        table: the table.
        staging: the quoted name of its staging table.
        loaded: what was loaded before.
        left_out: for each row that the export left out, its ledger.
    """
    keys = [identifier(key) for key in table.keys]
    closed_at = identifier(table.closed_at_column)
    # Of a chain of rows per entry, later rows of the entries that the batch touches are staged too.
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
            "rows whose close time is not the batch's",
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
    if table.header_count and loaded.headers and not table.derivation:  # the sources of a derived table are checked
        rules.append(_promised(table, staging, loaded.headers, left_out))
    if table is LEDGERS:
        rules.append(_broken_chain(staging, loaded.published))
    return rules


def against_sources(query: str, table: Table, names: Mapping[Table, str], staging: str) -> Rule:
    """What a derived table's own check finds in its staged rows.

    Args:
        query: the text of a file in `dags/queries/checks`; see `derived.in_names`.
        table: the derived table.
        names: the quoted name of each source.
        staging: the quoted name of the staging table.
    """
    assert table.derivation is not None
    rows = in_names(query, table, names, staging=staging)
    return Rule("against_sources", table.derivation.against_sources, f"(SELECT COUNT(*) FROM (\n{rows}))", rows)


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
"""The columns that say of a load which ledgers it begins and ends with, and when these closed; the batch's parameters
have the same names."""


def _other_chain(stats: str, table_id: str) -> Rule:
    """Earlier loads that can't be of the batch's chain: a later ledger never closes earlier.

    The batch stats say it of all loads: the published table is not read, however large it is.
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
        "network before its reset, so that this one must be loaded into another dataset"
    )
    parameters = (Parameter("chain_table_id", "STRING", table_id),)
    return Rule("other_chain", meaning, f"(SELECT COUNT(*) {rows})", f"SELECT * {rows}", parameters)


def _promised(table: Table, staging: str, headers: str, left_out: Sequence[int]) -> Rule:
    """Ledgers with another number of rows than in their published header; ledgers without a header are ignored.

    Exactly the rows that the export left out may be missing.
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
    meaning = "ledgers whose rows are not as many as their header in the published ledgers says"
    if left_out:
        meaning += ", without those that the export left out"
    return Rule("not_as_promised", meaning, f"(SELECT COUNT(*) FROM ({groups}))", groups, parameters)


def _broken_chain(staging: str, published: str) -> Rule:
    """Ledgers whose hash is not the one that the next ledger names, at the batch's edges too."""
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
    meaning = "ledgers whose hash is not the one that the ledger after them names, loaded neighbours included"
    return Rule("broken_chain", meaning, f"(SELECT COUNT(*) FROM ({links}))", links)


# What a table's columns are held to --------------------------------------------------------------------------------

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
"""By the type of a column that may be checked, the type of the parameters that it is compared with."""

NUMBERS = ("INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC")


def column_rules(checks: Sequence[Check], staging: str, fields: Sequence[Mapping[str, object]]) -> list[Rule]:
    """Checks on columns as rules, named `check_0` and so on.

    Args:
        checks: what to check.
        staging: the quoted name of the staging table.
        fields: the table's schema.

    Raises:
        CheckError: a column is none of the table's, or a value is not of its type.
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
        value = parameter(condition.column, condition.value)  # refuses what is no column
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
        if check.metric is Metric.MIN and type_ == "FLOAT64":  # BigQuery: NaN if there is one; DuckDB: the least number
            value = f"IF(COUNTIF(IS_NAN({column})) > 0, CAST('NaN' AS FLOAT64), {value})"
        if check.metric is Metric.AVG and number == "NUMERIC":  # BigQuery: a NUMERIC anyway; bqemulator: a FLOAT64
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
    """True for a value that is not between the bounds, and for NaN, which the two warehouses compare in their own ways.

    BigQuery: every comparison with NaN is false. DuckDB: NaN is the greatest value.
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
        raise CheckError(f"there is no column {column!r} that holds one value a row")
    type_ = types[column]
    if type_ is None:
        raise CheckError(f"column {column!r} is of a type that can't be checked")
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
    except OverflowError:  # an integer beyond the largest float
        return False


def _text(column: str, value: Value, type_: str) -> str:
    """A value as a query parameter spells it."""
    wrong = CheckError(f"{value!r} is no {type_}, as column {column!r} holds")
    if isinstance(value, bool):
        if type_ != "BOOL":
            raise wrong
        return str(value).lower()
    if isinstance(value, (int, float)):
        if type_ not in NUMBERS or not _is_finite(value):  # nothing compares with NaN: such a check finds no fault
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
