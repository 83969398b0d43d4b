"""Asks servers whether they are well."""

from __future__ import annotations

import urllib.error
import urllib.request


def answers(url: str, seconds: float = 2.0) -> bool:
    """Whether a server answers at all; a refusal for want of a token is an answer."""
    try:
        urllib.request.urlopen(url, timeout=seconds).close()  # noqa: S310 - a service of ours
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False
    return True
