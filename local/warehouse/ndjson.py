"""DuckDB SQL that reads newline-delimited JSON as strictly as BigQuery's load does. No IO.

DuckDB's own reader rounds 1.7 to 2 for an integer, passes over fields that the table lacks and takes a DATETIME
with a zone. Here such columns are read as text (which costs nothing: they are text in the file) and converted by
an expression that raises an error naming the column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from local.warehouse.schema import Field, duckdb_type, quoted
from stellar_etl_airflow.model.schema import mode_of, type_of

_READ_AS_TEXT = {"INTEGER", "TIMESTAMP", "DATETIME", "NUMERIC", "BIGNUMERIC", "BYTES"}


def literal(text: str) -> str:
    """A DuckDB string literal."""
    return "'" + text.replace("'", "''") + "'"


def select(fields: Sequence[Field], paths: Sequence[str]) -> str:
    """The query that reads rows of these fields out of these files.

    A REPEATED field that is null or missing is an empty array, as in BigQuery, where no array is NULL; one record where
    an array of records is due is that array's only one.

    Args:
        fields: The target's schema.
        paths: Files; glob characters stand for themselves.

    Returns:
        A SELECT of the fields in their order. It fails where BigQuery refuses a value.
    """
    values = ", ".join(
        f"{_checked(field, quoted(field['name']), field['name'])} AS {quoted(field['name'])}" for field in fields
    )
    columns = ", ".join(f"{literal(field['name'])}: {literal(_read_type(field))}" for field in fields)
    return f"SELECT {values} FROM read_ndjson({_files(paths)}, columns={{{columns}}})"  # noqa: S608


@dataclass(frozen=True)
class Record:
    """The fields of one record, and where such records lie in each line."""

    name: str
    """As BigQuery prints it, with a dot at the end; empty for the whole line."""
    container: str
    """JSON path of the record, or of the outermost array around it."""
    inside: str
    """JSON path of the records in that array, empty if there is none."""
    fields: Sequence[Field]

    @property
    def keys(self) -> str:
        """The expression for the keys of these records, out of what ``container`` names."""
        return f"flatten(json_keys(value, {literal(self.inside)}))" if self.inside else "json_keys(value)"


def records(fields: Sequence[Field], name: str = "", container: str = "$", inside: str = "") -> Iterator[Record]:
    """All records that rows of these fields can have: the whole line first, a record before those in it."""
    yield Record(name, container, inside, fields)
    for field in fields:
        if type_of(field) == "RECORD":
            is_array, step = mode_of(field) == "REPEATED", f".{quoted(field['name'])}"
            place = (container, inside + step + "[*]" * is_array) if inside else (container + step, "$[*]" * is_array)
            yield from records(field["fields"], f"{name}{field['name']}.", *place)


def keys(fields: Sequence[Field], paths: Sequence[str]) -> str:
    """The query for the keys that the files have, each once: the number of its record in :func:`records`, its name.

    The files are read once: for each record by itself it took half of a load's time.
    """
    _, *inner = known = list(records(fields))
    cases = " ".join(f"WHEN {number} THEN {record.keys}" for number, record in enumerate(known))
    containers = ", ".join(literal(record.container) for record in inner)
    values = f"list_concat([json], json_extract(json, [{containers}]))" if inner else "[json]"
    return (
        f"SELECT DISTINCT record, unnest(CASE record {cases} END) "  # noqa: S608
        f"FROM (SELECT unnest(range({len(known)})) AS record, unnest({values}) AS value "
        f"FROM read_ndjson_objects({_files(paths)})) WHERE value IS NOT NULL"
    )


def unknown(fields: Sequence[Field], found: Iterable[tuple[int, str]]) -> list[str]:
    """Those keys, as the query :func:`keys` gives them, that are no field, by full name."""
    known = [(record.name, {field["name"] for field in record.fields}) for record in records(fields)]
    return sorted(known[number][0] + key for number, key in found if key not in known[number][1])


def _files(paths: Sequence[str]) -> str:
    escaped = ("".join(f"[{c}]" if c in "*?[" else c for c in path) for path in paths)
    return f"[{', '.join(map(literal, escaped))}]"


def _read_type(field: Field) -> str:
    """The type to read a field as: the column's, with text or JSON where a value has to be looked at first."""
    kind = type_of(field)
    if kind == "RECORD":
        return "JSON" if mode_of(field) == "REPEATED" else _struct(field)
    single = "VARCHAR" if kind in _READ_AS_TEXT else duckdb_type({**field, "mode": "NULLABLE"})
    return f"{single}[]" if mode_of(field) == "REPEATED" else single


def _struct(field: Field) -> str:
    """The type to read one record as."""
    parts = (f"{quoted(part['name'])} {_read_type(part)}" for part in field["fields"])
    return f"STRUCT({', '.join(parts)})"


def _has_to_be_converted(field: Field) -> bool:
    return (
        mode_of(field) != "NULLABLE"
        or type_of(field) in _READ_AS_TEXT
        or any(map(_has_to_be_converted, field.get("fields", [])))
    )


def _checked(field: Field, value: str, name: str, depth: int = 0) -> str:
    """The expression for a column's value, out of ``value`` of the type that it was read as."""
    if not _has_to_be_converted(field):
        return value
    mode = mode_of(field)
    single = {**field, "mode": "NULLABLE"}
    if mode == "REQUIRED":
        present = f"coalesce({value}, {_error(f'Missing required field: {name}')})"
        return _checked(single, present if type_of(field) != "RECORD" else value, name, depth)
    if mode == "REPEATED":
        element = f"e{depth}"
        if type_of(field) == "RECORD":
            several = f"CASE json_type({value}) WHEN 'OBJECT' THEN json_array({value}) ELSE {value} END"
            value = f"list_transform(CAST({several} AS JSON[]), lambda {element}: {_unpacked(field, element, name)})"
        if _has_to_be_converted(single):
            value = f"list_transform({value}, lambda {element}: {_checked(single, element, name, depth + 1)})"
        return f"coalesce({value}, [])"
    if type_of(field) == "RECORD":
        parts = ", ".join(
            f"{quoted(part['name'])} := "
            + _checked(part, f"{value}.{quoted(part['name'])}", f"{name}.{part['name']}", depth)
            for part in field["fields"]
        )
        return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({parts}) END"
    return _scalar(type_of(field), duckdb_type(single), value, name)


def _unpacked(field: Field, value: str, name: str) -> str:
    """The expression for one record of JSON, as the type that it would have been read as."""
    parts = []
    for part in field["fields"]:
        inside = f"json_extract({value}, {literal('$.' + quoted(part['name']))})"
        if type_of(part) == "RECORD" and mode_of(part) != "REPEATED":
            inside = _unpacked(part, inside, f"{name}.{part['name']}")
        elif mode_of(part) != "REPEATED" and type_of(part) != "JSON":
            inside = f"CAST(json_extract_string({value}, {literal('$.' + quoted(part['name']))}) AS {_read_type(part)})"
        else:
            inside = f"CAST({inside} AS {_read_type(part)})"
        parts.append(f"{quoted(part['name'])} := {inside}")
    refused = _error(f"Invalid value for record: {name}")
    return (
        f"CASE WHEN {value} IS NULL OR json_type({value}) = 'NULL' THEN NULL "
        f"WHEN json_type({value}) = 'OBJECT' THEN struct_pack({', '.join(parts)}) ELSE {refused} END"
    )


def _scalar(kind: str, target: str, value: str, name: str) -> str:
    """Convert the text of one value; BigQuery's rule for its type decides what is refused."""
    cast = f"CAST({value} AS {target})"
    match kind:
        case "INTEGER":
            refused = f"contains({value}, '.')"
        case "NUMERIC":  # more digits than it holds; DuckDB rounds
            refused = f"regexp_matches({value}, {literal(r'[.][0-9]{9}[0-9]*[1-9]')})"
        case "DATETIME":  # a zone; DuckDB drops it
            zone = literal("[0-9]:[0-9.:]+ ?(Z|z|UTC|[+-][0-9:]+)$")
            refused = f"regexp_matches({value}, {zone})"
        case "TIMESTAMP":  # text, or seconds since 1970
            seconds = f"TRY_CAST({value} AS BIGINT)"
            return f"CASE WHEN {seconds} IS NULL THEN {cast} ELSE to_timestamp({seconds}) END"
        case "BYTES":
            return f"from_base64({value})"
        case _:
            return cast
    message = f"Could not convert value to {kind}. Field: {name}; Value: "
    return f"CASE WHEN {refused} THEN {_error(message, value)} ELSE {cast} END"


def _error(message: str, value: str | None = None) -> str:
    text = literal(message)
    return f"error({text})" if value is None else f"error({text} || {value})"
