"""Stellar's readable keys (SEP-23): base32 of a version byte, the key and a CRC16."""

from __future__ import annotations

from base64 import b32encode
from binascii import crc_hqx
from functools import lru_cache
from struct import pack

ACCOUNT = 6 << 3
MUXED_ACCOUNT = 12 << 3
PRE_AUTH_TX = 19 << 3
HASH_X = 23 << 3
SIGNED_PAYLOAD = 15 << 3
CONTRACT = 2 << 3
CLAIMABLE_BALANCE = 1 << 3
LIQUIDITY_POOL = 11 << 3


def encode(version: int, payload: bytes) -> str:
    """The key as text, without padding."""
    data = bytes((version,)) + payload
    data += pack("<H", crc_hqx(data, 0))
    return b32encode(data).decode().rstrip("=")


@lru_cache(maxsize=65536)
def account(key: bytes) -> str:
    """`G…` for a public key of 32 bytes."""
    return encode(ACCOUNT, key)


@lru_cache(maxsize=4096)
def muxed_account(key: bytes, number: int) -> str:
    """`M…` for a public key and its 64-bit id."""
    return encode(MUXED_ACCOUNT, key + pack(">Q", number))


@lru_cache(maxsize=16384)
def contract(key: bytes) -> str:
    """`C…` for a contract's hash."""
    return encode(CONTRACT, key)


@lru_cache(maxsize=4096)
def liquidity_pool(key: bytes) -> str:
    """`L…` for a pool's hash."""
    return encode(LIQUIDITY_POOL, key)


@lru_cache(maxsize=4096)
def claimable_balance(key: bytes) -> str:
    """`B…` for a version 0 balance's hash."""
    return encode(CLAIMABLE_BALANCE, b"\0" + key)
