"""No fault loses or duplicates a row: the stack recovers by itself, or after an operator clears a task."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.report import ROW, row_of
from tests.faults.stage import Stage
from tests.faults.table import Fault
from tests.faults.trial import attempt

pytestmark = pytest.mark.end_to_end


def test_fault(stage: Stage, fault: Fault, record_property: Callable[[str, object], None]) -> None:
    outcome = attempt(stage, fault)
    record_property(ROW, row_of(outcome))
    if outcome.problems:
        pytest.fail("\n".join(outcome.problems), pytrace=False)
