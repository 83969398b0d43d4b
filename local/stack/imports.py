"""The Variables and pools that `up` imports: those that Airflow lacks, and those that changed in the files."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from local.stack.layout import write_private

Content = Mapping[str, Any]
"""The content of a file of Variables or pools, by name."""


def to_import(wanted: Content, imported: Content, present: Collection[str]) -> dict[str, Any]:
    """Return the part of a file to import; other values that a user changed or added in Airflow stay.

    Args:
        wanted: the current content of the file.
        imported: its content at the last import; a missing name counts as changed.
        present: the names that Airflow has.
    """
    return {
        name: value
        for name, value in wanted.items()
        if name not in present or name not in imported or imported[name] != value
    }


def read_imported(path: Path) -> dict[str, dict[str, Any]]:
    """Return the last import, by kind: `variables` and `pools`; empty for a new stack."""
    try:
        imported: dict[str, dict[str, Any]] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return imported


def write_imported(path: Path, imported: Mapping[str, Content]) -> None:
    """Store the last import atomically."""
    write_private(path, json.dumps(imported, indent=2))
