"""Whatever breaks, no row is lost and none is doubled: the stack recovers by itself, or by an operator's clear."""

from __future__ import annotations

import pytest

from tests.end_to_end.faults.stage import Stage
from tests.end_to_end.faults.table import Fault
from tests.end_to_end.faults.trial import Outcome, attempt

pytestmark = pytest.mark.end_to_end


def test_fault(stage: Stage, fault: Fault, outcomes: list[Outcome]) -> None:
    outcome = attempt(stage, fault)
    outcomes.append(outcome)
    if outcome.problems:
        pytest.fail("\n".join(outcome.problems), pytrace=False)
