"""Validation of new objects, as in an API server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
QUALIFIED_NAME = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
LONGEST_NAME = 253
TIMES = ("activeDeadlineSeconds", "terminationGracePeriodSeconds")
LONGEST_TIME = (1 << 31) - 1

METADATA = {"name": str, "generateName": str, "namespace": str, "labels": {}, "annotations": {}}
SHAPES: Mapping[str, Any] = {
    "pods": {
        "metadata": METADATA,
        "spec": {
            "containers": [{"name": str, "image": str}],
            "initContainers": [{"name": str, "image": str}],
            "volumes": [{"name": str}],
        },
    }
}
"""The shape of fields that are read before a container starts: a type, a list of a shape, or an object with keys."""


def misshapen(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """Yield the fields with a wrong shape; null and missing fields are allowed."""
    kind = shape if isinstance(shape, type) else type(shape)
    fits = isinstance(value, kind)
    if value is None:
        return
    if not fits:
        yield f"{path or 'object'}: Invalid value: {type(value).__name__}, not {kind.__name__}"
    elif isinstance(shape, list):
        for number, item in enumerate(value):
            if item is None:
                yield f"{path}[{number}]: Required value"
            yield from misshapen(item, shape[0], f"{path}[{number}]")
    elif isinstance(shape, dict):
        for key, part in shape.items():
            yield from misshapen(value.get(key), part, f"{path}.{key}" if path else key)


def shape_problems(plural: str, obj: Mapping[str, Any]) -> list[str]:
    """Return the parts of an object with a wrong type; `problems` relies on the types."""
    return list(misshapen(obj, SHAPES.get(plural, {"metadata": METADATA})))


def problems(plural: str, obj: Mapping[str, Any]) -> list[str]:
    """Return the problems of an object, field by field; empty if it is valid."""
    metadata = obj.get("metadata") or {}
    found = [] if _is_name(metadata.get("name")) else [_invalid("metadata.name", metadata.get("name"))]
    found += metadata_problems(metadata)
    return found + (_pod_problems(obj.get("spec") or {}) if plural == "pods" else [])


def metadata_problems(metadata: Mapping[str, Any]) -> list[str]:
    """Return the problems of labels and annotations."""
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    found = [_invalid("metadata.labels", key) for key in labels if not QUALIFIED_NAME.fullmatch(key)]
    found += [
        _invalid("metadata.labels", value)
        for value in labels.values()
        if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value)
    ]
    found += [_invalid("metadata.annotations", key) for key in annotations if not QUALIFIED_NAME.fullmatch(key)]
    return found + [
        _invalid("metadata.annotations", value) for value in annotations.values() if not isinstance(value, str)
    ]


def _pod_problems(spec: Mapping[str, Any]) -> list[str]:
    if not isinstance(spec.get("containers"), list) or not spec["containers"]:
        return ["spec.containers: Required value"]
    containers = [*(spec.get("initContainers") or []), *spec["containers"]]
    names = [container.get("name") for container in containers]
    found = [_invalid("spec.containers.name", name) for name in names if not _is_name(name)]
    found += ["spec.containers.name: Duplicate value"] if len(set(names)) < len(names) else []
    found += ["spec.containers.image: Required value"] if not all(c.get("image") for c in containers) else []
    found += [_invalid(f"spec.{field}", spec[field]) for field in TIMES if not _is_time(spec.get(field))]
    if spec.get("restartPolicy") != "Never":
        found.append('spec.restartPolicy: Unsupported value: this cluster restarts no container; supported: "Never"')
    return found


def _is_name(name: object) -> bool:
    return isinstance(name, str) and len(name) <= LONGEST_NAME and NAME.fullmatch(name) is not None


def _is_time(value: object) -> bool:
    return value is None or (isinstance(value, int) and 0 <= value <= LONGEST_TIME)


def _invalid(field: str, value: object) -> str:
    return f"{field}: Invalid value: {value!r}"
