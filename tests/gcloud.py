"""The commands and options of an installed gcloud, which has a list of them for completion."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LIST = Path(shutil.which("gcloud") or "/nowhere").resolve().parents[1] / "data/cli/gcloud_completions.py"
"""The list; it does not exist without gcloud."""

WIDE = {"--project", "--format", "--quiet", "--flags-file"}
"""Options of every command."""


@functools.cache
def _tree() -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec(LIST.read_text(), found)
    tree: dict[str, Any] = found["STATIC_COMPLETION_CLI_TREE"]
    return tree


def assert_exists(words: Sequence[str]) -> None:
    """Assert that gcloud has a command with these options.

    Args:
        words: the words after `gcloud`.
    """
    node, own = _tree(), list(words[: words.index("--")] if "--" in words else words)
    while own and own[0] in node.get("commands", {}):
        node = node["commands"][own.pop(0)]
    assert not node.get("commands"), f"no command gcloud {' '.join(words)}"
    unknown = {word.split("=")[0] for word in own if word.startswith("--")} - node["flags"].keys() - WIDE
    assert not unknown, f"gcloud {' '.join(words)}: no option {', '.join(sorted(unknown))}"
