"""The runbook as data: its procedures, and the commands of each one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.shared import REPO

FILE = REPO / "docs" / "runbook.md"
FIRST = "first"
"""The name of the part before the first heading: the steps for any alert."""


@dataclass(frozen=True)
class Procedure:
    """One part of the runbook.

    Attributes:
        heading: as GitHub spells it in links.
        text: its whole text.
        blocks: its commands, one list per block.
    """

    heading: str
    text: str
    blocks: tuple[tuple[str, ...], ...]

    @property
    def commands(self) -> list[str]:
        """Return all commands of the part."""
        return [command for block in self.blocks for command in block]


def _heading(line: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-")


def _blocks(text: str) -> tuple[tuple[str, ...], ...]:
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    return tuple(tuple(line.partition("  #")[0].strip() for line in block.splitlines()) for block in blocks)


def procedures() -> dict[str, Procedure]:
    """Return all procedures by heading, `FIRST` among them."""
    first, *parts = re.split(r"^## ", FILE.read_text(), flags=re.M)
    texts = {FIRST: first} | {_heading(part.splitlines()[0]): part for part in parts}
    return {heading: Procedure(heading, text, _blocks(text)) for heading, text in texts.items()}
