"""DuckDB SQL that reads newline-delimited JSON as strictly as BigQuery's load does. No IO.

DuckDB's own reader takes more than JSON (trailing commas, NaN), rounds 1.7 to 2 for an integer, skips fields that
the table lacks, and puts objects into columns of text. Here a load reads its files twice:

1. :func:`shapes` returns each distinct shape of the lines, :func:`misfits` the misfits of a shape and the schema. If
   a line may not be JSON, or not an object, :func:`suspects` returns such lines and :func:`refusal` the reason.
2. :func:`select` reads columns whose values are all of the column's own kind as they are, by the marks of
   :func:`with_kinds`, and the others as text, which it converts by expressions that fail on what the column's type does
   not take (:mod:`local.warehouse.values`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from local.warehouse.schema import Field, duckdb_type, quoted
from local.warehouse.values import converted, error, literal, takes
from stellar_etl_airflow.model.schema import mode_of, type_of

Shape = Mapping[str, Any]
"""By key the type of its value, as DuckDB's json_structure gives it: a type's name, a shape, or a list of one of them.
"JSON" is an object without keys, or in a list what different elements have in common."""

NO_KEYS = '"JSON"'
"""The shape of an object without keys."""

_COMMA, _NO_NUMBER = r",\s*[\]}]", r"[:,\[]\s*-?[NnIi][aAnN][nNfF]"
"""Forms that DuckDB's reader accepts and JSON lacks: a comma before a bracket, NaN, Infinity. Strings can contain both.
RE2."""

_AS_IN_JSON = {
    "INTEGER": {"NULL", "UBIGINT", "BIGINT"},
    "FLOAT": {"NULL", "UBIGINT", "BIGINT", "DOUBLE"},
    "BOOLEAN": {"NULL", "BOOLEAN"},
}
"""By type, the kinds of values that need no conversion."""


def select(fields: Sequence[Field], paths: Sequence[str]) -> str:
    """The query that reads rows of these fields out of these files.

    A REPEATED field that is null or missing is an empty array, as in BigQuery, where no array is NULL; one record where
    an array of records is due is that array's only one.

    Args:
        fields: The target's schema.
        paths: Files; glob characters are literal.

    Returns:
        A SELECT of the fields in their order. It fails if BigQuery refuses a value.
    """
    values = ", ".join(
        f"{_checked(field, quoted(field['name']), field['name'])} AS {quoted(field['name'])}" for field in fields
    )
    columns = ", ".join(f"{literal(field['name'])}: {literal(_read_type(field))}" for field in _present(fields))
    return f"SELECT {values} FROM read_ndjson({_files(paths)}, columns={{{columns}}})"  # noqa: S608


def suspects(paths: Sequence[str]) -> str:
    """The query for the lines that DuckDB accepts and BigQuery may refuse."""
    forms = literal(f"{_COMMA}|{_NO_NUMBER}")
    return (
        f"SELECT json FROM read_ndjson_objects({_files(paths)}) "  # noqa: S608
        f"WHERE NOT starts_with(json, '{{') OR regexp_matches(json, {forms})"
    )


def _is_suspect(fields: Sequence[Field]) -> str:
    """Whether a line may be one of them. NaN is a number in a shape, except in columns of the type JSON."""
    forms = f"{_COMMA}|{_NO_NUMBER}" if _without_json(fields) else _COMMA
    return f"NOT starts_with(json, '{{') OR regexp_matches(json, {literal(forms)})"


def refusal(line: str) -> str:
    """Why BigQuery refuses a line; empty if the line is an object of JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        if isinstance(json.loads(line, parse_constant=refuse), dict):
            return ""
        reason = "a row must be a JSON object"
    except ValueError as problem:
        reason = str(problem)
    return f"{reason}: {line[:100]}"


def shapes(fields: Sequence[Field], paths: Sequence[str]) -> str:
    """The query for the distinct shapes of all lines, as JSON, and whether :func:`suspects` has lines of the shape.

    Columns of the type JSON are left out: any value fits.
    """
    patch = _without_json(fields)
    line = f"json_merge_patch(json, {literal(json.dumps(patch))})" if patch else "json"
    return f"SELECT DISTINCT json_structure({line}), {_is_suspect(fields)} FROM read_ndjson_objects({_files(paths)})"  # noqa: S608


def _without_json(fields: Sequence[Field]) -> dict[str, Any]:
    """The merge patch (RFC 7396) that removes columns of the type JSON, except those in arrays."""
    patch: dict[str, Any] = {}
    for field in fields:
        if type_of(field) == "JSON":
            patch[field["name"]] = None
        elif type_of(field) == "RECORD" and mode_of(field) != "REPEATED" and (inner := _without_json(field["fields"])):
            patch[field["name"]] = inner
    return patch


def misfits(fields: Sequence[Field], shape: str) -> Iterator[tuple[str, bool]]:
    """Yield the errors of a shape against a schema: BigQuery's message, and whether the field is unknown."""
    yield from _misfits_of_record(fields, {} if shape == NO_KEYS else json.loads(shape))


Kinds = Mapping[str, AbstractSet[str]]
"""The kinds of a column's values or elements, by its full name; arrays and objects themselves are kinds too."""

_ARRAY, _OBJECT, _NONE = "ARRAY", "OBJECT", {"NULL"}


def kinds_of(fields: Sequence[Field], found: Iterable[str]) -> Kinds:
    """The kinds of values in all shapes of the lines, which fit the schema."""
    kinds: dict[str, set[str]] = {}
    for shape in found:
        _add_kinds(fields, {} if shape == NO_KEYS else json.loads(shape), "", kinds)
    return kinds


def _add_kinds(fields: Sequence[Field], shape: Shape, name: str, kinds: dict[str, set[str]]) -> None:
    for field in fields:
        kind, found = shape.get(field["name"], "NULL"), kinds.setdefault(name + field["name"], set())
        if isinstance(kind, list):
            found.add(_ARRAY)
            kind = kind[0]
        elif isinstance(kind, dict):
            found.add(_OBJECT)
        if isinstance(kind, str):
            found.add(kind)
        if type_of(field) == "RECORD" and (isinstance(kind, dict) or kind == "JSON"):  # that is an empty object
            _add_kinds(field["fields"], {} if kind == "JSON" else kind, f"{name}{field['name']}.", kinds)


def with_kinds(
    fields: Sequence[Field], kinds: Kinds, name: str = "", *, in_array: bool = False, in_json: bool = False
) -> list[Field]:
    """The fields with marks, which make most of a wide schema cheap.

    - `absent`: no line has a value.
    - `plain`: no value needs a conversion, like most numbers.
    - `always`: the record is in each line.
    - `read_as`: how a REPEATED field is read: "array", "element" if no line has an array but one record instead, or
      "json" if elements must be checked one by one.

    Args:
        fields: The fields.
        kinds: The kinds of values in all lines.
        name: The full name of the record of these fields, with a dot.
        in_array: Whether the fields are inside an array, whose shape does not have the NULLs of single elements.
        in_json: Whether that array is read as JSON.
    """
    marked: list[Field] = []
    for field in fields:
        full, is_record, is_repeated = name + field["name"], type_of(field) == "RECORD", mode_of(field) == "REPEATED"
        found = kinds.get(full, set())
        if type_of(field) != "JSON" and mode_of(field) != "REQUIRED" and found <= _NONE:
            marked.append({**field, "absent": True})
            continue
        changed = {**field}
        inside = in_json
        if is_repeated:
            changed["read_as"] = "json" if in_json or type_of(field) == "JSON" else _read_as(full, kinds)
            inside = changed["read_as"] == "json"
        if is_record and not (inside and "JSON" in found):  # of different elements that kind hides the fields
            within = in_array or is_repeated
            changed["fields"] = with_kinds(field["fields"], kinds, f"{full}.", in_array=within, in_json=inside)
            # The patch of `shapes` adds records that it empties.
            changed["always"] = found == {_OBJECT} and not within and not _without_json([field])
        elif not is_record and not is_repeated and not in_json:
            plain = _AS_IN_JSON.get(type_of(field), set())
            changed["plain"] = plain and found <= plain
        marked.append(changed)
    return marked


def _read_as(name: str, kinds: Kinds) -> str:
    found = kinds[name]
    # That kind of a value inside an array is what different elements have in common.
    is_mixed = any("JSON" in one for other, one in kinds.items() if f"{other}.".startswith(f"{name}."))
    if is_mixed or found >= {_ARRAY, _OBJECT}:
        return "json"
    return "array" if _ARRAY in found else "element"


def has_numbers_as_text(fields: Sequence[Field], kinds: Kinds, name: str = "", *, in_array: bool = False) -> bool:
    """Whether a column that :func:`select` reads as text has numbers with a fraction, one of which may be NaN."""
    for field in fields:
        kind, full, inside = type_of(field), name + field["name"], in_array or mode_of(field) == "REPEATED"
        if kind == "RECORD":
            if has_numbers_as_text(field["fields"], kinds, f"{full}.", in_array=inside):
                return True
            continue
        found = kinds.get(full, set())
        is_text = kind == "STRING" or (kind == "FLOAT" and (inside or not found <= _AS_IN_JSON["FLOAT"]))
        if is_text and not found.isdisjoint(("DOUBLE", "JSON")):
            return True
    return False


def _misfits_of_record(
    fields: Sequence[Field], shape: Shape, name: str = "", *, in_array: bool = False
) -> Iterator[tuple[str, bool]]:
    known = {field["name"]: field for field in fields}
    for key, kind in shape.items():
        if (field := known.get(key)) is None:
            yield f"No such field: {name}{key}.", True
        else:
            yield from _misfits_of(field, kind, name + key, in_array=in_array)


def _misfits_of(field: Field, kind: Any, name: str, *, in_array: bool) -> Iterator[tuple[str, bool]]:
    is_record = type_of(field) == "RECORD"
    if type_of(field) == "JSON" and mode_of(field) != "REPEATED":
        return
    if kind == "NULL" or (in_array and kind == "JSON"):
        return  # elements with different types are checked one by one, when they are converted
    if mode_of(field) == "REPEATED":
        if isinstance(kind, list):
            if type_of(field) != "JSON":
                yield from _misfits_of({**field, "mode": "NULLABLE"}, kind[0], name, in_array=True)
        elif not is_record or (isinstance(kind, str) and kind != "JSON"):
            yield f"Repeated field must be imported as a JSON array. Field: {name}.", False
        elif isinstance(kind, dict):
            yield from _misfits_of_record(field["fields"], kind, f"{name}.", in_array=in_array)
    elif isinstance(kind, list):
        yield f"Array specified for non-repeated field: {name}.", False
    elif is_record:
        if isinstance(kind, dict):
            yield from _misfits_of_record(field["fields"], kind, f"{name}.", in_array=in_array)
        elif kind != "JSON":
            yield _no_record(name), False
    elif isinstance(kind, dict) or kind == "JSON":
        yield f"JSON object specified for non-record field: {name}.", False
    elif not takes(field, kind):
        yield f"Could not convert value to {type_of(field).lower()}. Field: {name}; Value: {kind}", False


def _no_record(name: str) -> str:
    return f"Invalid value for record: {name}"


def _files(paths: Sequence[str]) -> str:
    escaped = ("".join(f"[{c}]" if c in "*?[" else c for c in path) for path in paths)
    return f"[{', '.join(map(literal, escaped))}]"


def _read_type(field: Field) -> str:
    """The type to read a field as: text, or JSON if elements must be checked one by one."""
    if type_of(field) == "JSON" or (mode_of(field) == "REPEATED" and field.get("read_as", "json") == "json"):
        return "JSON"
    if field.get("plain"):
        return duckdb_type({**field, "mode": "NULLABLE"})
    single = _struct(field) if type_of(field) == "RECORD" else "VARCHAR"
    return f"{single}[]" if field.get("read_as") == "array" else single


def _struct(field: Field) -> str:
    """The type to read one record as."""
    parts = (f"{quoted(part['name'])} {_read_type(part)}" for part in _present(field["fields"]))
    return f"STRUCT({', '.join(parts)})"


def _present(fields: Sequence[Field]) -> Sequence[Field]:
    """The fields to read: those that lines have, or else any one, as DuckDB reads no rows without columns."""
    return [field for field in fields if not field.get("absent")] or fields[:1]


def _has_to_be_converted(field: Field) -> bool:
    return (
        mode_of(field) != "NULLABLE"
        or field.get("absent")
        or not (type_of(field) in ("STRING", "JSON", "RECORD") or (field.get("plain") and type_of(field) != "FLOAT"))
        or any(map(_has_to_be_converted, field.get("fields", [])))
    )


def _checked(field: Field, value: str, name: str, depth: int = 0) -> str:
    """The expression for a column's value, out of ``value`` of the type that it was read as."""
    if field.get("absent"):
        return f"CAST({'[]' if mode_of(field) == 'REPEATED' else 'NULL'} AS {duckdb_type(field)})"
    if not _has_to_be_converted(field):
        return value
    mode = mode_of(field)
    single = {**field, "mode": "NULLABLE"}
    if mode == "REQUIRED":
        present = f"coalesce({value}, {error(f'Missing required field: {name}')})"
        return _checked(single, present if type_of(field) != "RECORD" else value, name, depth)
    if mode == "REPEATED":
        element = f"e{depth}"
        null = error(f"Only optional fields can be set to NULL. Field: {name}; Value: NULL")
        given = {**single, "always": True}
        match field.get("read_as"):
            case "array":
                each = f"CASE WHEN {element} IS NULL THEN {null} ELSE {_checked(given, element, name, depth + 1)} END"
                return f"coalesce(list_transform({value}, lambda {element}: {each}), [])"
            case "element":
                return f"CASE WHEN {value} IS NULL THEN [] ELSE [{_checked(given, value, name, depth)}] END"
        if type_of(field) == "RECORD":
            value = f"CASE json_type({value}) WHEN 'OBJECT' THEN json_array({value}) ELSE {value} END"
        unpacked = f"CASE WHEN {element} IS NULL THEN {null} ELSE {_unpacked(single, element, name)} END"
        value = f"list_transform(CAST({value} AS JSON[]), lambda {element}: {unpacked})"
        if _has_to_be_converted(single):
            value = f"list_transform({value}, lambda {element}: {_checked(single, element, name, depth + 1)})"
        return f"coalesce({value}, [])"
    if type_of(field) == "RECORD":
        parts = ", ".join(
            f"{quoted(part['name'])} := "
            + _checked(part, f"{value}.{quoted(part['name'])}", f"{name}.{part['name']}", depth)
            for part in field["fields"]
        )
        packed = f"struct_pack({parts})"
        return packed if field.get("always") else f"CASE WHEN {value} IS NOT NULL THEN {packed} END"
    if not field.get("plain"):
        return converted(field, value, name)
    if type_of(field) != "FLOAT":
        return value
    return f"CASE WHEN {value} IS NULL OR isfinite({value}) THEN {value} ELSE {error(f'NaN is not JSON: {name}')} END"


def _unpacked(field: Field, value: str, name: str) -> str:
    """The expression for a value of JSON, as the type that it would have been read as."""
    if mode_of(field) == "REPEATED" or type_of(field) == "JSON":
        return value
    if type_of(field) == "RECORD":
        parts = (
            f"{quoted(part['name'])} := "
            + _unpacked(
                part, f"json_extract({value}, {literal('$.' + quoted(part['name']))})", f"{name}.{part['name']}"
            )
            for part in _present(field["fields"])
        )
        return (
            f"CASE WHEN {value} IS NULL OR json_type({value}) = 'NULL' THEN NULL "
            f"WHEN json_type({value}) = 'OBJECT' THEN struct_pack({', '.join(parts)}) "
            f"ELSE {error(_no_record(name))} END"
        )
    return (
        f"CASE WHEN json_type({value}) IN ('OBJECT', 'ARRAY') THEN "
        f"{error(f'JSON object or array specified for a field of one value: {name}')} "
        f"ELSE json_extract_string({value}, '$') END"
    )
