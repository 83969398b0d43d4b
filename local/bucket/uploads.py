"""The bodies of uploads, in blocks: as sent, decompressed, or the second part of a multipart body."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from local.bucket.content import BLOCK

ENVELOPE_BYTES = 1 << 20
"""The largest envelope of a multipart body before the content; its metadata has 8 KB at most."""
CLOSING_BYTES = 1 << 12
"""The largest end of a multipart body, with the last delimiter."""
WINDOW_BITS = {"gzip": 31, "deflate": 15}
"""zlib's parameter for each compression of a body."""


class Envelope(NamedTuple):
    """The beginning of a multipart body.

    Attributes:
        metadata: the first part.
        content_type: the type of the second part.
        end: the last delimiter.
        size: the envelope's bytes, after which the content begins.
    """

    metadata: dict[str, Any]
    content_type: str
    end: bytes
    size: int


class Upload(NamedTuple):
    """A multipart upload; the content arrives while it is read."""

    metadata: dict[str, Any]
    content: Iterator[bytes]
    content_type: str


def body(handler: Any) -> Iterator[bytes]:
    """Yield a request's body in blocks, decompressed like the emulator does it.

    Raises:
        ValueError: The body ends early, or its compression is invalid.
    """
    blocks, encoding = _sent(handler.headers, handler.rfile), handler.headers.get("Content-Encoding")
    return _decompressed(blocks, WINDOW_BITS[encoding]) if encoding in WINDOW_BITS else blocks


def _sent(headers: Any, stream: BinaryIO) -> Iterator[bytes]:
    if length := headers.get("Content-Length"):
        yield from _exactly(stream, int(length))
    elif (headers.get("Transfer-Encoding") or "").lower() == "chunked":
        while size := int(_line(stream).partition(b";")[0], 16):
            yield from _exactly(stream, size)
            _line(stream)
        while _line(stream).strip():  # trailers, up to the empty line
            pass


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(ENVELOPE_BYTES)
    if not line:
        raise ValueError("it ends early")
    return line


def _exactly(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        block = stream.read(min(BLOCK, size))
        if not block:
            raise ValueError(f"it ends {size} bytes early")
        size -= len(block)
        yield block


def _decompressed(blocks: Iterator[bytes], window_bits: int) -> Iterator[bytes]:
    inflate = None
    try:
        for block in blocks:
            left = block
            while left:
                if inflate is None or inflate.eof:
                    inflate = zlib.decompressobj(window_bits)
                yield inflate.decompress(left)
                left = inflate.unused_data
    except zlib.error as error:
        raise ValueError(f"its compression is invalid: {error}") from None
    if inflate is not None and not inflate.eof:
        raise ValueError("its compressed data ends early")


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of a Content-Type header.

    gcloud writes it in single quotes, with characters that RFC 2046 requires to be in double quotes.
    """
    text = content_type.partition("boundary=")[2].strip()
    quote = text[:1] if text[:1] in ("'", '"') else ""
    return text.removeprefix(quote).partition(quote or ";")[0].strip().encode()


def multipart(blocks: Iterator[bytes], content_type: str) -> Upload:
    """Return the two parts of an upload's body unchanged.

    The emulator parses them as an e-mail, which needs several times their memory and changes line ends in the content.

    Raises:
        ValueError: The body does not have these parts.
    """
    delimiter, read = b"--" + boundary_of(content_type), b""
    for block in blocks:
        read += block
        try:
            envelope = _envelope(read, delimiter)
            break
        except ValueError:
            if len(read) > ENVELOPE_BYTES:
                raise
    else:
        raise ValueError("it does not have the two parts of a multipart upload")
    return Upload(envelope.metadata, _until(read[envelope.size :], blocks, envelope.end), envelope.content_type)


def _envelope(read: bytes, delimiter: bytes) -> Envelope:
    """Return the beginning of a body.

    Its lines end in CRLF, or in LF alone: gcloud's do
    (https://github.com/google/apitools/blob/master/apitools/base/py/transfer.py).

    Raises:
        ValueError: It is not complete.
    """
    line_end = read.index(b"\n", read.index(delimiter))
    newline = b"\r\n" if read[line_end - 1 : line_end] == b"\r" else b"\n"
    second = read.index(newline + delimiter, line_end)
    metadata = read[line_end + 1 : second].partition(2 * newline)[2]
    headers_start = read.index(newline, second + len(newline)) + len(newline)
    headers_end = read.index(2 * newline, headers_start - len(newline))
    headers = read[headers_start:headers_end].decode().splitlines()
    kinds = [line.partition(":")[2].strip() for line in headers if line.lower().startswith("content-type:")]
    kind = kinds[0] if kinds else "application/octet-stream"
    return Envelope(json.loads(metadata), kind, newline + delimiter + b"--", headers_end + 2 * len(newline))


def _until(read: bytes, blocks: Iterator[bytes], end: bytes) -> Iterator[bytes]:
    """Yield what comes before the last delimiter.

    Raises:
        ValueError: There is no such delimiter at the end.
    """
    kept = read
    for block in blocks:
        kept += block
        yield kept[:-CLOSING_BYTES]
        kept = kept[-CLOSING_BYTES:]
    place = kept.rfind(end)
    if place < 0:
        raise ValueError("it does not end with its delimiter")
    yield kept[:place]
