"""Uploads in one request: metadata and content as the two parts of a body, as all Google clients send them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Upload(NamedTuple):
    """A multipart upload."""

    metadata: dict[str, Any]
    content: memoryview
    content_type: str


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of a Content-Type header.

    gcloud writes it in single quotes, with characters that RFC 2046 requires to be in double quotes.
    """
    text = content_type.partition("boundary=")[2].strip()
    quote = text[:1] if text[:1] in ("'", '"') else ""
    return text.removeprefix(quote).partition(quote or ";")[0].strip().encode()


def multipart(body: bytes, content_type: str) -> Upload:
    """Return the two parts of an upload's body unchanged, the content without a copy.

    The emulator parses them as an e-mail: 40 MB/s instead of 240, with twice the memory, and it changes line ends in
    the content. Lines of the envelope end in CRLF, or in LF alone: gcloud's do
    (https://github.com/google/apitools/blob/master/apitools/base/py/transfer.py).

    Raises:
        ValueError: The body does not have these parts.
    """
    delimiter = b"--" + boundary_of(content_type)
    line_end = body.index(b"\n", body.index(delimiter))
    newline = b"\r\n" if body[line_end - 1 : line_end] == b"\r" else b"\n"
    second = body.index(newline + delimiter, line_end)
    metadata = body[line_end + 1 : second].partition(2 * newline)[2]
    headers_start = body.index(newline, second + len(newline)) + len(newline)
    headers_end = body.index(2 * newline, headers_start - len(newline))
    end = body.rindex(newline + delimiter + b"--")
    headers = body[headers_start:headers_end].decode()
    kinds = [line.partition(":")[2] for line in headers.splitlines() if line.lower().startswith("content-type:")]
    content = memoryview(body)[headers_end + 2 * len(newline) : end]
    return Upload(json.loads(metadata), content, kinds[0].strip() if kinds else "application/octet-stream")
