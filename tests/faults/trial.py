"""One row of the table: a batch, its fault, its recovery, and the rows afterwards."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.faults.stage import COMPLETE, Batch, Stage
from tests.faults.table import Fault
from tests.waiting import RUN_PATIENCE, wait_until

BY_ITSELF, AFTER_A_CLEAR, NOT_AT_ALL = "by itself", "after a clear", "not at all"


@dataclass
class Outcome:
    """The result of a fault.

    Attributes:
        recovered: by itself, after a clear, or not at all.
        usual: seconds that such a batch took without a fault, at the beginning.
        took: seconds that this one took.
        lost: missing rows.
        doubled: surplus rows.
        problems: the deviations; empty if the batch recovered.
    """

    fault: Fault
    usual: float
    recovered: str = NOT_AT_ALL
    took: float = 0.0
    lost: int = 0
    doubled: int = 0
    problems: list[str] = field(default_factory=list)


def attempt(stage: Stage, fault: Fault) -> Outcome:
    """Break something at a moment of a batch, let it recover, and compare the rows."""
    outcome = Outcome(fault, stage.usual(fault.dag, dict(fault.asks)))
    stage.take_away(fault.dag)
    outcome.problems += stage.false_claims()[:5]
    for proxy in stage.proxies.values():
        proxy.seen.clear()
    since, began = time.time(), time.monotonic()
    batch = Batch(stage, fault.dag, dict(fault.asks))
    try:
        with watched(stage, outcome):
            outcome.problems += spring(batch, fault)
            outcome.problems += recover(batch, outcome)
        outcome.took = time.monotonic() - began
        if outcome.recovered != NOT_AT_ALL and fault.check:
            fault.check(batch)
    except AssertionError as error:
        outcome.problems.append(f"{type(error).__name__}: {error}")
    finally:
        for proxy in stage.proxies.values():
            proxy.rules.clear()
        for mend in reversed(batch.to_mend):
            mend()
    rows = stage.rows()
    outcome.lost = sum((stage.tables[table] - rows[table]).total() for table in rows)
    outcome.doubled = sum((rows[table] - stage.tables[table]).total() for table in rows)
    outcome.problems += differences(stage, outcome, since)
    return outcome


LOOK_SECONDS = 1.0
"""The time between two reads of the watermark during a fault."""


@contextmanager
def watched(stage: Stage, outcome: Outcome) -> Iterator[None]:
    """Read the watermark repeatedly: it must not include a ledger whose rows are missing."""
    ended, false, looks = threading.Event(), dict[str, None](), 0

    def look() -> None:
        nonlocal looks
        while not ended.wait(LOOK_SECONDS):
            with suppress(Exception):  # the fault may have stopped the warehouse
                false.update(dict.fromkeys(stage.false_claims()))
                looks += 1

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        outcome.problems += list(false)[:5] if looks else ["the watermark could not be read once during the fault"]


def spring(batch: Batch, fault: Fault) -> Iterator[str]:
    """Start the batch and set its traps, each after the previous one was triggered; return their problems."""
    begun = False
    for number, trap in enumerate(fault.traps, 1):
        sprung = trap(batch)
        if not begun:
            batch.begin()
            begun = True
        wait_until(
            lambda sprung=sprung: sprung.done.is_set() or batch.ended,
            f"moment {number} did not occur",
            RUN_PATIENCE,
            pause=0.2,
        )
        if not sprung.done.is_set():
            yield f"moment {number} did not occur before the end of the run"
        elif sprung.error is not None:
            yield f"moment {number}: {sprung.error!r}"


def recover(batch: Batch, outcome: Outcome) -> Iterator[str]:
    """Wait for the end of all batches; clear the task that an operator would clear."""
    clear, batches = outcome.fault.clear, [batch, *batch.others]
    failed = [each for each in batches if each.wait() == "failed"]
    if failed and clear is None:
        yield f"it did not recover by itself: {', '.join(failed[0].failures())} failed"
    elif clear is not None and not failed:
        yield "it was to fail, so that a person looks at it, and it did not"
    for each in failed:
        if outcome.fault.meanwhile:
            outcome.fault.meanwhile(each)
        if outcome.fault.mistaken:
            yield from mistake(each, outcome.fault)
        each.clear(clear)
    if any(each.wait() == "failed" for each in failed):
        yield "it did not recover after a clear"
    else:
        outcome.recovered = AFTER_A_CLEAR if failed else BY_ITSELF


def mistake(batch: Batch, fault: Fault) -> Iterator[str]:
    """Clear a task that cannot succeed; return deviations from a failure with the right advice."""
    assert fault.mistaken is not None
    before = batch.stage.rows()
    batch.clear(fault.mistaken)
    if batch.wait() != "failed":
        yield f"{fault.mistaken} was to fail, cleared alone, and it did not"
    if batch.stage.rows() != before:
        yield f"{fault.mistaken} changed rows, cleared alone"
    tries = batch.tries(fault.mistaken)
    log = batch.get(f"/taskInstances/{fault.mistaken}/logs/{tries[-1]['try_number']}?full_content=true")
    if f"the task '{fault.clear}'" not in str(log):
        yield f"the log of {fault.mistaken} does not say to clear {fault.clear}"


def differences(stage: Stage, outcome: Outcome, since: float) -> Iterator[str]:
    """Return differences to a batch without a fault."""
    if outcome.lost or outcome.doubled:
        yield f"{outcome.lost} rows are lost, {outcome.doubled} are doubled"
    yield from stage.false_claims()[:5]
    if (claims := stage.claims()) != COMPLETE:
        yield f"the watermark does not end complete: {claims}"
    merges = stage.merges(since)
    if "ledgers" not in merges:
        yield "no merge was seen"
    for table, spans in merges.items():
        if any(right[0] < left[1] for left, right in itertools.pairwise(spans)):
            yield f"merges into {table} overlapped: {spans}"
    if left := stage.staging_tables():
        yield f"staging tables are left: {', '.join(left)}"
    if pods := stage.pods():
        yield f"pods are left: {', '.join(pod.metadata.name for pod in pods)}"
