"""docs/faults.md names faults that are made, and tests that are there."""

from __future__ import annotations

import ast

from tests.faults.report import FILE, OTHERS, kept
from tests.faults.table import FAULTS
from tests.shared import REPO


def test_every_row_is_of_a_fault_that_is_made():
    assert {row[:2] for row in kept()} <= {(fault.name, fault.where) for fault in FAULTS}


def test_every_fault_beside_a_batch_is_in_the_document_and_has_its_test():
    text = FILE.read_text()
    for fault, what, test in OTHERS:
        assert f"| {fault} | {what} | `{test}` |" in text
        file, _, name = test.partition("::")
        functions = {node.name for node in ast.walk(ast.parse((REPO / file).read_text())) if hasattr(node, "name")}
        assert name in functions, test
