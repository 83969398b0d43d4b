"""Folders of a generated network: each records its arguments and the generator's version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORD = ".sample.json"

GENERATOR = 3
"""The generator's version: raise it if the same arguments make other files than before."""


class FolderError(Exception):
    """A folder can't be used; the message has the reason."""


def _stored(folder: Path) -> dict[str, Any] | None:
    """Return the record in a folder, None without one."""
    record = folder / RECORD
    return json.loads(record.read_text()) if record.exists() else None


def is_outdated(folder: Path) -> bool:
    """Whether an older generator made the folder's content."""
    stored = _stored(folder)
    return stored is not None and stored.get("generator") != GENERATOR


def is_claimed(folder: Path, option: str, arguments: dict[str, Any]) -> bool:
    """Whether the folder was claimed for these arguments before.

    Raises:
        FolderError: it has other content; the message says what to give `option`.
    """
    stored = _stored(folder)
    if stored is None:
        if folder.exists() and any(folder.iterdir()):
            raise FolderError(f"{folder} is not empty and is not a sample network: give {option} a new folder")
        return False
    advice = f"give {option} a new folder, or delete it"
    if is_outdated(folder):
        raise FolderError(f"{folder} contains a sample network of an older generator: {advice}")
    stored.pop("generator")
    if stored != arguments:
        options = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in stored.items())
        raise FolderError(f"{folder} contains a sample network made with {options}: {advice}")
    return True


def claim(folder: Path, arguments: dict[str, Any]) -> None:
    """Create the folder if it is missing, and record its arguments in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).write_text(json.dumps({**arguments, "generator": GENERATOR}))
