"""Sending of one batch to a receiver with every fault: applied rows, retries, and the recorded outcome."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from outbound.batches import Reference
from outbound.credentials import SecretError, read_secret
from outbound.sender import Ending, ReceiverError, Sender, Terms, retry_after
from tests.local.emulators import free_port
from tests.outbound.receiver import certificate_of_another, receiving

BODY = b'[{"a":1},{"a":2}]'
FAULTS = {"throttle": 1, "unavailable": 2, "lost": 3, "reset": 4, "reject": 5, "broken": 6, "error": 7, "slow": 8}
"""The batch that has each fault; batch 9 has none."""
EVERY = 100


@pytest.fixture(scope="module")
def receiver(tmp_path_factory):
    faults = ",".join(f"{kind}={EVERY}:{number}" for kind, number in FAULTS.items())
    with receiving(tmp_path_factory.mktemp("receiver"), faults=faults, lost_seconds=1) as receiver:
        yield receiver


def reference(number):
    key = hashlib.sha256(f"{number}".encode()).hexdigest()
    return Reference("part", 0, 0, number, key, 2, len(BODY), hashlib.sha256(BODY).hexdigest())


def send(url, number, pauses=None, **changes):
    """Send one batch of the series; each test uses another series, because the receiver records tries."""
    terms = Terms(**{"url": url, "tries": 3, "timeout": 0.75, "hold": False, **changes})
    with closing(Sender(terms, sleep=(pauses if pauses is not None else []).append)) as sender:
        return sender.send(reference(number), BODY)


def applied(receiver, number):
    return receiver.stats()["numbers"].count(number)


@pytest.mark.parametrize("kind", ["throttle", "unavailable", "lost", "reset", "error", "slow"])
def test_a_batch_is_applied_once_for_every_fault_of_the_first_try(receiver, kind):
    number = FAULTS[kind] + EVERY
    outcome = send(receiver.address, number)
    assert (outcome.ending, outcome.status) == (Ending.DELIVERED, 200)
    assert outcome.tries == (1 if kind == "slow" else 2)
    assert applied(receiver, number) == 1
    assert receiver.stats()["conflicts"] == 0


def test_a_lost_reply_causes_a_replay_with_the_same_key(receiver):
    before = receiver.stats()["replays"]
    send(receiver.address, FAULTS["lost"] + 2 * EVERY)
    assert receiver.stats()["replays"] == before + 1


def test_retry_after_is_honoured_and_counted(receiver):
    pauses = []
    outcome = send(receiver.address, FAULTS["throttle"] + 2 * EVERY, pauses)
    assert pauses[0] >= 1
    assert outcome.throttled == sum(pauses)


@pytest.mark.parametrize(("kind", "status", "tries"), [("reject", 422, 1), ("broken", 500, 3)])
def test_a_refused_or_repeatedly_failed_batch_becomes_a_dead_letter(receiver, kind, status, tries):
    outcome = send(receiver.address, FAULTS[kind] + 3 * EVERY)
    assert (outcome.ending, outcome.status, outcome.tries) == (Ending.DEAD, status, tries)


@pytest.mark.parametrize("kind", ["lost", "reset", "error"])
def test_hold_leaves_a_batch_in_doubt_after_one_request(receiver, kind):
    outcome = send(receiver.address, FAULTS[kind] + 4 * EVERY, hold=True)
    assert (outcome.ending, outcome.tries) == (Ending.IN_DOUBT, 1)


def test_hold_retries_batches_that_were_certainly_not_applied(receiver):
    assert send(receiver.address, FAULTS["throttle"] + 5 * EVERY, hold=True).ending is Ending.DELIVERED


def test_an_unreachable_receiver_fails_the_job_without_a_dead_letter():
    for hold in (False, True):
        with pytest.raises(ReceiverError, match="stays outstanding"):
            send(f"http://127.0.0.1:{free_port()}/v1/batches", 9, hold=hold)


def test_an_invalid_certificate_stops_the_job_before_the_first_batch(tmp_path):
    port = free_port()
    server = HTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_of_another(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server), pytest.raises(ReceiverError, match="certificate"):
        send(f"https://127.0.0.1:{port}/v1/batches", 9)


def test_a_lane_keeps_its_pace(receiver):
    pauses = []
    terms = Terms(receiver.address, 3, 5, hold=False, interval=30.0)
    with closing(Sender(terms, sleep=pauses.append)) as sender:
        for number in (609, 610, 611):
            sender.send(reference(number), BODY)
    assert [round(pause) for pause in pauses] == [30, 60]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("Thu, 01 Jan 2026 00:00:30 GMT", 30), ("Wed, 31 Dec 2025 00:00:00 GMT", 0), ("soon", 0), (None, 0)],
)
def test_retry_after_may_be_seconds_or_a_date(value, seconds):
    assert retry_after(value, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Vault(BaseHTTPRequestHandler):
    """The replies of Vault and Secret Manager."""

    def do_GET(self):
        known = {
            "/v1/secret/data/crm": {"data": {"data": {"token": "of-vault"}}},
            "/v1/projects/p/secrets/s/versions/latest:access": {
                "payload": {"data": base64.b64encode(b"of-google").decode()}
            },
        }
        found = known.get(self.path)
        content = json.dumps(found or {}).encode()
        self.send_response(200 if found else 403)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments):
        pass


def test_a_secret_is_read_from_secret_manager_or_vault_only(monkeypatch):
    with serving(HTTPServer(("127.0.0.1", 0), Vault)) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("VAULT_ADDR", address)
        monkeypatch.setenv("VAULT_TOKEN", "t")
        monkeypatch.setenv("SECRET_MANAGER_ENDPOINT", address)
        assert read_secret("vault:secret/data/crm#token") == "of-vault"
        assert read_secret("projects/p/secrets/s/versions/latest") == "of-google"
        with pytest.raises(SecretError, match="HTTP status 403"):
            read_secret("vault:secret/data/other#token")
        with pytest.raises(SecretError, match="KeyError"):
            read_secret("vault:secret/data/crm#nothing")
    with pytest.raises(SecretError, match="is not a reference to a secret"):
        read_secret("hunter2")
