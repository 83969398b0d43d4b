"""A Slack and a mail server on loopback, which keep the messages that they receive."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from email import message_from_string
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Slack(BaseHTTPRequestHandler):
    """Receive messages by an incoming webhook and by the API."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.messages.append((self.path, self.headers.get("Authorization"), body))
        if self.server.hangs:
            self.server.released.wait(60)
        webhook = self.path.startswith("/services/")
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"ok" if webhook else json.dumps({"ok": True}).encode())

    def log_message(self, *_):
        pass


class _Mail(socketserver.StreamRequestHandler):
    """Receive mail by SMTP (RFC 5321)."""

    def handle(self):
        self._say("220 here")
        recipients = []
        while line := self.rfile.readline().decode().strip():
            match line.split(" ")[0].split(":")[0].upper():
                case "QUIT":
                    self._say("221 bye")
                    return
                case "RCPT":
                    recipients.append(line)
                case "DATA":
                    self._say("354 go on")
                    text = ""
                    while (part := self.rfile.readline().decode()) != ".\r\n":
                        text += part
                    self.server.mails.append((recipients, message_from_string(text)))
            self._say("250 well")

    def _say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


class _MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextlib.contextmanager
def slack_server():
    """Run a server with `messages`; tests can set `status` and `hangs`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Slack) as server:
        server.messages, server.status, server.hangs, server.released = [], 200, False, threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.released.set()
        server.shutdown()


@contextlib.contextmanager
def mail_server():
    """Run a server with `mails`: recipients and message of each."""
    with _MailServer(("127.0.0.1", 0), _Mail) as server:
        server.mails = []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def connections_of(slack, mail):
    """The connections `slack` and `mail` to the two servers."""
    return {
        "slack": {"conn_type": "slackwebhook", "password": f"{slack.url}/services/T0/B0/webhook-token"},
        "mail": {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": mail.server_address[1],
            "extra": {"disable_tls": True, "disable_ssl": True, "from_email": "etl@example.org", "retry_limit": 0},
        },
    }
