"""The environment and the command lines of the stack's programs."""

from __future__ import annotations

import socket
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from kubernetes import client

from local.stack import Stack
from local.stack.environment import airflow_environment, base_environment, with_direct_loopback
from local.stack.health import answers
from local.stack.layout import PORTS, Options, StackLayout, State, ensure_secrets
from local.stack.services import image_map, services

BACKEND = {"AIRFLOW__SECRETS__BACKEND": "a.Backend", "AIRFLOW__SECRETS__BACKEND_KWARGS": "{}"}


def test_airflow_receives_the_callers_secrets_backend_and_no_other_setting_of_theirs(tmp_path):
    layout, theirs = StackLayout(tmp_path), {"AIRFLOW_VAR_OWNER": "theirs", "AIRFLOW__CORE__EXECUTOR": "theirs"}
    keys = ensure_secrets(layout)
    made = airflow_environment(layout, dict.fromkeys(PORTS, 1), Options("lake"), keys, {**BACKEND, **theirs})
    assert BACKEND.items() <= made.items()
    assert "theirs" not in made.values()


PORT_NUMBERS = {name: number for number, name in enumerate(PORTS, 40_000)}
PROXIES = {
    "lower": {"http_proxy": "http://proxy:3128", "https_proxy": "http://proxy:3128"},
    "upper": {"HTTP_PROXY": "http://proxy:3128", "ALL_PROXY": "http://proxy:3128"},
    "exempt": {"http_proxy": "http://proxy:3128", "no_proxy": "intra.net,localhost"},
}


@pytest.mark.parametrize("inherited", PROXIES.values(), ids=PROXIES)
def test_no_program_and_no_pod_uses_a_proxy_for_servers_of_the_stack(tmp_path, monkeypatch, inherited):
    """The libraries that read these variables decide."""
    made = services(
        StackLayout(tmp_path), State(PORT_NUMBERS, Options("lake")), ensure_secrets(StackLayout(tmp_path)), inherited
    )
    pods = [image["env"] for image in image_map(PORT_NUMBERS, inherited).values()]
    for environment in [*(service.env for service in made), *pods, with_direct_loopback(inherited)]:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            for spelling in (name, name.upper()):
                monkeypatch.delenv(spelling, raising=False)
                if spelling in environment:
                    monkeypatch.setenv(spelling, environment[spelling])
        for url in ("http://127.0.0.1:40000/", "http://localhost:40000/"):
            assert requests.utils.get_environ_proxies(url) == {}
            assert urllib.request.proxy_bypass(url.split("/")[2])
        assert "127.0.0.1" in (client.Configuration().no_proxy or "")
        assert requests.utils.get_environ_proxies("http://lake.example/"), "other servers are reached through the proxy"


def test_a_proxys_exceptions_are_kept():
    made = with_direct_loopback(PROXIES["exempt"])
    assert made["no_proxy"] == made["NO_PROXY"] == "intra.net,localhost,127.0.0.1,::1"


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


def test_the_commands_reach_the_stack_without_a_proxy(tmp_path, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server, socket.socket() as proxy:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy.bind(("127.0.0.1", 0))  # no process listens there: a request to it fails at once
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        stack = Stack(tmp_path)
        State(dict.fromkeys(PORTS, server.server_port), Options("lake")).save(stack.layout)
        assert answers(f"http://127.0.0.1:{server.server_port}/")
        assert stack.bigquery("GET", "datasets") == {}
        server.shutdown()


def test_a_folder_with_a_space_stays_one_argument_of_each_command(tmp_path):
    layout = StackLayout(tmp_path / "my stack")
    made = services(layout, State(PORT_NUMBERS, Options(str(layout.root / "a lake"))), ensure_secrets(layout), {})
    words = [word for service in made for word in service.argv if " " in word]
    assert words
    assert all(word.startswith(str(layout.root)) for word in words)
    paths = [value for service in made for value in service.env.values() if str(layout.root) in value]
    assert paths
    assert all(value.startswith((str(layout.root), "{", "[")) for value in paths), "a path, or JSON with one"


def test_programs_trust_the_callers_certificate_authorities():
    """A proxy that inspects TLS uses certificates of a separate authority."""
    trusted = {"SSL_CERT_FILE": "/etc/ssl/authorities.pem", "SSL_CERT_DIR": "/etc/ssl/certs"}
    environment = base_environment({**trusted, "AIRFLOW_HOME": "/elsewhere"})
    assert trusted.items() <= environment.items()
    assert "AIRFLOW_HOME" not in environment
