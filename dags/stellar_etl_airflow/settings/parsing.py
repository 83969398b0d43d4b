"""From the text of Airflow Variables to one group of settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from stellar_etl_airflow.settings.base import HIDDEN, SHOWN, Group, SettingsError, SettingsGroup, shipped_value

SHIPPED_FILE = "airflow_variables.json"
IMPORT = f"airflow variables import --action-on-existing-key skip {SHIPPED_FILE}"
"""The command that sets what is missing, and leaves what is set."""

SHORT = 100
"""The longest value that a message shows."""


class MissingError(SettingsError):
    """A Variable is not set; the message names it, its shipped value and the command that sets it."""


def _parsed(group: type[SettingsGroup], key: str, raw: Any) -> Any:
    """A Variable's text as the value that the model validates: JSON where the field isn't text."""
    if not isinstance(raw, str):
        return raw
    annotation = group.model_fields[key].annotation
    if annotation is str or get_origin(annotation) is Literal:
        return raw
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw  # left to the model, whose error says what it expects


def load(group: type[Group], get: Callable[[str], Any]) -> Group:
    """Read one group of Variables.

    Args:
        group: the model to fill.
        get: gives a Variable's value by key, None where it isn't set.

    Raises:
        MissingError: naming every key that is missing, with its shipped value and the command that sets it.
        SettingsError: naming every key that is wrong, with what is expected of it.
    """
    values, missing = {}, []
    for key, field in group.model_fields.items():
        raw = get(key)
        if raw is not None:
            values[key] = _parsed(group, key, raw)
        else:
            missing.append(_unset(key, field))
    if missing:
        raise MissingError(f"{'; '.join(missing)}. Set what is missing with: {IMPORT}")
    try:
        return group.model_validate(values)
    except ValidationError as error:
        raise SettingsError("; ".join(_explained(error, group))) from None


def _unset(key: str, field: FieldInfo) -> str:
    shipped = json.dumps(shipped_value(field))
    where = f"its shipped value is {shipped}" if len(shipped) <= SHORT else f"{SHIPPED_FILE} has its shipped value"
    return f"Airflow Variable {key!r} is not set: {field.description}; {where}"


def _explained(error: ValidationError, group: type[SettingsGroup]) -> Iterable[str]:
    for problem in error.errors():
        if not problem["loc"]:  # of several Variables together
            yield f"Airflow Variables: {problem['msg'].removeprefix('Value error, ')}"
            continue
        key, *path = problem["loc"]
        where = "".join(f"[{part!r}]" for part in path)
        field = group.model_fields.get(str(key))
        purpose = f" ({field.description})" if field is not None else ""
        secret = field is not None and HIDDEN in field.metadata
        given = "what is given" if secret else SHOWN.repr(problem["input"])
        yield f"Airflow Variable {key!r}{where}{purpose}: {problem['msg']}, not {given}"
