"""Compares recorded requests with Google's discovery documents, which `google-api-python-client` contains.

A document lists an API's methods, their parameters, and the schemas of their bodies
(https://developers.google.com/discovery/v1/reference/apis). `problems` returns what Google's servers would refuse or
ignore: unknown paths, parameters and fields, wrong types, unknown enum values, and missing required values.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import googleapiclient

from local.warehouse import partial

Schema = Mapping[str, Any]

DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
APIS = {
    "warehouse": "bigquery.v2",
    "bucket": "storage.v1",
    "composer": "composer.v1",
    "dataflow": "dataflow.v1b3",
    "monitoring": "monitoring.v3",
}
"""The document of each service in a record."""

VALUES_IN_TEXT = frozenset(
    {
        "ExternalDataConfiguration.sourceFormat",
        "JobConfigurationExtract.compression",
        "JobConfigurationExtract.destinationFormat",
        "JobConfigurationLoad.createDisposition",
        "JobConfigurationLoad.schemaUpdateOptions",
        "JobConfigurationLoad.sourceFormat",
        "JobConfigurationLoad.writeDisposition",
        "JobConfigurationQuery.createDisposition",
        "JobConfigurationQuery.priority",
        "JobConfigurationQuery.schemaUpdateOptions",
        "JobConfigurationQuery.writeDisposition",
        "JobConfigurationTableCopy.createDisposition",
        "JobConfigurationTableCopy.writeDisposition",
        "TableFieldSchema.mode",
        "TableFieldSchema.type",
        "TimePartitioning.type",
    }
)
"""Enumerations whose values only the description in BigQuery's document lists."""

BOUNDS = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "uint32": (0, (1 << 32) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint64": (0, (1 << 64) - 1),
}
FORMATS = {
    "date": r"\d{4}-\d\d-\d\d",
    "date-time": r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)",
    "google-datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
    "google-duration": r"-?\d+(\.\d{1,9})?s",
}
FLOATS_OF_GOOGLES_LIBRARY = re.compile(
    r"bigquery\.jobs\.insert: 'configuration\.query\.queryParameters\S*\.value' must be of type string, "
    r"not -?\d+(\.\d+(e[+-]?\d+)?|e[+-]?\d+)"
)
"""`google-cloud-bigquery` 3.47.0 sends each FLOAT64 parameter as a number (`_helpers._float_to_json`).

BigQuery's document requires a text.
"""
OF_GOOGLES_LIBRARY = frozenset(
    {
        "bigquery.jobs.cancel: unknown parameter 'projection'",
        "bigquery.jobs.get: unknown parameter 'projection'",
        "bigquery.jobs.list: parameter 'allUsers' must be true or false, not 'True'",
        "bigquery.jobs.getQueryResults: parameter 'formatOptions.useInt64Timestamp' must be true or false, not 'True'",
    }
)
"""Deviations of `google-cloud-bigquery` 3.47.0 from the document, in every deployment.

They come from `Client.cancel_job`, `get_job`, `list_jobs`, `_query_results`. BigQuery accepts them, and no code of the
project chooses them.
"""

UPLOAD_TYPES = ("media", "multipart", "resumable")

INCOMPLETE = frozenset({"unreachable", "failedLocation"})
"""The fields of responses with the locations whose entries a list lacks, although its status is 200."""


@dataclass(frozen=True)
class Request:
    """One recorded request, as `local.recording` writes it."""

    service: str
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    body: Any = None
    media: int | None = None


@dataclass(frozen=True)
class Method:
    """One method of an API at one of its addresses; methods with uploads and downloads have several."""

    id: str
    http_method: str
    template: str
    parameters: Mapping[str, Schema]
    body: Schema | None
    response: Schema | None
    is_upload: bool

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = re.split(r"(\{\+?\w+\})", self.template)
        return re.compile("".join(_group(part) if part.startswith("{") else re.escape(part) for part in parts))

    def values(self, path: str) -> dict[str, str] | None:
        """Return the path's parameters, None if the path is not this method's."""
        found = self._pattern.fullmatch(path)
        if found is None:
            return None
        values = {name: unquote(value) for name, value in found.groupdict().items()}
        patterns = {name: self.parameters[name].get("pattern", "") for name in values}
        return values if all(re.search(patterns[name], value) for name, value in values.items()) else None


def _group(part: str) -> str:
    """Return the pattern of `{name}`, one segment of a path, or of `{+name}`, which may have several."""
    return f"(?P<{part[2:-1]}>.+)" if part.startswith("{+") else f"(?P<{part[1:-1]}>[^/]+)"


class Api:
    """One API by its discovery document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.name = f"{document['name']} {document['version']}"
        self.schemas: Mapping[str, Schema] = document["schemas"]
        self.common: Mapping[str, Schema] = document["parameters"]
        self.methods = list(_methods(document, f"/{document['servicePath']}"))

    @staticmethod
    @cache
    def of(service: str) -> Api:
        """Return the API of a service in a record."""
        return Api(json.loads((DOCUMENTS / f"{APIS[service]}.json").read_text()))

    def find(self, request: Request) -> tuple[Method, dict[str, str]] | None:
        """Return the method of a request and its path's parameters, None if the API has no such method."""
        for method in self.methods:
            if method.http_method == request.method and (values := method.values(request.path)) is not None:
                return method, values
        return None

    def problems(self, request: Request) -> list[str]:
        """Return the problems of a request; empty for a valid one."""
        found = self.find(request)
        if found is None:
            return [f"{self.name} has no method {request.method} {request.path}"]
        method, path_values = found
        session = method.is_upload and "upload_id" in request.query
        query = {name: values for name, values in request.query.items() if not (session and name == "upload_id")}
        problems = list(self._parameters(method, path_values, query))
        if not session:
            problems += self._body(method, request)
        if request.method == "PUT" and method.is_upload and not session:
            problems.append("content for a session, without the session's 'upload_id'")
        named = [f"{method.id}: {problem}" for problem in problems]
        return [
            problem
            for problem in named
            if problem not in OF_GOOGLES_LIBRARY and not FLOATS_OF_GOOGLES_LIBRARY.fullmatch(problem)
        ]

    def _parameters(
        self, method: Method, path_values: Mapping[str, str], query: Mapping[str, Sequence[str]]
    ) -> Iterator[str]:
        known = {**self.common, **method.parameters}
        for name, values in {**query, **{name: [value] for name, value in path_values.items()}}.items():
            if name not in known:
                yield f"unknown parameter '{name}'"
                continue
            if len(values) > 1 and not known[name].get("repeated"):
                yield f"parameter '{name}' is given {len(values)} times"
            for value in values:
                yield from _text(known[name], value, f"parameter '{name}'")
        for name, parameter in method.parameters.items():
            if parameter.get("required") and name not in query and name not in path_values:
                yield f"the required parameter '{name}' is missing"
        for value in query.get("fields", ()):
            fields, response = partial.parse(value), method.response or {}
            yield from self._fields(fields, response)
            yield from self._omitted(fields, response)
        if method.is_upload and query.get("uploadType", [""])[0] not in UPLOAD_TYPES:
            yield f"parameter 'uploadType' must be one of {', '.join(UPLOAD_TYPES)}"

    def _fields(self, fields: partial.Fields, schema: Schema) -> Iterator[str]:
        """Yield a problem per field that a response does not have; Google refuses such a request."""
        schema = schema.get("items", schema) if schema.get("type") == "array" else schema
        schema = self.schemas[schema["$ref"]] if "$ref" in schema else schema
        for name, inner in fields.items():
            if name in schema.get("properties", {}):
                yield from self._fields(inner, schema["properties"][name])
            else:
                yield f"parameter 'fields' has '{name}', which the response does not have"

    def _omitted(self, fields: partial.Fields, schema: Schema) -> Iterator[str]:
        """Yield a problem if the response would not say which locations did not answer, and so lacks their entries."""
        properties = self.schemas[schema["$ref"]]["properties"] if "$ref" in schema else {}
        for name in sorted(INCOMPLETE & properties.keys() - fields.keys()):
            yield f"parameter 'fields' omits '{name}': a location that did not answer would seem empty"

    def _body(self, method: Method, request: Request) -> Iterator[str]:
        if request.body is None:
            if method.body and request.method != "DELETE" and not method.is_upload and request.media is None:
                yield "the body is missing"
        elif method.body is None:
            if request.body != {}:
                yield "a body, which the method does not take"
        else:
            yield from self._value(method, method.body, request.body, "")

    def _value(self, method: Method, schema: Schema, value: Any, where: str) -> Iterator[str]:
        """Return the problems of a value at a place of the body."""
        if "$ref" in schema:
            name = schema["$ref"]
            yield from self._object(method, {**self.schemas[name], "id": name}, value, where)
            return
        match schema["type"]:
            case "any":
                return
            case "object":
                yield from self._object(method, schema, value, where)
            case "array":
                if not isinstance(value, list):
                    yield f"'{where}' must be an array, not {_shown(value)}"
                    return
                for number, item in enumerate(value):
                    yield from self._value(method, schema["items"], item, f"{where}[{number}]")
            case _:
                yield from _scalar(schema, value, f"'{where}'")

    def _object(self, method: Method, schema: Schema, value: Any, where: str) -> Iterator[str]:
        if schema.get("type") == "any":
            return
        if not isinstance(value, dict):
            yield f"'{where}' must be an object, not {_shown(value)}"
            return
        known = schema.get("properties", {})
        others = schema.get("additionalProperties")
        name = schema.get("id", "")
        for key, item in value.items():
            place = f"{where}.{key}" if where else key
            if key in known:
                if item is not None:  # null is "not set"
                    yield from self._value(method, _with_values(f"{name}.{key}", known[key]), item, place)
            elif others is None:
                yield f"unknown field '{place}'"
            elif item is not None or method.http_method != "PATCH":  # a patch removes a key by null
                yield from self._value(method, others, item, place)
        if method.http_method != "PATCH":
            for key, field in known.items():
                if value.get(key) is None and _is_required(field, method):
                    yield (
                        f"the required field '{where}.{key}' is missing"
                        if where
                        else (f"the required field '{key}' is missing")
                    )


def _methods(document: Mapping[str, Any], base: str) -> Iterator[Method]:
    """Yield the methods of a document or of one of its resources, with those of the resources below."""
    for described in document.get("methods", {}).values():
        parameters = described.get("parameters", {})
        bodies = described.get("request"), described.get("response")
        addresses = [(f"{base}{described['path']}", False)]
        if described.get("useMediaDownloadService"):
            addresses.append((f"/download{base}{described['path']}", False))
        protocols = described.get("mediaUpload", {}).get("protocols", {})
        addresses += [(protocol["path"], True) for protocol in protocols.values()]
        for template, is_upload in addresses:
            yield Method(described["id"], described["httpMethod"], template, parameters, *bodies, is_upload)
            if is_upload:  # the content of a resumable upload is sent to its session
                yield Method(described["id"], "PUT", template, parameters, *bodies, is_upload)
    for resource in document.get("resources", {}).values():
        yield from _methods(resource, base)


def _is_required(field: Schema, method: Method) -> bool:
    """Return whether a method needs a field of its body."""
    if "annotations" in field:
        return method.id in field["annotations"].get("required", ())
    return re.match(r"\[?Required\b(?! (?:if|for)\b)", field.get("description", "")) is not None


def _with_values(name: str, field: Schema) -> Schema:
    """Return a field with the values that its description lists."""
    if name not in VALUES_IN_TEXT:
        return field
    values = values_in_text(field["description"])
    if field["type"] == "array":
        return {**field, "items": {**field["items"], "enum": values}}
    return {**field, "enum": values}


def values_in_text(description: str) -> list[str]:
    """Return the values of an enumeration in a description: in quotes, or as words in capitals."""
    return re.findall(r'"([A-Z][A-Z0-9_]+)"', description) or re.findall(r"\b[A-Z][A-Z0-9_]+\b", description)


def _text(parameter: Schema, value: str, where: str) -> Iterator[str]:
    """Return the problems of a parameter of the path or query, whose values are texts."""
    match parameter["type"]:
        case "boolean" if value not in ("true", "false"):
            yield f"{where} must be true or false, not {value!r}"
        case "integer" | "number" if not re.fullmatch(r"-?\d+(\.\d+)?", value):
            yield f"{where} must be a number, not {value!r}"
        case "integer":
            yield from _scalar(parameter, int(value), where)
        case "string":
            yield from _scalar(parameter, value, where)


def _scalar(schema: Schema, value: Any, where: str) -> Iterator[str]:
    """Return the problems of a text, number or boolean. A 64-bit integer may be a number or a text of digits."""
    kind, form = schema["type"], schema.get("format", "")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if form in BOUNDS:
        is_digits = kind == "string" and isinstance(value, str) and re.fullmatch(r"-?\d+", value)
        low, high = BOUNDS[form]
        if not (is_digits or (is_number and float(value).is_integer())):
            yield f"{where} must be an integer ({form}), not {_shown(value)}"
        elif not low <= int(value) <= high:
            yield f"{where} is {value}, which does not fit into {form}"
        return
    fits = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and is_number,
        "number": is_number or value in ("NaN", "Infinity", "-Infinity"),
    }[kind]
    if not fits:
        yield f"{where} must be of type {kind}, not {_shown(value)}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, not one of {', '.join(schema['enum'])}"
    elif form in FORMATS and not re.fullmatch(FORMATS[form], value):
        yield f"{where} is {value!r}, which is not of format {form}"
    elif form == "byte" and not _is_base64(value):
        yield f"{where} is not base64"


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _shown(value: Any) -> str:
    """Return a value for an error message."""
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def problems(request: Request) -> list[str]:
    """Return what Google's servers would refuse or ignore in a request; empty for a right one."""
    return Api.of(request.service).problems(request)


def read_record(folder: Path) -> list[Request]:
    """Return the requests that the stand-ins recorded in a folder, per process in the order of arrival."""
    lines = [line for path in sorted(folder.glob("*.ndjson")) for line in path.read_text().splitlines()]
    return [Request(**json.loads(line)) for line in lines]


def methods_of(requests: Sequence[Request]) -> Counter[str]:
    """Return the number of requests per method."""
    found = (Api.of(request.service).find(request) for request in requests)
    return Counter(method.id for method, _ in filter(None, found))


def assert_right(requests: Sequence[Request]) -> None:
    """Fail if a request is invalid; list each kind of problem once with the number of requests."""
    count = Counter(problem for request in requests for problem in problems(request))
    lines = [f"{times} requests: {problem}" for problem, times in count.most_common()]
    assert not lines, "\n".join(["requests that Google's APIs refuse or ignore:", *lines])
