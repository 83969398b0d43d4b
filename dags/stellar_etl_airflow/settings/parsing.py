"""Parse the text of Airflow Variables into groups of settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import Annotated, Any, Literal, cast, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from stellar_etl_airflow.settings.base import HIDDEN, SHOWN, Group, SettingsError, SettingsGroup, shipped_value

SHIPPED_FILE = "airflow_variables.json"
IMPORT = f"airflow variables import --action-on-existing-key skip {SHIPPED_FILE}"
"""The command that sets missing Variables and leaves the others."""

SET_MISSING = f"Set missing Variables with: {IMPORT}"

READ_AGAIN = "If it is set, Airflow could not read it: the next try reads it again."
"""A hint for tasks: the SDK returns None for a Variable that it failed to read
(https://github.com/apache/airflow/issues/71307)."""

SHORT = 100
"""Maximum length of a shipped value in a message."""


class MissingError(SettingsError):
    """A Variable is not set; the message names it, its shipped value and the command that sets it."""


@cache
def _validator(group: type[SettingsGroup], key: str) -> TypeAdapter[Any]:
    field = group.model_fields[key]
    return TypeAdapter(cast("Any", Annotated[field.annotation, field]))


def _parsed(field: FieldInfo, raw: Any) -> Any:
    """Return a Variable's text as the value to validate: parsed as JSON unless the field is a string."""
    if not isinstance(raw, str):
        return raw
    annotation = field.annotation
    if annotation is str or get_origin(annotation) is Literal:
        return raw
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw  # the model's error says what it expects


def _value(group: type[SettingsGroup], key: str, get: Callable[[str], Any]) -> Any:
    """Return one Variable's value.

    Raises:
        MissingError: the Variable is not set.
        SettingsError: the value is wrong; the message names the key and what is expected.
    """
    field, raw = group.model_fields[key], get(key)
    if raw is None:
        raise MissingError(_unset(key, field))
    try:
        return _validator(group, key).validate_python(_parsed(field, raw))
    except ValidationError as error:
        raise SettingsError("; ".join(_explained(error, key, field))) from None


def _checked(group: Group) -> Group:
    try:
        group.check_together()
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"Airflow Variables: {error}") from None
    return group


def load(group: type[Group], get: Callable[[str], Any]) -> Group:
    """Return a group after reading all of its Variables.

    Args:
        group: the model to fill.
        get: returns a Variable's value by key; None if it is not set.

    Raises:
        MissingError: Variables are not set; the message names each key, its shipped value and the command that sets it.
        SettingsError: values are wrong; the message names each key and what is expected.
    """
    values, missing, wrong = {}, [], []
    for key in group.model_fields:
        try:
            values[key] = _value(group, key, get)
        except MissingError as error:
            missing.append(str(error))
        except SettingsError as error:
            wrong.append(str(error))
    if missing:
        raise MissingError(f"{'; '.join(missing)}. {SET_MISSING}")
    if wrong:
        raise SettingsError("; ".join(wrong))
    return _checked(group.model_construct(**values))


def read(group: type[Group], get: Callable[[str], Any]) -> Group:
    """Return a group that reads each Variable when it is first used, for tasks.

    Variables that must fit together are read and checked now.

    Args:
        group: the model to fill.
        get: returns a Variable's value by key; None if it is not set or Airflow could not read it.

    Raises:
        SettingsError: a Variable is missing, unreadable or wrong; the message names it. The use of a Variable raises
            the same error.
    """

    def value_of(key: str) -> Any:
        try:
            return _value(group, key, get)
        except MissingError as error:
            raise SettingsError(f"{error}. {SET_MISSING} {READ_AGAIN}") from None

    unread = group.model_construct()
    unread.read_with(value_of)
    return _checked(unread)


def _unset(key: str, field: FieldInfo) -> str:
    shipped = json.dumps(shipped_value(field))
    where = f"its shipped value is {shipped}" if len(shipped) <= SHORT else f"its shipped value is in {SHIPPED_FILE}"
    return f"Airflow Variable {key!r} is not set: {field.description}; {where}"


def _explained(error: ValidationError, key: str, field: FieldInfo) -> Iterable[str]:
    for problem in error.errors():
        where = "".join(f"[{part!r}]" for part in problem["loc"])
        given = "the given value" if HIDDEN in field.metadata else SHOWN.repr(problem["input"])
        yield f"Airflow Variable {key!r}{where} ({field.description}): {problem['msg']}, not {given}"
