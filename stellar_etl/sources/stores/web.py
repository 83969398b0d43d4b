"""Stores on the web: objects by GET, names by Amazon S3's ListObjectsV2, no credentials. Imported on first use.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and API_GetObject.html, for buckets that are the
host of their URL (virtual-hosted style): other services with the same responses work too.
"""

from __future__ import annotations

import ipaddress
import os
import random
import re
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode, urlsplit
from xml.etree import ElementTree

import requests
import urllib3

from stellar_etl import __version__
from stellar_etl.errors import ExportError
from stellar_etl.patience import patience
from stellar_etl.sources.stores.base import CHUNK

PAGE = 1000
"""The most names that S3 returns at once."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 8.0
ATTEMPTS = 3
"""The attempts within `patience()`, if each gets no connection, or no bytes."""

TRY_AGAIN = (408, 429)
"""Transient HTTP statuses, besides those from 500 on."""


class PassingError(Exception):
    """A transient error: the next attempt can succeed."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause
        """The service's Retry-After in seconds."""


class WebStore:
    """A folder of a publicly readable bucket.

    The rest of an interrupted object is requested, if the service named its version (ETag). Transient errors (no
    connection, HTTP 5xx and 429, bodies shorter than their Content-Length) are retried with growing pauses, until the
    service sent nothing for `patience()` seconds.
    """

    remote = True

    def __init__(self, url: str, option: str = "--datastore-path") -> None:
        self.location = url.rstrip("/")
        option_text = f"{option} {url}"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise ExportError(f"{option_text}: {error}") from None
        if not host or parts.query or parts.fragment or parts.username is not None:
            raise ExportError(f"{option_text}: write it like https://bucket.host/prefix")
        if parts.scheme == "http" and not is_loopback(host):
            raise ExportError(f"{option_text}: http is allowed only for this machine; write https")
        address = f"[{host}]" if ":" in host else host
        self._root = f"{parts.scheme}://{address}{f':{port}' if port else ''}/"
        folder = unquote(parts.path).strip("/")
        self._prefix = f"{folder}/" if folder else ""
        self._patience = patience()
        self._sessions = threading.local()

    def names(self, after: str, page: int) -> Iterator[str]:
        """The names after a given one, with as few requests as possible."""
        parameters = {
            "list-type": "2",
            "prefix": self._prefix,
            "start-after": self._prefix + after,
            "max-keys": str(min(page, PAGE)),
        }
        problem = f"{self.location} can't be listed"
        while True:
            try:
                keys, token = parse_listing(self._get(f"{self._root}?{urlencode(parameters)}", problem))
            except FileNotFoundError as error:
                raise ExportError(str(error)) from None
            except ValueError as error:
                raise ExportError(f"{problem}: the response is not a ListObjectsV2 listing: {error}") from None
            for key in keys:
                name = key.removeprefix(self._prefix)
                if (
                    key.startswith(self._prefix) and name > after
                ):  # a service without support for start-after returns all names
                    yield name
            if token is None:
                return
            if token == parameters.get("continuation-token"):
                raise ExportError(f"{problem}: its listing names the same next page twice")
            # The first page was not enough: fetch the rest in large pages.
            parameters |= {"continuation-token": token, "max-keys": str(PAGE)}
            parameters.pop("start-after", None)

    def read(self, name: str) -> bytes:
        """An object's bytes."""
        return self._get(*self._of(name))

    def stream(self, name: str) -> Iterator[bytes]:
        """Yield an object's bytes in pieces; skip bytes that were received before."""
        given = 0
        for offset, piece in self._pieces(*self._of(name)):
            if new := piece[max(0, given - offset) :]:
                given += len(new)
                yield new

    def _of(self, name: str) -> tuple[str, str]:
        """Return an object's URL, and the beginning of its error messages."""
        return self._root + quote(self._prefix + name), f"{self.location}/{name} can't be read"

    def _get(self, url: str, problem: str) -> bytes:
        """Return the body of a URL; raises as `_pieces` does."""
        body = bytearray()
        for offset, piece in self._pieces(url, problem):
            del body[offset:]
            body += piece
        return bytes(body)

    def _pieces(self, url: str, problem: str) -> Iterator[tuple[int, bytes]]:
        """Yield the body of a URL in pieces, each with its offset; offset 0 restarts the body.

        Raises:
            FileNotFoundError: HTTP 404.
            ExportError: any other permanent error, or no bytes for `patience()` seconds.
        """
        answer, longest = _Answer(), 0
        pause, deadline = FIRST_PAUSE_SECONDS, time.monotonic() + self._patience
        while True:
            try:
                yield from self._receive(url, answer, problem)
            except PassingError as error:
                passing = error
            else:
                return
            now = time.monotonic()
            if answer.received > longest:
                longest, pause, deadline = answer.received, FIRST_PAUSE_SECONDS, now + self._patience
            wait = max(pause * random.uniform(0.5, 1), passing.pause)  # noqa: S311 so that not all come back at once
            if now + wait > deadline:
                raise ExportError(f"{problem}: no bytes for {self._patience:g} s; the last error: {passing}")
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _receive(self, url: str, answer: _Answer, problem: str) -> Iterator[tuple[int, bytes]]:
        """Make one attempt: yield the received bytes with their offset."""
        headers = {}
        if answer.received and answer.version:
            headers = {"Range": f"bytes={answer.received}-", "If-Match": answer.version}
        try:
            with self._session().get(
                url, headers=headers, stream=True, timeout=self._patience / ATTEMPTS, allow_redirects=False
            ) as response:
                begin = self._accept(response, answer, problem)
                yield begin, b""  # a restarted body can be empty
                # As it is stored: an object can have a Content-Encoding, which libraries would decode.
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    yield answer.received, chunk
                    answer.received += len(chunk)
        except (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
            cause = root_cause(error)
            if isinstance(error, ValueError) or isinstance(cause, ssl.SSLCertVerificationError):
                raise ExportError(f"{problem}: {one_line(cause)}") from None
            raise PassingError(one_line(cause)) from None
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and answer.received < begin + int(length):
            raise PassingError(f"the response ended after {answer.received} of {begin + int(length)} bytes")

    def _accept(self, response: requests.Response, answer: _Answer, problem: str) -> int:
        """Check the status; return the offset in the body at which the response begins."""
        status = response.status_code
        if status == requests.codes.partial_content and answer.received:
            begin = answer.received
            if response.headers.get("Content-Range", "").startswith(f"bytes {begin}-"):
                return begin
            answer.restart()
            raise PassingError("the service sent another part than requested")
        if status == requests.codes.ok:
            answer.restart(response.headers.get("ETag", ""))
            return 0
        if answer.received and status in (
            requests.codes.precondition_failed,
            requests.codes.requested_range_not_satisfiable,
        ):
            answer.restart()
            raise PassingError("it changed while it was read")
        code = re.search(rb"<Code>(\w+)</Code>", response.raw.read(2000, decode_content=False) or b"")
        reason = f"HTTP {status} {code[1].decode() if code else response.reason or ''}".rstrip()
        if status == requests.codes.not_found:
            raise FileNotFoundError(f"{problem}: {reason}")
        if status in TRY_AGAIN or status >= requests.codes.internal_server_error:
            retry_after = response.headers.get("Retry-After", "")
            raise PassingError(reason, float(retry_after) if retry_after.isdecimal() else 0.0)
        raise ExportError(f"{problem}: {reason}")

    def _session(self) -> requests.Session:
        """This thread's session, which keeps its connection; a forked process must not share it."""
        if getattr(self._sessions, "process", None) != os.getpid():
            session = requests.Session()
            session.headers.update({"User-Agent": f"stellar-etl/{__version__}", "Accept-Encoding": "identity"})
            session.auth = _no_credentials  # otherwise requests would send credentials of ~/.netrc
            self._sessions.session, self._sessions.process = session, os.getpid()
        return self._sessions.session  # type: ignore[no-any-return]


@dataclass
class _Answer:
    """The received bytes of a body, and the version of its object; empty if the service names none."""

    received: int = 0
    version: str = ""

    def restart(self, version: str = "") -> None:
        """Restart; only a strong ETag guarantees the same bytes."""
        self.received = 0
        self.version = "" if version.startswith("W/") else version


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_listing(content: bytes) -> tuple[list[str], str | None]:
    """The keys of a `ListBucketResult`, and the token of the next page, None if it was the last.

    Raises:
        ValueError: it is not one.
    """
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 expat bounds what entities may grow to (since 2.4.1)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None
    space = root.tag.removesuffix("ListBucketResult")
    if space == root.tag:
        raise ValueError(f"it is a {root.tag}")
    keys = [entry.findtext(f"{space}Key", "") for entry in root.iterfind(f"{space}Contents")]
    if root.findtext(f"{space}IsTruncated") != "true":
        return keys, None
    token = root.findtext(f"{space}NextContinuationToken")
    if not token:
        raise ValueError("it is truncated, but names no next page")
    return keys, token


def root_cause(error: BaseException) -> BaseException:
    """Return the cause of an error of requests or urllib3."""
    for inner in (getattr(error, "reason", None), *error.args, error.__cause__):
        if isinstance(inner, BaseException):
            return root_cause(inner)
    return error


def one_line(error: BaseException) -> str:
    """Return an error's text, without the addresses of objects that urllib3 puts before it."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"^(<[^>]*>|\w*Connection\w*\([^)]*\)): ", "", text)
