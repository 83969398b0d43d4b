"""Label and field selectors of list and watch requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SET_TERM = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s+\((?P<values>[^)]*)\)")
EQUALITY_TERM = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^=!\s]*)")
EXISTENCE_TERM = re.compile(r"(?P<absent>!?)\s*(?P<key>[^=!\s()]+)")
BETWEEN_TERMS = re.compile(r",(?![^(]*\))")


class SelectorError(ValueError):
    """A selector is invalid; the message names the term."""


def matches_labels(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether an object with these labels is selected; every term of the selector must match."""
    matches = [
        _label_term_holds(term, labels) for term in _terms(selector)
    ]  # evaluate all, so that each term is parsed
    return all(matches)


def matches_fields(selector: str, obj: Mapping[str, Any]) -> bool:
    """Whether the object's fields (dotted paths, an absent one is empty) have the selected values."""
    matches = [_field_term_holds(term, obj) for term in _terms(selector)]
    return all(matches)


def field_of(obj: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None."""
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _terms(selector: str) -> list[str]:
    return [term.strip() for term in BETWEEN_TERMS.split(selector) if term.strip()]


def _label_term_holds(term: str, labels: Mapping[str, str]) -> bool:
    if found := SET_TERM.fullmatch(term):
        values = [value.strip() for value in found["values"].split(",")]
        return (labels.get(found["key"]) in values) == (found["operator"] == "in")
    if found := EQUALITY_TERM.fullmatch(term):
        return (labels.get(found["key"]) == found["value"]) == (found["operator"] != "!=")
    if found := EXISTENCE_TERM.fullmatch(term):
        return (found["key"] in labels) == (not found["absent"])
    raise SelectorError(f"unable to parse requirement: {term!r}")


def _field_term_holds(term: str, obj: Mapping[str, Any]) -> bool:
    found = EQUALITY_TERM.fullmatch(term)
    if not found:
        raise SelectorError(f"unable to parse field selector: {term!r}")
    value = field_of(obj, found["key"])
    return (("" if value is None else str(value)) == found["value"]) == (found["operator"] != "!=")
