"""docs/faults.md lists existing faults and existing tests."""

from __future__ import annotations

import ast

from tests.faults.report import FILE, OTHERS, kept
from tests.faults.table import FAULTS
from tests.shared import REPO


def test_every_row_has_a_fault_of_the_table():
    assert {row[:2] for row in kept()} <= {(fault.name, fault.where) for fault in FAULTS}


def test_every_fault_with_a_separate_test_is_on_the_page_and_the_test_exists():
    text = FILE.read_text()
    for fault, what, test in OTHERS:
        assert f"| {fault} | {what} | `{test}` |" in text
        file, _, name = test.partition("::")
        functions = {node.name for node in ast.walk(ast.parse((REPO / file).read_text())) if hasattr(node, "name")}
        assert name in functions, test
