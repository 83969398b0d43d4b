"""Partial responses: the parameter `fields` of Google's APIs.

See https://cloud.google.com/bigquery/docs/api-performance#partial-response.
"""

from __future__ import annotations

import re
from typing import Any

Fields = dict[str, "Fields"]
"""The wanted members of an object, each with those of its value; empty if the whole value is wanted."""


def only(resource: Any, fields: str) -> Any:
    """Return the part of a response that `fields` names, such as `nextPageToken,jobs(state,statistics/endTime)`.

    Raises:
        ValueError: the text is no list of fields.
    """
    return _only(resource, parse(fields))


def parse(text: str) -> Fields:
    """Return the fields that a text names.

    Raises:
        ValueError: the text is no list of fields.
    """
    found, rest = _list(text)
    if rest:
        raise ValueError(f"Invalid field selection {text}: {rest} is left")
    return found


def _only(value: Any, fields: Fields) -> Any:
    if isinstance(value, list):
        return [_only(one, fields) for one in value]
    if not fields or not isinstance(value, dict):
        return value
    return {name: _only(value[name], inner) for name, inner in fields.items() if name in value}


def _list(text: str) -> tuple[Fields, str]:
    """Return the fields at the start of a text, and the text after them."""
    found, text = _one(text)
    while text.startswith(","):
        more, text = _one(text[1:])
        found |= more
    return found, text


def _one(text: str) -> tuple[Fields, str]:
    name = re.match(r"\w+", text)
    if name is None:
        raise ValueError(f"Invalid field selection: no field at {text!r}")
    inner: Fields = {}
    text = text[name.end() :]
    if text.startswith("/"):
        inner, text = _one(text[1:])
    elif text.startswith("("):
        inner, text = _list(text[1:])
        if not text.startswith(")"):
            raise ValueError(f"Invalid field selection: {name[0]}( is not closed")
        text = text[1:]
    return {name[0]: inner}, text
