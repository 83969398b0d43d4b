"""Files of history archives, of any size in little memory: records of XDR (RFC 5531, section 11), by gzip."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from stellar_etl.sources.stores.base import CHUNK
from stellar_etl.xdr import XdrError

LARGEST_RECORD = 16 << 20
"""How many bytes a record may have: what is in the ledger came by a message between nodes, and none is larger
(`MAX_MESSAGE_SIZE` in stellar-core's `overlay/Peer.h`). Of entries the network itself allows some 128 KiB."""

_GZIP = 16 + zlib.MAX_WBITS
_LAST_FRAGMENT = 1 << 31


def gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The content of a gzip file, in pieces that are small however much it is compressed.

    Raises:
        zlib.error: it is no gzip file, is damaged, or ends too early.
    """
    unzip = zlib.decompressobj(_GZIP)
    for piece in pieces:
        left = piece
        while left:
            if unzip.eof:  # gzip files that follow one another are one
                unzip = zlib.decompressobj(_GZIP)
            yield unzip.decompress(left, CHUNK)
            left = unzip.unconsumed_tail or unzip.unused_data
    if not unzip.eof:
        raise zlib.error("it is truncated")


def records(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The records of a stream: of each piece those that end in it.

    Raises:
        XdrError: a record is in fragments, too large, or not all there.
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
