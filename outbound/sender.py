"""Sends one batch over HTTP, with retries, and returns the outcome."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

import requests

from outbound.batches import Reference

TRY_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""4xx statuses that do not mean that the batch is wrong."""
THROTTLED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Statuses of a busy receiver: the batch was not applied."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
"""Seconds before the second try, and at most before a later one; Retry-After can request more."""


class ReceiverError(RuntimeError):
    """The receiver can't be reached or does not respond: the batch stays outstanding, and the job fails."""


class Ending(StrEnum):
    """The outcome of a batch."""

    DELIVERED = "delivered"
    DEAD = "dead"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True)
class Terms:
    """The terms of sending.

    Attributes:
        url: where they are posted.
        tries: the most requests for one batch.
        timeout: seconds to wait for a response.
        hold: whether a batch with an unknown outcome is left to a user, instead of being sent again.
        interval: seconds from the start of one request of a lane to the start of the next, at least.
        headers: additional headers of each request.
    """

    url: str
    tries: int
    timeout: float
    hold: bool
    interval: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Outcome:
    """The result of sending a batch.

    Attributes:
        ending: its outcome.
        status: the last HTTP status, None without a response.
        tries: the number of requests sent.
        latency: seconds of the last request.
        throttled: seconds for which the receiver let the sender wait.
    """

    ending: Ending
    status: int | None
    tries: int
    latency: float
    throttled: float


@dataclass(frozen=True)
class _Answer:
    """The result of one request: its status, or None with whether the receiver can have the batch."""

    status: int | None
    retry_after: float
    arrived: bool
    problem: str = ""


def retry_after(value: str | None, now: datetime) -> float:
    """Return the seconds of a `Retry-After` header, which is a number or a date; 0 if it is invalid."""
    if not value:
        return 0.0
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0


class Sender:
    """Posts the batches of a lane, one after the other, over one connection."""

    def __init__(self, terms: Terms, sleep: Callable[[float], None] = time.sleep) -> None:
        self.terms = terms
        self._sleep = sleep
        self._session = requests.Session()
        self._next = 0.0

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def send(self, reference: Reference, body: bytes) -> Outcome:
        """Send a batch until its outcome is known.

        Raises:
            ReceiverError: at the last try the receiver was unreachable or busy.
        """
        throttled, answer, latency = 0.0, _Answer(None, 0, arrived=False), 0.0
        for number in range(1, self.terms.tries + 1):
            self._keep_pace()
            began = time.monotonic()
            answer = self._post(reference, body)
            latency = time.monotonic() - began
            if (ending := self._ending(answer, last=number == self.terms.tries)) is not None:
                return Outcome(ending, answer.status, number, latency, throttled)
            if number < self.terms.tries:
                pause = max(answer.retry_after, _backoff(number))
                throttled += pause if answer.status in THROTTLED else 0.0
                self._sleep(pause)
        raise ReceiverError(
            f"batch {reference.batch}: the receiver took no batch in {self.terms.tries} tries, the last one: "
            f"{answer.problem or f'HTTP status {answer.status}'}. The batch stays outstanding"
        )

    def _ending(self, answer: _Answer, *, last: bool) -> Ending | None:
        """Return the outcome of a batch from a response; None if it must be sent again."""
        status = answer.status
        if status is not None and 200 <= status < 300:
            return Ending.DELIVERED
        if status is not None and 300 <= status < 500 and status not in TRY_AGAIN:
            return Ending.DEAD
        unknown = answer.arrived if status is None else status >= 500 and status not in THROTTLED
        if unknown and self.terms.hold:
            return Ending.IN_DOUBT
        if last and status is not None and unknown:
            return Ending.DEAD  # the receiver accepts other batches: it fails on this one
        return None

    def _post(self, reference: Reference, body: bytes) -> _Answer:
        headers = {
            **self.terms.headers,
            "Content-Type": "application/json",
            "Idempotency-Key": reference.key,
            "X-Batch": str(reference.batch),
            "X-Rows": str(reference.row_count),
        }
        try:
            answer = self._session.post(
                self.terms.url, data=body, headers=headers, timeout=self.terms.timeout, allow_redirects=False
            )
        except requests.exceptions.SSLError as error:
            raise ReceiverError(
                f"the certificate of the receiver is not valid, nothing was sent: {_without_address(error)}"
            ) from None
        except (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError) as error:
            return _Answer(None, 0, arrived=False, problem=type(error).__name__)
        except requests.RequestException as error:
            return _Answer(None, 0, arrived=not _is_refused(error), problem=type(error).__name__)
        return _Answer(
            answer.status_code, retry_after(answer.headers.get("Retry-After"), datetime.now(UTC)), arrived=True
        )

    def _keep_pace(self) -> None:
        now = time.monotonic()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self.terms.interval


def _backoff(number: int) -> float:
    """Return the pause after a try in seconds, with jitter: lanes that failed together don't retry together."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**number) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def _is_refused(error: BaseException) -> bool:
    """Whether the connection failed, so that nothing of the request was sent."""
    return "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)


def _without_address(error: BaseException) -> str:
    """Return the reason of an SSL error; its full text repeats the address."""
    text = str(error)
    return text[text.find("(Caused by") :] if "(Caused by" in text else text
