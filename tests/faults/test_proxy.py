"""The proxy changes the requests that match a rule, and no others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.faults.proxy import (
    Act,
    Proxy,
    Rule,
    after,
    answers,
    changes,
    cuts_reply,
    cuts_request,
    loses_reply,
    loses_request,
)
from tests.waiting import PATIENCE

BODY = '{"rows": "' + "1" * 200_000 + '"}'


@dataclass
class Echo:
    """Run a server that answers with the received request, and its proxy."""

    proxy: Proxy
    got: list[str] = field(default_factory=list)

    def ask(self, act: Act | None = None, nth: int = 1, times: int = 1) -> requests.Response:
        if act:
            self.proxy.rules.append(Rule(r"^POST /echo\?a=b\n.*rows", act, nth, times))
        return requests.post(f"http://127.0.0.1:{self.proxy.port}/echo?a=b", data=BODY, timeout=PATIENCE)


@pytest.fixture
def echo() -> Iterator[Echo]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            if len(text) < int(self.headers["Content-Length"]):
                return
            found.got.append(text.decode())
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    found = Echo(Proxy(lambda: server.server_address[1]))
    yield found
    found.proxy.close()
    server.shutdown()
    server.server_close()


def test_requests_without_a_rule_pass_unchanged(echo: Echo) -> None:
    with requests.Session() as session:
        echo.proxy.rules.append(Rule("^GET ", loses_request))
        url = f"http://127.0.0.1:{echo.proxy.port}/echo"
        replies = [session.post(url, data=BODY, timeout=PATIENCE) for _ in range(3)]
    assert [reply.text for reply in replies] == echo.got == [BODY] * 3


def test_a_rule_applies_to_its_number_of_requests(echo: Echo) -> None:
    statuses = [echo.ask(answers(503), nth=2, times=2).status_code] + [echo.ask().status_code for _ in range(3)]
    assert statuses == [200, 503, 503, 200]
    assert len(echo.got) == 2


@pytest.mark.parametrize(("act", "arrived"), [(loses_request, 0), (cuts_request, 0), (loses_reply, 1), (cuts_reply, 1)])
def test_requests_and_replies_are_lost(echo: Echo, act: Act, arrived: int) -> None:
    with pytest.raises(requests.RequestException):
        _ = echo.ask(act).text
    assert len(echo.got) == arrived


def test_a_changed_request_arrives(echo: Echo) -> None:
    assert echo.ask(changes(lambda request: request.with_json(lambda _: {"rows": 2}))).json() == {"rows": 2}


def test_a_fault_happens_between_the_work_and_the_reply(echo: Echo) -> None:
    seen: list[int] = []
    assert echo.ask(after(lambda: seen.append(len(echo.got)))).text == BODY
    assert seen == [1]
