"""Parse the text of Airflow Variables into groups of settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from stellar_etl_airflow.settings.base import HIDDEN, SHOWN, Group, SettingsError, SettingsGroup, shipped_value

SHIPPED_FILE = "airflow_variables.json"
IMPORT = f"airflow variables import --action-on-existing-key skip {SHIPPED_FILE}"
"""The command that sets missing Variables and leaves the others."""

SHORT = 100
"""Maximum length of a shipped value in a message."""


class MissingError(SettingsError):
    """A Variable is not set; the message names it, its shipped value and the command that sets it."""


def _parsed(group: type[SettingsGroup], key: str, raw: Any) -> Any:
    """Return a Variable's text as the value that the model validates: parsed as JSON unless the field is a string."""
    if not isinstance(raw, str):
        return raw
    annotation = group.model_fields[key].annotation
    if annotation is str or get_origin(annotation) is Literal:
        return raw
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw  # the model's error says what it expects


def load(group: type[Group], get: Callable[[str], Any]) -> Group:
    """Read one group of Variables.

    Args:
        group: the model to fill.
        get: returns a Variable's value by key; None if it is not set.

    Raises:
        MissingError: Variables are not set; the message names each key, its shipped value and the command that sets it.
        SettingsError: values are wrong; the message names each key and what is expected.
    """
    values, missing = {}, []
    for key, field in group.model_fields.items():
        raw = get(key)
        if raw is not None:
            values[key] = _parsed(group, key, raw)
        else:
            missing.append(_unset(key, field))
    if missing:
        raise MissingError(f"{'; '.join(missing)}. Set missing Variables with: {IMPORT}")
    try:
        return group.model_validate(values)
    except ValidationError as error:
        raise SettingsError("; ".join(_explained(error, group))) from None


def _unset(key: str, field: FieldInfo) -> str:
    shipped = json.dumps(shipped_value(field))
    where = f"its shipped value is {shipped}" if len(shipped) <= SHORT else f"its shipped value is in {SHIPPED_FILE}"
    return f"Airflow Variable {key!r} is not set: {field.description}; {where}"


def _explained(error: ValidationError, group: type[SettingsGroup]) -> Iterable[str]:
    for problem in error.errors():
        if not problem["loc"]:  # the error concerns several Variables
            yield f"Airflow Variables: {problem['msg'].removeprefix('Value error, ')}"
            continue
        key, *path = problem["loc"]
        where = "".join(f"[{part!r}]" for part in path)
        field = group.model_fields.get(str(key))
        purpose = f" ({field.description})" if field is not None else ""
        secret = field is not None and HIDDEN in field.metadata
        given = "the given value" if secret else SHOWN.repr(problem["input"])
        yield f"Airflow Variable {key!r}{where}{purpose}: {problem['msg']}, not {given}"
