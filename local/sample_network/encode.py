"""XDR by hand: the forms that the engine writes over and over, as bytes (RFC 4506; Stellar's .x files).

The SDK's classes would do too, but pack some hundred times slower than a network of a thousand ledgers can wait for.
Assets are their XDR throughout: bytes compare as the protocol orders assets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

u32 = struct.Struct(">I").pack
i32 = struct.Struct(">i").pack
u64 = struct.Struct(">Q").pack
i64 = struct.Struct(">q").pack

ZERO = u32(0)
"""An empty array, an absent value, version 0 of an extension."""

MAX = 2**63 - 1
"""The largest amount."""


def array(items: Iterable[bytes]) -> bytes:
    """`T items<>`."""
    parts = list(items)
    return u32(len(parts)) + b"".join(parts)


def opaque(data: bytes) -> bytes:
    """`opaque data<>`, or a string."""
    return u32(len(data)) + data + bytes(-len(data) % 4)


def present(data: bytes) -> bytes:
    """`T* value` that is there."""
    return u32(1) + data


def optional(data: bytes | None) -> bytes:
    """`T* value`."""
    return ZERO if data is None else present(data)


def boolean(value: bool) -> bytes:
    """`bool`."""
    return u32(int(value))


def account_id(key: bytes) -> bytes:
    """`AccountID`, and a `MuxedAccount` that isn't muxed."""
    return ZERO + key


def muxed(key: bytes, number: int | None) -> bytes:
    """`MuxedAccount`."""
    return account_id(key) if number is None else u32(0x100) + u64(number) + key


# Assets ---------------------------------------------------------------------------------------------------------

NATIVE = ZERO
"""The asset of lumens."""

POOL_FEE = 30
"""Of every pool, in ten thousandths."""


def credit(code: str, issuer: bytes) -> bytes:
    """An asset of up to 4 or up to 12 characters; trust lines and change_trust spell it the same."""
    size = 4 if len(code) <= 4 else 12
    return u32(1 if size == 4 else 2) + code.encode().ljust(size, b"\0") + account_id(issuer)


def issuer_of(asset: bytes) -> bytes | None:
    """The issuer's key, None for lumens."""
    return asset[-32:] if len(asset) > 4 else None


def padded_code(asset: bytes) -> bytes:
    """A credit's code with its zeros."""
    return asset[4:-36]


def code_of(asset: bytes) -> str:
    """A credit's code."""
    return padded_code(asset).rstrip(b"\0").decode()


def pool_parameters(first: bytes, second: bytes) -> bytes:
    """`LiquidityPoolParameters` of a pool of two assets, in their order; its hash is the pool's id."""
    return ZERO + first + second + i32(POOL_FEE)


def pool_share(pool: bytes) -> bytes:
    """`TrustLineAsset` of a pool's shares."""
    return u32(3) + pool


def is_pool_share(asset: bytes) -> bool:
    """Whether a `TrustLineAsset` is a pool's shares."""
    return asset[:4] == u32(3)


# Signer keys ----------------------------------------------------------------------------------------------------


def ed25519_signer(key: bytes) -> bytes:
    """`SignerKey` of a public key."""
    return u32(0) + key


def pre_authorized(transaction: bytes) -> bytes:
    """`SignerKey` of a transaction's hash."""
    return u32(1) + transaction


def hash_x(digest: bytes) -> bytes:
    """`SignerKey` of the hash of a secret."""
    return u32(2) + digest


def signed_payload(key: bytes, payload: bytes) -> bytes:
    """`SignerKey` of a public key and what it signs (CAP-40)."""
    return u32(3) + key + opaque(payload)
