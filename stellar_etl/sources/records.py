"""Files of history archives, of any size in little memory: gzip files of XDR records (RFC 5531, section 11)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from stellar_etl.sources.stores.base import CHUNK
from stellar_etl.xdr import XdrError

LARGEST_RECORD = 16 << 20
"""The largest record in bytes: the ledger's content was sent in messages between nodes, and none is larger
(`MAX_MESSAGE_SIZE` in stellar-core's `overlay/Peer.h`). The network allows about 128 KiB for an entry."""

_GZIP = 16 + zlib.MAX_WBITS
_LAST_FRAGMENT = 1 << 31


def gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of a gzip file, in small pieces for any compression ratio.

    Raises:
        zlib.error: it is not a gzip file, is damaged, or ends too early.
    """
    unzip = zlib.decompressobj(_GZIP)
    for piece in pieces:
        left = piece
        while left:
            if unzip.eof:  # concatenated gzip files are one file
                unzip = zlib.decompressobj(_GZIP)
            yield unzip.decompress(left, CHUNK)
            left = unzip.unconsumed_tail or unzip.unused_data
    if not unzip.eof:
        raise zlib.error("it is truncated")


def records(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the records of a stream: for each piece those that end in it.

    Raises:
        XdrError: a record is fragmented, too large or incomplete.
    """
    rest = b""
    for piece in pieces:
        data = rest + piece
        found, offset = [], 0
        while len(data) - offset >= 4:
            mark = int.from_bytes(data[offset : offset + 4], "big")
            size = mark & ~_LAST_FRAGMENT
            if not mark & _LAST_FRAGMENT or size > LARGEST_RECORD:
                raise XdrError(f"a record begins with {mark:08x}: it is damaged, or larger than {LARGEST_RECORD} bytes")
            end = offset + 4 + size
            if end > len(data):
                break
            found.append(data[offset + 4 : end])
            offset = end
        rest = data[offset:]
        yield found
    if rest:
        raise XdrError("its last record is truncated")
