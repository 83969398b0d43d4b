"""The sample lake of the laptop stack and its history archive: generated if they are missing."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from local.plan import parse_time
from local.sample_network.__main__ import DEFAULT_START
from local.sample_network.__main__ import main as generate
from local.sample_network.folder import is_outdated
from local.stack import StackError

START = parse_time("the sample's start", DEFAULT_START)
END = START + timedelta(minutes=30)
"""Three intervals of ten minutes; the lake continues for some minutes more."""


def ensure_sample_lake(folder: Path) -> None:
    """Generate the sample network into a folder, and its archive into `archive` beside it, unless both exist.

    The output of an older generator is replaced.

    Raises:
        StackError: a folder can't be used.
    """
    archive = folder.with_name("archive")
    for old in filter(is_outdated, (folder, archive)):
        shutil.rmtree(old)
    if generate(["--out", str(folder), "--archive", str(archive)]):
        raise StackError(f"the sample network can't be written to {folder} and {archive}")
