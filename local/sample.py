"""The sample lake of the laptop stack: made when it is missing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from local.plan import parse_time
from local.sample_network.__main__ import DEFAULT_START
from local.sample_network.__main__ import main as generate
from local.stack import StackError

START = parse_time("the sample's start", DEFAULT_START)
END = START + timedelta(minutes=30)
"""Three intervals of ten minutes; the lake goes on for some minutes more."""


def ensure_sample_lake(folder: Path) -> None:
    """Generates the sample network's ledgers into a folder, unless they are there.

    Raises:
        StackError: the folder can't take them.
    """
    if generate(["--out", str(folder)]):
        raise StackError(f"the sample network can't be written to {folder}")
