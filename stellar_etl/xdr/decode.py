"""Complete objects from bytes, with an error that names the byte at which decoding failed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from stellar_etl.xdr import generated


class XdrError(ValueError):
    """The bytes are not the expected object."""


def _decode(name: str, decoder: Callable[[bytes, int], tuple[Any, int]], data: bytes) -> Any:
    try:
        value, end = decoder(data, 0)
    except (struct.error, ValueError, RecursionError) as error:
        raise XdrError(f"{len(data)} bytes are not a {name}: {error}") from None
    if end != len(data):
        raise XdrError(f"a {name} of {len(data)} bytes ends at byte {end}: the object is truncated or damaged")
    return value


def decode_batch(data: bytes) -> dict[str, Any]:
    """Decode a `LedgerCloseMetaBatch`: the content of a lake's object.

    Raises:
        XdrError: the bytes are truncated, damaged or of a newer protocol.
    """
    return _decode("LedgerCloseMetaBatch", generated.d_LedgerCloseMetaBatch, data)  # type: ignore[no-any-return]


def decode_ledger(data: bytes) -> tuple[int, dict[str, Any]]:
    """A `LedgerCloseMeta`, as stellar-core streams it.

    Raises:
        XdrError: the bytes are truncated, damaged or of a newer protocol.
    """
    return _decode("LedgerCloseMeta", generated.d_LedgerCloseMeta, data)  # type: ignore[no-any-return]


def decode_header(data: bytes) -> dict[str, Any]:
    """Decode a `LedgerHeaderHistoryEntry`: history archives have one per ledger.

    Raises:
        XdrError: the bytes are truncated, damaged or of a newer protocol.
    """
    return _decode(  # type: ignore[no-any-return]
        "LedgerHeaderHistoryEntry", generated.d_LedgerHeaderHistoryEntry, data
    )


def decode_bucket_entry(data: bytes) -> tuple[int, dict[str, Any]]:
    """A `BucketEntry`: its `BucketEntryType`, and a `LedgerEntry`, a `LedgerKey` or a `BucketMetadata`.

    Raises:
        XdrError: the bytes are truncated, damaged or of a newer protocol.
    """
    return _decode("BucketEntry", generated.d_BucketEntry, data)  # type: ignore[no-any-return]
