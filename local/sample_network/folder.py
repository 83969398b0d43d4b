"""Folders that a generated network is written to: each says with which arguments and by which generator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORD = ".sample.json"

GENERATOR = 3
"""Raised when the same arguments make other files than before."""


class FolderError(Exception):
    """A folder can't take the network; the message says why."""


def _held(folder: Path) -> dict[str, Any] | None:
    """What a folder says of itself, None if it says nothing."""
    record = folder / RECORD
    return json.loads(record.read_text()) if record.exists() else None


def is_outdated(folder: Path) -> bool:
    """Whether an older generator made what the folder holds."""
    held = _held(folder)
    return held is not None and held.get("generator") != GENERATOR


def is_claimed(folder: Path, option: str, arguments: dict[str, Any]) -> bool:
    """Whether the folder was claimed for what these arguments make, before now.

    Raises:
        FolderError: it holds something else; the message tells what to give `option`.
    """
    held = _held(folder)
    if held is None:
        if folder.exists() and any(folder.iterdir()):
            raise FolderError(f"{folder} is not empty and holds no sample network: give {option} a new folder")
        return False
    advice = f"give {option} a new folder, or delete it"
    if is_outdated(folder):
        raise FolderError(f"{folder} holds a sample network of an older generator: {advice}")
    held.pop("generator")
    if held != arguments:
        spelt = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in held.items())
        raise FolderError(f"{folder} holds a sample network made with {spelt}: {advice}")
    return True


def claim(folder: Path, arguments: dict[str, Any]) -> None:
    """Makes the folder, if it is not there, and writes down what it is for."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).write_text(json.dumps({**arguments, "generator": GENERATOR}))
