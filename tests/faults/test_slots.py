"""In deferrable mode a running pod uses no worker slot, and the export pool limits the number of pods."""

from __future__ import annotations

from typing import Any

import pytest

from stellar_etl_airflow.model.tables import EXPORT_POOL
from tests.faults import breaks as b
from tests.faults.proxy import Rule
from tests.faults.stage import BY_LEDGERS, DEFERRED, Batch, Stage
from tests.faults.table import MAKE_POD, changes
from tests.waiting import RUN_PATIENCE, wait_until

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]


def pools(stage: Stage) -> dict[str, dict[str, Any]]:
    return {pool["name"]: pool for pool in stage.stack.rest("GET", "pools?limit=100")["pools"]}


def resize(stage: Stage, slots: int) -> None:
    body = {key: pools(stage)[EXPORT_POOL][key] for key in ("name", "description", "include_deferred")}
    stage.stack.rest("PATCH", f"pools/{EXPORT_POOL}", {**body, "slots": slots})


def test_deferred_pods_use_no_slot_and_the_pool_limits_their_number(stage: Stage) -> None:
    """The test has two runs, pods that wait for a secret, and one slot."""
    usual = pools(stage)[EXPORT_POOL]["slots"]
    resize(stage, 1)
    rules = stage.proxies["cluster"].rules
    rules.append(Rule(MAKE_POD, changes(b.with_container(b.with_missing_secret)), times=1000))
    first, second = (Batch(stage, DEFERRED, BY_LEDGERS, run_id=run_id).begin() for run_id in ("slots-1", "slots-2"))
    try:
        both = [first, second]
        wait_until(
            lambda: sorted(str(batch.task("export")["state"]) for batch in both) == ["deferred", "scheduled"],
            "one export must be deferred while the other waits",
            RUN_PATIENCE,
        )
        slots = pools(stage)
        assert sum(pool["running_slots"] + pool["queued_slots"] for pool in slots.values()) == 0
        assert (slots[EXPORT_POOL]["deferred_slots"], slots[EXPORT_POOL]["open_slots"]) == (1, 0)
        (pod,) = stage.pods()
        assert pod.status.phase == "Pending"
    finally:
        b.makes_secret(first)
        ended = [first.wait(), second.wait()]
        rules.clear()
        for mend in first.to_mend:
            mend()
        resize(stage, usual)
    assert ended == ["success", "success"]
    assert stage.rows() == stage.tables
