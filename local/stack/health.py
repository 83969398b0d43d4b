"""Asks servers whether they are well."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit


def answers(url: str, seconds: float = 2.0) -> bool:
    """Whether a server answers at all; a refusal for want of a token is an answer.

    `tcp://host:port` asks no more than a connection.
    """
    try:
        if (place := urlsplit(url)).scheme == "tcp":
            socket.create_connection((place.hostname, place.port), seconds).close()
            return True
        urllib.request.urlopen(url, timeout=seconds).close()  # noqa: S310 - a service of ours
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False
    return True
