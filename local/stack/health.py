"""Health checks of servers."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A client without a proxy: the servers are on this machine."""


def answers(url: str, seconds: float = 2.0) -> bool:
    """Whether a server responds; 401 without a token is a response.

    `tcp://host:port` only checks the connection.
    """
    try:
        if (place := urlsplit(url)).scheme == "tcp":
            socket.create_connection((place.hostname, place.port), seconds).close()
            return True
        _DIRECT.open(url, timeout=seconds).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False
    return True
