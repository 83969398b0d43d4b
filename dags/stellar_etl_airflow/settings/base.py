"""What all groups of Airflow Variables share: the base class, the error, and the types of their fields."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class SettingsError(ValueError):
    """A Variable is missing, misspelt or of the wrong type; the message names it and what is expected."""


Name = Annotated[str, Field(min_length=1)]
"""A text that is not empty."""

HIDDEN = "hidden"
"""Marks a field whose value no message and no table shows."""

Secret = Annotated[str, HIDDEN]
"""A text that no message and no table shows."""


class SettingsGroup(BaseModel):
    """One group of Airflow Variables, read together by the task that needs it."""

    # What checks values is made when a group is first read: whoever reads a DAG file imports all groups.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def listed(keys: Iterable[str]) -> str:
    """Return the keys in quotes, with the verb that fits their number."""
    names = [repr(key) for key in keys]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


SHOWN = reprlib.Repr()
"""Shows values in messages, none at any length."""
SHOWN.maxstring = SHOWN.maxother = 500
SHOWN.maxdict = SHOWN.maxlist = 20


def check_absolute(key: str, path: str) -> None:
    """Check that a path is absolute or empty.

    Raises:
        ValueError: it is relative; the message names the key.
    """
    if path and not path.startswith("/"):
        raise ValueError(f"{key!r} must be an absolute path, not {SHOWN.repr(path)}")


Group = TypeVar("Group", bound=SettingsGroup)
