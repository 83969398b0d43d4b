"""Google's own SQL analyzer (PyPI `zetasql`, of https://github.com/google/zetasql), with BigQuery's features.

The package is WebAssembly. Compiling it takes half a minute and a gigabyte, so the compiled module is kept in the
user's cache, for all checkouts, below a name that changes with the package and its compiler.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from wasmtime import Config, Engine, Linker, Module, Store, WasiConfig
from zetasql.core import wasm_client
from zetasql.core.exceptions import ServerError
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public
from zetasql.wasi._pb2.zetasql.public import type_pb2 as types
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_node_kind_pb2 as kinds

from stellar_etl_airflow.model.schema import type_of
from stellar_etl_airflow.sql.statement import AnyParameter, ArrayParameter, Parameter, RowsParameter, Statement

KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stellar-etl-airflow" / "googlesql"

TYPES = {
    "INTEGER": types.TYPE_INT64,
    "FLOAT": types.TYPE_DOUBLE,
    "BOOLEAN": types.TYPE_BOOL,
    "STRING": types.TYPE_STRING,
    "BYTES": types.TYPE_BYTES,
    "TIMESTAMP": types.TYPE_TIMESTAMP,
    "DATETIME": types.TYPE_DATETIME,
    "DATE": types.TYPE_DATE,
    "TIME": types.TYPE_TIME,
    "NUMERIC": types.TYPE_NUMERIC,
    "BIGNUMERIC": types.TYPE_BIGNUMERIC,
    "JSON": types.TYPE_JSON,
}
"""Map BigQuery's names of types to the analyzer's."""

FEATURES = """
ALLOW_DASHES_IN_TABLE_NAME ANALYTIC_FUNCTIONS BIGNUMERIC_TYPE CIVIL_TIME CREATE_TABLE_CLUSTER_BY CREATE_TABLE_LIKE
CREATE_TABLE_FUNCTION CREATE_TABLE_NOT_NULL CREATE_TABLE_PARTITION_BY CREATE_VIEW_WITH_COLUMN_LIST DATE_ARITHMETICS
DATE_TIME_CONSTRUCTORS DECIMAL_ALIAS DML_UPDATE_WITH_JOIN EXTENDED_DATE_TIME_SIGNATURES EXTENDED_GEOGRAPHY_PARSERS
FORMAT_IN_CAST GEOGRAPHY GROUP_BY_ROLLUP HAVING_IN_AGGREGATE INTERVAL_TYPE IS_DISTINCT JSON_ARRAY_FUNCTIONS
JSON_STRICT_NUMBER_PARSING JSON_TYPE LIMIT_IN_AGGREGATE NAMED_ARGUMENTS NULLS_FIRST_LAST_IN_ORDER_BY
NULL_HANDLING_MODIFIER_IN_AGGREGATE NULL_HANDLING_MODIFIER_IN_ANALYTIC NUMERIC_TYPE OMIT_INSERT_COLUMN_LIST
ORDER_BY_COLLATE ORDER_BY_IN_AGGREGATE PARAMETERIZED_TYPES PIVOT QUALIFY SAFE_FUNCTION_CALL SELECT_STAR_EXCEPT_REPLACE
TABLESAMPLE TEMPLATE_FUNCTIONS UNPIVOT WEEK_WITH_WEEKDAY WITH_ON_SUBQUERY WITH_RECURSIVE
"""
"""The features that BigQuery documents, so that a statement that passes needs no feature of the analyzer alone.

See https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax. GROUP BY of a STRUCT or an ARRAY is
omitted.
"""

STATEMENTS = ("QUERY", "MERGE", "INSERT", "UPDATE", "DELETE", "CREATE_TABLE_FUNCTION")


class RefusedError(AssertionError):
    """The analyzer refuses a statement; the message is the analyzer's."""


class _Client(wasm_client.WasmClient):  # type: ignore[misc]
    """The package's client, which keeps the compiled module."""

    def __init__(self) -> None:
        wasi = WasiConfig()
        wasi.preopen_dir(wasm_client.get_tzinfo_dir(), "/usr/share/zoneinfo")
        config = Config()
        config.shared_memory = True  # the module's memory is shared
        engine = Engine(config)
        self.store = Store(engine)
        self.store.set_wasi(wasi)
        self.module = _module(engine)
        linker = Linker(engine)
        linker.define_wasi()
        self.instance = linker.instantiate(self.store, self.module)
        self.exports = self.instance.exports(self.store)
        self.exports["_initialize"](self.store)
        self.memory = self.exports["memory"]

    def _address(self, offset: int) -> int:
        return ctypes.addressof(self.memory.data_ptr().contents) + offset

    def write_bytes(self, ptr: int, data: bytes) -> None:
        """Write into the module's memory; the package's own client does not support shared memory."""
        ctypes.memmove(self._address(ptr), data, len(data))

    def read_bytes(self, ptr: int, size: int) -> bytes:
        """Read from the module's memory."""
        return ctypes.string_at(self._address(ptr), size)


def _module(engine: Engine) -> Module:
    """Return the compiled module. One process compiles it if it is missing; the others wait."""
    source = Path(get_wasm_path())
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    kept = KEPT / f"{digest}-wasmtime-{version('wasmtime')}.cwasm"
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            aside = kept.with_suffix(f".{os.getpid()}")
            aside.write_bytes(Module.from_file(engine, str(source)).serialize())
            aside.rename(kept)
    return Module.deserialize_file(engine, str(kept))


@cache
def _client() -> _Client:
    return _Client()


def call(method: str, request: Any, response: Any) -> Any:
    """Call a method of the local service (zetasql/local_service/local_service.proto).

    Raises:
        RefusedError: the service refuses the request.
    """
    try:
        data = _client()._call_grpc_method(f"ZetaSqlLocalService_{method}", request.SerializeToString())
    except ServerError as error:
        raise RefusedError(error.message) from None
    return response.FromString(data)


def language() -> options_pb2.LanguageOptionsProto:
    """Return BigQuery's dialect."""
    options = options_pb2.LanguageOptionsProto(
        name_resolution_mode=public.NAME_RESOLUTION_DEFAULT,
        product_mode=public.PRODUCT_EXTERNAL,
        error_on_deprecated_syntax=True,
        supported_statement_kinds=[kinds.ResolvedNodeKind.Value(f"RESOLVED_{name}_STMT") for name in STATEMENTS],
        reserved_keywords=["QUALIFY"],
    )
    options.enabled_language_features.extend(
        public.LanguageFeature.Value(f"FEATURE_{name}") for name in FEATURES.split()
    )
    return options


def field_type(field: Mapping[str, Any]) -> types.TypeProto:
    """Return a field of a schema file as the analyzer's type, with nested fields in their order."""
    if type_of(field) == "RECORD":
        single = types.TypeProto(type_kind=types.TYPE_STRUCT)
        for part in field["fields"]:
            single.struct_type.field.add(field_name=part["name"], field_type=field_type(part))
    else:
        single = types.TypeProto(type_kind=TYPES[type_of(field)])
    if (field.get("mode") or "").upper() != "REPEATED":
        return single
    several = types.TypeProto(type_kind=types.TYPE_ARRAY)
    several.array_type.element_type.CopyFrom(single)
    return several


def parameter_type(parameter: AnyParameter) -> types.TypeProto:
    """Return the type of a query parameter as the client sends it."""
    match parameter:
        case Parameter():
            return field_type({"type": parameter.type})
        case ArrayParameter():
            return field_type({"type": parameter.type, "mode": "REPEATED"})
        case RowsParameter():
            fields = [{"name": name, "type": kind} for name, kind in parameter.columns]
            return field_type({"type": "RECORD", "mode": "REPEATED", "fields": fields})


def _records_by_position(message: Any) -> Iterator[tuple[list[Any], list[Any]]]:
    """Return the field names, from and to, where a statement converts a record into one with other names."""
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE or field.message_type.name == "TypeProto":
            continue
        for part in value if field.is_repeated else (value,):
            if field.message_type.name == "ResolvedCastProto":
                source, target = _field_names(_type_of_node(part.expr)), _field_names(part.parent.type)
                if source != target:
                    yield source, target
            yield from _records_by_position(part)


def _type_of_node(expression: Any) -> types.TypeProto:
    node = getattr(expression, expression.WhichOneof("node"))
    while node.DESCRIPTOR.name != "ResolvedExprProto":
        node = node.parent if hasattr(node, "parent") else getattr(node, node.WhichOneof("node"))
    return node.type


def _field_names(type_: types.TypeProto) -> list[Any]:
    if type_.type_kind == types.TYPE_ARRAY:
        return _field_names(type_.array_type.element_type)
    return [(field.field_name.lower(), _field_names(field.field_type)) for field in type_.struct_type.field]


def catalog_of(
    tables: Mapping[str, Sequence[Mapping[str, Any]]], options: options_pb2.LanguageOptionsProto
) -> simple_catalog_pb2.SimpleCatalogProto:
    """A catalog of tables: it maps `project.dataset.table` to the fields of a schema."""
    catalog = simple_catalog_pb2.SimpleCatalogProto(name="bigquery")
    catalog.builtin_function_options.language_options.CopyFrom(options)
    for number, (name, fields) in enumerate(tables.items(), 1):
        table = catalog.table.add(name=name, serialization_id=number)
        for field in fields:
            table.column.add(name=field["name"], type=field_type(field), is_writable_column=True)
    return catalog


class Analyzer:
    """Resolve statements for tables with known columns.

    Args:
        tables: `project.dataset.table`, with the fields of its schema file.
    """

    def __init__(self, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self.options = language()
        catalog = catalog_of(tables, self.options)
        request = service.RegisterCatalogRequest(simple_catalog=catalog)
        request.descriptor_pool_list.definitions.add().builtin.SetInParent()
        self._registered = call("RegisterCatalog", request, service.RegisterResponse)

    def analyze(self, statement: Statement) -> Any:
        """Resolve a statement with the types of the parameters that the code sends.

        Raises:
            RefusedError: BigQuery would refuse it.
        """
        request = service.AnalyzeRequest(
            registered_catalog_id=self._registered.registered_id, sql_statement=statement.sql
        )
        options = request.options
        options.language_options.CopyFrom(self.options)
        options.default_timezone = "UTC"
        options.error_message_mode = public.ERROR_MESSAGE_ONE_LINE
        options.prune_unused_columns = True
        for parameter in statement.parameters:
            options.query_parameters.add(name=parameter.name, type=parameter_type(parameter))
        for pool in self._registered.descriptor_pool_id_list.registered_ids:
            request.descriptor_pool_list.definitions.add().registered_id = pool
        try:
            resolved = call("Analyze", request, service.AnalyzeResponse).resolved_statement
        except DecodeError:
            # The statement is accepted, as a refusal is an error. The tree exceeds the 100 levels that protobuf's
            # Python reads.
            assert statement.sql.startswith(("SELECT", "WITH"))
            return service.AnalyzeResponse().resolved_statement
        moves = resolved.WhichOneof("node") == "resolved_merge_stmt_node"
        for source, target in _records_by_position(resolved) if moves else ():
            # BigQuery accepts such a record, and puts the values in fields of other names.
            raise RefusedError(f"a record whose fields are {source} moves by position into one of {target}")
        if resolved.WhichOneof("node") == "resolved_query_stmt_node":
            names = [column.name.lower() for column in resolved.resolved_query_stmt_node.output_column_list]
            # The analyzer accepts two result columns with the same name; BigQuery refuses them.
            if twice := sorted({name for name in names if names.count(name) > 1 or name.startswith("$")}):
                raise RefusedError(f"result columns without a name, or with one name: {', '.join(twice)}")
        return resolved
