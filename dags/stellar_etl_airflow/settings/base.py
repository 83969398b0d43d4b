"""The base of all groups of Airflow Variables: the model class, the error and the field types."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class SettingsError(ValueError):
    """A Variable is missing, misspelt or of the wrong type; the message names it and what is expected."""


Name = Annotated[str, Field(min_length=1)]
"""A string that is not empty."""

HIDDEN = "hidden"
"""Marks a field whose value is masked in messages and tables."""

Secret = Annotated[str, HIDDEN]
"""A string that is masked in messages and tables."""


class SettingsGroup(BaseModel):
    """One group of Airflow Variables. `parsing.read` and `parsing.load` make a group from its Variables."""

    # Build validators when a value is first read, because parsing a DAG file imports all groups.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    def check_together(self) -> None:
        """Check Variables of the group against each other; nothing by default.

        Raises:
            ValueError: they contradict each other; the message names them.
        """

    def read_with(self, value_of: Callable[[str], Any]) -> None:
        """Read each Variable when it is first used. Each one costs a task a request to Airflow's API server.

        Args:
            value_of: returns a Variable's valid value by key.
        """
        self.__dict__[_VALUE_OF] = value_of

    if not TYPE_CHECKING:  # else type checkers would accept any name

        def __getattr__(self, name: str) -> Any:
            value_of = self.__dict__.get(_VALUE_OF)
            if value_of is None or name not in type(self).model_fields:
                return super().__getattr__(name)
            value = self.__dict__[name] = value_of(name)
            return value


_VALUE_OF = "value_of"


def variable(*, shipped: Any, description: str, when: str, **constraints: Any) -> Any:
    """Describe one Airflow Variable, as a field of its group.

    No field has a default. Airflow's SDK also returns None when it failed to read a Variable
    (https://github.com/apache/airflow/issues/71307), so a default would silently replace a user's value.

    Args:
        shipped: value in `airflow_variables.json`, or a function that makes it from the registry of tables.
        description: what the Variable is.
        when: when to change it.
        constraints: further arguments of pydantic's `Field`.
    """
    return Field(description=description, json_schema_extra={"when": when, "shipped": shipped}, **constraints)


def shipped_value(field: FieldInfo) -> Any:
    """Return the value of a Variable in `airflow_variables.json`."""
    value = extra_of(field)["shipped"]
    return value() if callable(value) else value


def extra_of(field: FieldInfo) -> dict[str, Any]:
    """Return the attributes that `variable` stores with a field: `when` and `shipped`."""
    return cast("dict[str, Any]", field.json_schema_extra)


def listed(keys: Iterable[str]) -> str:
    """Return the keys in quotes, with the verb that fits their number."""
    names = [repr(key) for key in keys]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


SHOWN = reprlib.Repr()
"""Shortens long values in messages."""
SHOWN.maxstring = SHOWN.maxother = 500
SHOWN.maxdict = SHOWN.maxlist = 20


def check_absolute(key: str, path: str) -> None:
    """Check that a path is absolute or empty.

    Raises:
        ValueError: the path is relative; the message names the key.
    """
    if path and not path.startswith("/"):
        raise ValueError(f"{key!r} must be an absolute path, not {SHOWN.repr(path)}")


Group = TypeVar("Group", bound=SettingsGroup)


def unknown(what: str, given: Iterable[str], known: Collection[str]) -> list[str]:
    """Return a message per unknown key, with a close spelling if there is one."""
    messages = []
    for key in sorted(set(given) - set(known)):
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        messages.append(f"unknown {what} {key!r}{hint}")
    return messages
