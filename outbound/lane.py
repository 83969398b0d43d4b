"""One lane: its batches in order, each sent once, each with a receipt right after the response."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from outbound.batches import Bodies, Reference
from outbound.objects import Objects
from outbound.sender import Ending, Outcome, Sender

RECEIPTS, CLAIMS = "receipts", "claims"


def object_name(folder: str, batch: int) -> str:
    """Return the name of a batch's object: one per batch, the same for all jobs."""
    return f"{folder}/{batch:09d}.json"


def receipt(reference: Reference, outcome: Outcome, job: str, now: datetime) -> dict[str, Any]:
    """Return the record of a batch, a row of `outbound_deliveries`, without its body and the response's body."""
    return {
        "batch": reference.batch,
        "key": reference.key,
        "ending": str(outcome.ending),
        "http_status": outcome.status,
        "tries": outcome.tries,
        "row_count": reference.row_count,
        "byte_count": reference.byte_count,
        "sha256": reference.sha256,
        "latency_ms": round(outcome.latency * 1000),
        "throttled_ms": round(outcome.throttled * 1000),
        "job": job,
        "sent_at": now.isoformat(),
    }


class BodyError(RuntimeError):
    """A batch's body does not match its digest."""


@dataclass(frozen=True)
class Sent:
    """A finished batch; `outcome` is None if an earlier job finished it."""

    reference: Reference
    outcome: Outcome | None


class Lane:
    """Sends batches one after the other.

    With `hold` a claim is written before a batch's first request. If a batch has a claim and no receipt, its sender
    died, and it is unknown whether the receiver has it.
    """

    def __init__(self, objects: Objects, bodies: Bodies, sender: Sender, job: str) -> None:
        self._objects = objects
        self._bodies = bodies
        self._sender = sender
        self._job = job

    def send(self, references: Iterable[Reference]) -> Iterator[Sent]:
        """Send the batches that have no receipt, in the order of their files.

        Raises:
            BodyError: a body does not have its digest.
            ReceiverError: the receiver can't be reached.
        """
        settled = set(self._objects.names())
        for reference in sorted(references, key=lambda one: (one.name, one.row_group, one.row)):
            if object_name(RECEIPTS, reference.batch) in settled:
                yield Sent(reference, None)
                continue
            outcome = self._send(reference)
            record = receipt(reference, outcome, self._job, datetime.now(UTC))
            self._objects.create(object_name(RECEIPTS, reference.batch), (json.dumps(record) + "\n").encode())
            yield Sent(reference, outcome)

    def _send(self, reference: Reference) -> Outcome:
        if self._sender.terms.hold:
            claim = json.dumps({"job": self._job, "claimed_at": datetime.now(UTC).isoformat()})
            if not self._objects.create(object_name(CLAIMS, reference.batch), claim.encode()):
                return Outcome(Ending.IN_DOUBT, None, 0, 0.0, 0.0)
        body = self._bodies.read(reference)
        if hashlib.sha256(body).hexdigest() != reference.sha256:
            raise BodyError(f"the body of batch {reference.batch} in {reference.name} differs from the exported one")
        return self._sender.send(reference, body)
