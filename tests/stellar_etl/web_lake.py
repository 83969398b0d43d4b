"""A lake on a real HTTP server that answers like Amazon S3, counts requests, and fails on demand."""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import zstandard

from stellar_etl.sources.layout import LakeLayout, parse

PUBLIC = "Public Global Stellar Network ; September 2015"
PREFIX = "v1.1/ledgers/pubnet/"


class Objects(Protocol):
    """The objects of a server."""

    def names(self, after: str) -> Iterator[str]: ...

    def content(self, name: str) -> bytes | None: ...


class Files:
    """The files of a folder; tests may change them meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def names(self, after: str) -> Iterator[str]:
        return iter(sorted(name for name in self.files if name > after))

    def content(self, name: str) -> bytes | None:
        return self.files.get(name)

    def name_of(self, sequence: int) -> str:
        return next(name for name in self.files if f"--{sequence}.xdr" in name)


@dataclass
class Pretended:
    """A lake of any size, whose names and objects are created on request."""

    closed: Callable[[int], int]
    oldest: int = 3
    newest: int = 60_000_000
    layout: LakeLayout = field(default_factory=lambda: LakeLayout(1, 64000))
    missing: range = range(0)
    configured: bool = True

    def names(self, after: str) -> Iterator[str]:
        if self.configured and after < ".config.json":
            yield ".config.json"
        # Names sort newest first: find the first ledger whose object's name is after the given one.
        upper = bisect_right(
            range(self.newest + 1), False, key=lambda sequence: self.layout.span(sequence).name <= after
        )
        sequence = upper - 1
        while sequence >= self.oldest:
            span = self.layout.span(sequence)
            if sequence in self.missing:
                sequence = self.missing.start - 1
                continue
            yield span.name
            sequence = span.first - 1

    def content(self, name: str) -> bytes | None:
        if name == ".config.json":
            config = {
                "networkPassphrase": PUBLIC,
                "ledgersPerBatch": self.layout.ledgers_per_batch,
                "batchesPerPartition": self.layout.batches_per_partition,
            }
            return json.dumps(config).encode() if self.configured else None
        span = parse(name)
        if span is None or span != self.layout.span(span.first):
            return None
        if span.first in self.missing or not self.oldest <= span.first <= self.newest:
            return None
        ledgers = range(span.first, span.last + 1)
        metas = b"".join(minimal_ledger(ledger, self.closed(ledger)) for ledger in ledgers)
        return zstandard.compress(struct.pack(">III", span.first, span.last, len(ledgers)) + metas)


def minimal_ledger(sequence: int, closed: int) -> bytes:
    """Return a `LedgerCloseMeta` without transactions, with correct hashes."""
    before = hashlib.sha256(struct.pack(">I", sequence - 1)).digest()
    transactions, results = before, struct.pack(">I", 0)
    header = b"".join(
        (
            struct.pack(">I", 23) + before,
            hashlib.sha256(transactions).digest() + struct.pack(">QII", closed, 0, 0),
            hashlib.sha256(results).digest() + bytes(32),
            struct.pack(">IqqIQIII", sequence, 10**18, 0, 0, 0, 100, 5_000_000, 1000),
            bytes(4 * 32 + 4),
        )
    )
    entry = hashlib.sha256(header).digest() + header + bytes(4)
    return struct.pack(">I", 0) + entry + transactions + struct.pack(">IIII", 0, 0, 0, 0)


@dataclass
class Server:
    """One server's address, its requests, and its faults.

    Attributes:
        reads: the names of requested objects, in order; `ranges` those of partial requests.
        listings: the query of each listing.
        faults: by object name, or "?" for listings: one fault per request, the last one for all further requests if
            `...` follows it. A fault is a status; "cut" in the middle; "hang"; other bytes; or a function, whose result
            is used.
        most_busy: the maximum number of simultaneous requests.
    """

    objects: Objects
    url: str = ""
    reads: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    listings: list[dict[str, str]] = field(default_factory=list)
    faults: dict[str, list[Any]] = field(default_factory=dict)
    busy: int = 0
    most_busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def requests(self) -> int:
        return len(self.reads) + len(self.listings)

    @property
    def ledger_reads(self) -> int:
        return sum(".xdr." in name for name in self.reads)

    def fault(self, name: str) -> Any:
        """Return the fault of this request, None for no fault."""
        left = self.faults.get(name) or [None]
        return left[0] if left[1:] == [...] else left.pop(0)


@contextmanager
def served(objects: Objects) -> Iterator[Server]:
    server = Server(objects)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            with server.lock:
                server.busy += 1
                server.most_busy = max(server.most_busy, server.busy)
            try:
                answer(self, server)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with server.lock:
                    server.busy -= 1

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}/{PREFIX.rstrip('/')}"
    try:
        yield server
    finally:
        server.ended.set()
        http.shutdown()
        thread.join()
        http.server_close()


def answer(handler: BaseHTTPRequestHandler, server: Server) -> None:
    parts = urlsplit(handler.path)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    if query:
        server.listings.append(query)
        fault, make = server.fault("?"), partial(listing, server.objects, query)
    else:
        name = unquote(parts.path).lstrip("/").removeprefix(PREFIX)
        server.reads.append(name)
        fault, make = server.fault(name), partial(server.objects.content, name)
    if callable(fault):
        fault = fault()
    body = make()
    if fault == "hang":
        server.ended.wait(60)
        handler.close_connection = True
        return
    if isinstance(fault, bytes):
        body, fault = fault, None
    if isinstance(fault, int) or body is None:
        status = fault or 404
        code = {403: "AccessDenied", 404: "NoSuchKey", 429: "TooManyRequests"}.get(status, "InternalError")
        body, fault, headers = f"<Error><Code>{code}</Code></Error>".encode(), None, {}
    else:
        status, body, headers = part(handler, server, body)
    handler.send_response(status)
    for key, value in headers.items():
        handler.send_header(key, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if fault == "cut":
        handler.wfile.write(body[: len(body) // 2])
        handler.close_connection = True
    else:
        handler.wfile.write(body)


def part(handler: BaseHTTPRequestHandler, server: Server, body: bytes) -> tuple[int, bytes, dict[str, str]]:
    """Return status, bytes and headers of an object, or of its requested part."""
    headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"'}
    requested = handler.headers.get("Range")
    if requested is None:
        return 200, body, headers
    server.ranges.append(requested)
    if handler.headers.get("If-Match") != headers["ETag"]:
        return 412, b"", {}
    begin = int(requested.removeprefix("bytes=").removesuffix("-"))
    return 206, body[begin:], headers | {"Content-Range": f"bytes {begin}-{len(body) - 1}/{len(body)}"}


def listing(objects: Objects, query: dict[str, str]) -> bytes:
    """Return a `ListBucketResult`; a page's token is its last key."""
    assert query["list-type"] == "2"
    prefix, size = query.get("prefix", ""), int(query.get("max-keys", 1000))
    after = query.get("continuation-token", query.get("start-after", ""))
    keys = []
    if prefix == PREFIX:
        for name in objects.names(after.removeprefix(PREFIX)):
            keys.append(PREFIX + name)
            if len(keys) > size:
                break
    more = len(keys) > size
    contents = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in keys[:size])
    token = f"<NextContinuationToken>{escape(keys[size - 1])}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}</ListBucketResult>"
    ).encode()
