"""The main job over recorded ledgers of the public network: published rows equal the reference exporter's.

`test_golden_rows.py` compares the same rows after runs on the shared stack. This test takes the way of a user with a
custom lake.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from local.stack import Stack
from tests.end_to_end.conftest import run_local
from tests.end_to_end.golden import END, LAKE, START, assert_golden_rows_are_published
from tests.shared import needs_shared

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow, needs_shared]


def test_published_rows_equal_the_reference_exporters(tmp_path: Path) -> None:
    done = run_local(
        tmp_path,
        *("--keep", "--json", str(tmp_path / "report.json"), "--lake", str(LAKE), "--from", START, "--to", END),
    )
    stack = Stack(tmp_path)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert_golden_rows_are_published(stack)
    finally:
        stack.down()
