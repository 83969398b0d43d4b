"""Google's reference evaluator of GoogleSQL, from the same package as the analyzer: small tables in memory.

It runs queries only. A MERGE is translated to the query of its definition
(https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#merge_statement): the unchanged rows of the
target, the updated rows, and the inserted rows.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.public import type_pb2 as types
from zetasql.wasi._pb2.zetasql.public import value_pb2

from stellar_etl_airflow.sql.statement import AnyParameter, ArrayParameter, Parameter, RowsParameter, Statement
from tests.dags.sql.googlesql import RefusedError, call, catalog_of, field_type, language, parameter_type

Row = dict[str, Any]

_SCALE = 9
"""The decimal places of a NUMERIC."""

_DIGITS = Context(prec=38)

_PLAIN = {
    types.TYPE_INT64: ("int64_value", int),
    types.TYPE_DOUBLE: ("double_value", float),
    types.TYPE_STRING: ("string_value", str),
}


def to_value(kind: types.TypeProto, value: Any) -> value_pb2.ValueProto:
    """Return a value as the evaluator reads it.

    Args:
        kind: its type.
        value: in the form of newline-delimited JSON, or of a parameter's text.
    """
    made = value_pb2.ValueProto()
    if kind.type_kind == types.TYPE_ARRAY:
        made.array_value.SetInParent()
        for element in value or ():
            made.array_value.element.append(to_value(kind.array_type.element_type, element))
        return made
    if value is None:
        return made
    match kind.type_kind:
        case types.TYPE_STRUCT:
            made.struct_value.SetInParent()
            for field in kind.struct_type.field:
                made.struct_value.field.append(to_value(field.field_type, value.get(field.field_name)))
        case types.TYPE_BOOL:
            made.bool_value = value in (True, "true")
        case types.TYPE_BYTES:
            made.bytes_value = base64.b64decode(value)
        case types.TYPE_JSON:
            made.json_value = json.dumps(value)
        case types.TYPE_TIMESTAMP:
            made.timestamp_value.FromDatetime(datetime.fromisoformat(value).astimezone(UTC))
        case types.TYPE_DATETIME:
            moment = datetime.fromisoformat(value)
            parts = ((moment.year, 26), (moment.month, 22), (moment.day, 17), (moment.hour, 12), (moment.minute, 6))
            seconds = sum(part << bits for part, bits in parts) + moment.second
            made.datetime_value.bit_field_datetime_seconds = seconds
            made.datetime_value.nanos = moment.microsecond * 1000
        case types.TYPE_DATE:
            made.date_value = (date.fromisoformat(value) - date(1970, 1, 1)).days
        case types.TYPE_NUMERIC:
            scaled = int(Decimal(value).scaleb(_SCALE, _DIGITS))
            made.numeric_value = scaled.to_bytes(scaled.bit_length() // 8 + 1, "little", signed=True)
        case plain:
            name, convert = _PLAIN[plain]
            setattr(made, name, convert(value))
    return made


def from_value(kind: types.TypeProto, value: value_pb2.ValueProto) -> Any:
    """Return a value as BigQuery's client returns it; an array that is NULL is empty, as in a table."""
    if kind.type_kind == types.TYPE_ARRAY:
        return [from_value(kind.array_type.element_type, element) for element in value.array_value.element]
    name = value.WhichOneof("value")
    if name is None:
        return None
    match kind.type_kind:
        case types.TYPE_STRUCT:
            fields = zip(kind.struct_type.field, value.struct_value.field, strict=True)
            return {field.field_name: from_value(field.field_type, part) for field, part in fields}
        case types.TYPE_JSON:
            return json.loads(value.json_value)
        case types.TYPE_TIMESTAMP:
            return value.timestamp_value.ToDatetime(UTC)
        case types.TYPE_DATETIME:
            bits, nanos = value.datetime_value.bit_field_datetime_seconds, value.datetime_value.nanos
            parts = (bits >> shift & mask for shift, mask in ((22, 15), (17, 31), (12, 31), (6, 63), (0, 63)))
            return datetime(bits >> 26, *parts, nanos // 1000)
        case types.TYPE_NUMERIC:
            return Decimal(int.from_bytes(value.numeric_value, "little", signed=True)).scaleb(-_SCALE, _DIGITS)
        case _:
            return getattr(value, name)


def _given(parameter: AnyParameter) -> Any:
    match parameter:
        case Parameter():
            return parameter.value
        case ArrayParameter():
            return parameter.values
        case RowsParameter():
            names = [name for name, _ in parameter.columns]
            return [dict(zip(names, row, strict=True)) for row in parameter.rows]


class Reference:
    """Tables in memory.

    Args:
        fields: the schema of each table, by its name between backticks.
        rows: its rows, in the form of newline-delimited JSON.
    """

    def __init__(
        self, fields: Mapping[str, Sequence[Mapping[str, Any]]], rows: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> None:
        self.fields, self.options = fields, language()
        self.catalog = catalog_of({name.strip("`"): some for name, some in fields.items()}, self.options)
        self.content = {}
        for name, some in rows.items():
            content = service.TableContent()
            content.table_data.SetInParent()
            kinds = [(field["name"], field_type(field)) for field in fields[name]]
            for row in some:
                content.table_data.row.add().cell.extend(to_value(kind, row.get(column)) for column, kind in kinds)
            self.content[name.strip("`")] = content

    def query(self, statement: Statement) -> list[Row]:
        """Return the rows of a query.

        Raises:
            RefusedError: it is invalid, or fails.
        """
        request = service.EvaluateQueryRequest(sql=statement.sql, simple_catalog=self.catalog)
        request.options.language_options.CopyFrom(self.options)
        request.options.default_timezone = "UTC"
        request.options.prune_unused_columns = True
        request.descriptor_pool_list.definitions.add().builtin.SetInParent()
        for parameter in statement.parameters:
            if re.search(rf"@{parameter.name}\b", statement.sql):
                kind = parameter_type(parameter)
                request.options.query_parameters.add(name=parameter.name, type=kind)
                request.params.add(name=parameter.name, value=to_value(kind, _given(parameter)))
        for name, content in self.content.items():
            request.table_content[name].CopyFrom(content)
        response = call("EvaluateQuery", request, service.EvaluateQueryResponse)
        columns = response.prepared.columns
        return [
            {column.name: from_value(column.type, cell) for column, cell in zip(columns, row.cell, strict=True)}
            for row in response.content.table_data.row
        ]

    def merged(self, statement: Statement) -> list[Row]:
        """Return the rows of the target after a MERGE or a DELETE.

        Raises:
            RefusedError: a row of the target matches several rows of the source that would change it.
        """
        if deletion := re.fullmatch(r"DELETE FROM (`[^`]+`) WHERE (.*)", statement.sql, re.DOTALL):
            target, where = deletion.groups()
            kept = f"SELECT * FROM {target} WHERE NOT COALESCE({where}, FALSE)"
            return self.query(Statement(kept, statement.parameters))
        merge = Merge(statement.sql, [field["name"] for field in self.fields[_target(statement.sql)]])
        most = self.query(Statement(merge.most_matches(), statement.parameters))[0]["most"]
        if most is not None and most > 1:
            raise RefusedError("UPDATE/MERGE must match at most one source row for each target row")
        return self.query(Statement(merge.result(), statement.parameters))


def _target(sql: str) -> str:
    found = re.match(r"MERGE (`[^`]+`) AS T\n", sql)
    assert found, sql
    return found[1]


class Merge:
    """A MERGE in the form that the project writes, split into its parts, and the queries of its definition."""

    def __init__(self, sql: str, columns: Sequence[str]) -> None:
        found = re.fullmatch(r"MERGE (`[^`]+`) AS T\nUSING (.*) AS S\nON (.*?)\n(WHEN .*)", sql, re.DOTALL)
        assert found, sql
        self.target, self.source, self.on, clauses = found.groups()
        self.columns = [f"`{column}`" for column in columns]
        self.changes, self.changed_if, self.values, self.deleted_if = (
            dict[str, str](),
            "FALSE",
            dict[str, str](),
            "FALSE",
        )
        for clause in re.split(r"\n(?=WHEN )", clauses):
            if update := re.fullmatch(r"WHEN MATCHED(?: AND (.*?))? THEN UPDATE SET (.*)", clause):
                self.changed_if = update[1] or "TRUE"
                self.changes = dict(re.findall(r"(`\w+`) = (S\.`\w+`)", update[2]))
            elif insert := re.fullmatch(
                r"WHEN NOT MATCHED(?: BY TARGET)? THEN INSERT \((.*)\) VALUES \((.*)\)", clause
            ):
                self.values = dict(zip(*(part.split(", ") for part in insert.groups()), strict=True))
            else:
                delete = re.fullmatch(r"WHEN NOT MATCHED BY SOURCE(?: AND (.*))? THEN DELETE", clause)
                assert delete, clause
                self.deleted_if = delete[1] or "TRUE"

    def most_matches(self) -> str:
        """Return a query for the largest number of source rows that would change one row of the target."""
        matches = f"SELECT COUNT(*) FROM {self.source} AS S WHERE {self.on} AND {self.changed_if}"
        return f"SELECT MAX(({matches})) AS most FROM {self.target} AS T"

    def result(self) -> str:
        """Return a query for the target's rows after the MERGE."""
        kept = ", ".join(f"T.{column}" for column in self.columns)
        changed = ", ".join(
            f"IF({self.changed_if}, {self.changes[column]}, T.{column}) AS {column}"
            if column in self.changes
            else f"T.{column}"
            for column in self.columns
        )
        inserted = ", ".join(f"{self.values.get(column, 'NULL')} AS {column}" for column in self.columns)
        return f"""\
SELECT {kept} FROM {self.target} AS T
WHERE NOT EXISTS (SELECT 1 FROM {self.source} AS S WHERE {self.on}) AND NOT COALESCE({self.deleted_if}, FALSE)
UNION ALL SELECT {changed} FROM {self.target} AS T JOIN {self.source} AS S ON {self.on}
UNION ALL SELECT {inserted} FROM {self.source} AS S
WHERE NOT EXISTS (SELECT 1 FROM {self.target} AS T WHERE {self.on})"""
