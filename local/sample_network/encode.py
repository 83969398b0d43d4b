"""XDR by hand: the few forms that the engine writes over and over, as bytes (RFC 4506; Stellar's .x files)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

u32 = struct.Struct(">I").pack
i32 = struct.Struct(">i").pack
u64 = struct.Struct(">Q").pack
i64 = struct.Struct(">q").pack

ZERO = u32(0)
"""An empty array, an absent value, version 0 of an extension."""


def array(items: Iterable[bytes]) -> bytes:
    """`T items<>`."""
    held = list(items)
    return u32(len(held)) + b"".join(held)


def opaque(data: bytes) -> bytes:
    """`opaque data<>`, or a string."""
    return u32(len(data)) + data + bytes(-len(data) % 4)


def present(data: bytes) -> bytes:
    """`T* value` that is there."""
    return u32(1) + data


def account_id(key: bytes) -> bytes:
    """`AccountID`, and a `MuxedAccount` that isn't muxed."""
    return ZERO + key


NATIVE = ZERO
"""The asset of lumens."""


def credit(code: str, issuer: bytes) -> bytes:
    """An asset of up to 4 or up to 12 characters; trust lines and change_trust spell it the same."""
    size = 4 if len(code) <= 4 else 12
    return u32(1 if size == 4 else 2) + code.encode().ljust(size, b"\0") + account_id(issuer)


# Contract values, for events ------------------------------------------------------------------------------------


def symbol(text: str) -> bytes:
    """`SCVal` of a symbol."""
    return u32(15) + opaque(text.encode())


def string(text: str) -> bytes:
    """`SCVal` of a string."""
    return u32(14) + opaque(text.encode())


def address(account: bytes) -> bytes:
    """`SCVal` of an account's address."""
    return u32(18) + ZERO + account_id(account)


def i128(value: int) -> bytes:
    """`SCVal` of a 128-bit integer."""
    return u32(10) + i64(value >> 64) + u64(value & (1 << 64) - 1)


def contract_event(contract: bytes, topics: Iterable[bytes], data: bytes) -> bytes:
    """`ContractEvent` of a contract."""
    return ZERO + present(contract) + i32(1) + ZERO + array(topics) + data


# Ledger entry changes -------------------------------------------------------------------------------------------

CREATED, UPDATED, REMOVED, STATE = (u32(kind) for kind in range(4))


def operation(kind: int, body: bytes, source: bytes | None = None) -> bytes:
    """`Operation`."""
    return (present(account_id(source)) if source else ZERO) + i32(kind) + body
