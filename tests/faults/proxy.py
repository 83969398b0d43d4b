"""A reverse proxy on loopback that forwards everything except requests that match a rule.

It stands between clients (Airflow, pods) and one service. A rule's act determines the treatment of a request: forward
it, answer it, delay it, change it, or lose the request or its reply.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

CHUNK = 1 << 16
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST, at once
CONNECT_SECONDS = 30.0  # the supervisor restarts a killed service within this time


@dataclass(frozen=True)
class Request:
    """A received request: its first line and headers, and its body if its length is known."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        """`METHOD path`."""
        return self.head.split(b" HTTP/", 1)[0].decode(errors="replace")

    @property
    def text(self) -> str:
        """Return the text that rules match: `METHOD path`, a line break, and the body."""
        return f"{self.line}\n{self.body.decode(errors='replace')}"

    @property
    def upgrades(self) -> bool:
        return re.search(rb"(?i)\r\nupgrade:", self.head) is not None

    def with_json(self, change: Callable[[Any], Any]) -> Request:
        """Return the request with its JSON body changed."""
        body = json.dumps(change(json.loads(self.body))).encode()
        head = re.sub(rb"(?i)(\r\ncontent-length:)[^\r]*", rb"\1 %d" % len(body), self.head)
        return replace(self, head=head, body=body)

    def with_line(self, pattern: str, text: str) -> Request:
        """Return the request with a part of its first line replaced."""
        line, rest = self.head.split(b"\r\n", 1)
        return replace(self, head=re.sub(pattern.encode(), text.encode(), line) + b"\r\n" + rest)

    def encoded(self) -> bytes:
        """Return the bytes to forward, with one request per connection.

        The end of the reply is the end of the connection.
        """
        return (self.head if self.upgrades else closes(self.head)) + self.body


def closes(head: bytes) -> bytes:
    """Return a head with `Connection: close`."""
    return re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)[:-4] + b"\r\nConnection: close\r\n\r\n"


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read a head up to its empty line, and the bytes after it; empty if the other side sends nothing."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := connection.recv(CHUNK)):
            return b"", data
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def read_request(connection: socket.socket) -> Request | None:
    head, body = read_head(connection)
    if not head:
        return None
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    length = int(found[1]) if found else 0
    while len(body) < length and (chunk := connection.recv(CHUNK)):
        body += chunk
    return Request(head, body)


def pump(left: socket.socket, right: socket.socket, most: int | None = None) -> None:
    """Forward bytes in both directions until either side ends, or `most` bytes went from right to left."""
    with selectors.DefaultSelector() as selector, suppress(OSError):
        for one, other in ((left, right), (right, left)):
            selector.register(one, selectors.EVENT_READ, other)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(CHUNK)  # type: ignore[union-attr]
                if not data:
                    return
                if key.fileobj is right and most is not None:
                    data, most = data[:most], most - len(data)
                key.data.sendall(data)
                if most is not None and most <= 0:
                    return


@dataclass
class Exchange:
    """A request in the proxy, and the ways to treat it."""

    request: Request
    client: socket.socket
    port: int
    """The service's port."""

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 10)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def pass_on(self, most: int | None = None) -> None:
        """Forward the request and its reply, or at most `most` bytes of the reply's body."""
        with closing(socket.create_connection(("127.0.0.1", self.port), 10)) as service:
            service.settimeout(None)
            service.sendall(self.request.encoded())
            head, rest = read_head(service)
            self.client.sendall(head if self.request.upgrades else closes(head) if head else b"")
            self.client.sendall(rest[:most])
            if most is None or len(rest) < most:
                pump(self.client, service, None if most is None else most - len(rest))

    def fetch(self) -> bytes:
        """Forward the request; return the complete reply, which the client has not received yet."""
        with closing(self._connect()) as service:
            service.settimeout(None)
            service.sendall(self.request.encoded())
            head, reply = read_head(service)
            while chunk := service.recv(CHUNK):
                reply += chunk
        return closes(head) + reply

    def send_half(self) -> None:
        """Forward the request without the second half of its body, and ignore the reply."""
        with closing(self._connect()) as service:
            encoded = self.request.encoded()
            service.sendall(encoded[: len(encoded) - len(self.request.body) // 2])
            service.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def answer(self, status: int, body: bytes, *headers: str) -> None:
        """Answer in place of the service."""
        lines = (f"HTTP/1.1 {status} Fault", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
        self.client.sendall("\r\n".join((*lines, "Connection: close", "", "")).encode() + body)

    def drop(self) -> None:
        """End the connection without a reply."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


Act = Callable[[Exchange], None]


@dataclass
class Rule:
    """The treatment of requests whose text matches a pattern: `times` requests from the nth on."""

    pattern: str
    act: Act
    nth: int = 1
    times: int = 1
    matched: int = 0

    def takes(self, request: Request) -> bool:
        """Return whether the rule applies to this request."""
        if not re.search(self.pattern, request.text, re.DOTALL):
            return False
        self.matched += 1
        return self.nth <= self.matched < self.nth + self.times

    @property
    def applied(self) -> bool:
        """Return whether the rule was applied as often as it should."""
        return self.matched >= self.nth


@dataclass
class Proxy:
    """The proxy of one service.

    Attributes:
        upstream: returns the service's port.
        rules: the active faults.
        seen: forwarded requests, `METHOD path` and the body's beginning, as a help for writing rules.
    """

    upstream: Callable[[], int]
    rules: list[Rule] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    proxy.serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        """Treat one request of a client."""
        request = read_request(client)
        if request is None:
            return
        self.seen.append(f"{time.time():.2f} {request.text[:600]}")
        with self._lock:
            rule = next((rule for rule in list(self.rules) if rule.takes(request)), None)
        exchange = Exchange(request, client, self.upstream())
        (rule.act if rule else Exchange.pass_on)(exchange)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


# Acts ----------------------------------------------------------------------------------------------------------------


def answers(status: int, message: str = "made up", *headers: str) -> Act:
    """Answer with an error of the service, in the form of Kubernetes and of Google at once."""
    error = {"code": status, "message": message, "errors": [{"message": message, "reason": "fault"}]}
    body = json.dumps({"kind": "Status", "status": "Failure", "code": status, "message": message, "error": error})
    return lambda exchange: exchange.answer(status, body.encode(), *headers)


def respond(body: Any) -> Act:
    """Answer with this body."""
    return lambda exchange: exchange.answer(200, json.dumps(body).encode())


def loses_request(exchange: Exchange) -> None:
    """End the connection before the request arrives."""
    exchange.drop()


def loses_reply(exchange: Exchange) -> None:
    """Let the service process the request, and drop its reply."""
    exchange.fetch()
    exchange.drop()


def cuts_request(exchange: Exchange) -> None:
    """End the connection in the middle of the request's body."""
    exchange.send_half()
    exchange.drop()


def cuts_reply(exchange: Exchange) -> None:
    """End the connection in the middle of the reply."""
    exchange.pass_on(most=1)
    exchange.drop()


def slows(seconds: float) -> Act:
    """Forward the request late."""

    def act(exchange: Exchange) -> None:
        time.sleep(seconds)
        exchange.pass_on()

    return act


def changes(change: Callable[[Request], Request]) -> Act:
    """Forward a different request."""

    def act(exchange: Exchange) -> None:
        exchange.request = change(exchange.request)
        exchange.pass_on()

    return act


def before(break_: Callable[[], None]) -> Act:
    """Break something before the request arrives."""

    def act(exchange: Exchange) -> None:
        break_()
        exchange.pass_on()

    return act


def instead(break_: Callable[[], None]) -> Act:
    """Break something, and drop the request."""

    def act(exchange: Exchange) -> None:
        break_()
        exchange.drop()

    return act


def after(break_: Callable[[], None]) -> Act:
    """Break something after the service has processed the request, and before the client receives the reply."""

    def act(exchange: Exchange) -> None:
        reply = exchange.fetch()
        break_()
        exchange.client.sendall(reply)

    return act
