"""Ledger keys: the identity of each ledger entry."""

from __future__ import annotations

from functools import cache

from local.sample_network import scval
from local.sample_network.encode import ZERO, account_id, i32, i64, opaque, u32
from local.sample_network.keys import sha256


def account_key(owner: bytes) -> bytes:
    """`LedgerKey` of an account."""
    return u32(0) + account_id(owner)


def trustline_key(owner: bytes, asset: bytes) -> bytes:
    """`LedgerKey` of a trust line, by its `TrustLineAsset`."""
    return u32(1) + account_id(owner) + asset


def offer_key(seller: bytes, number: int) -> bytes:
    """`LedgerKey` of an offer."""
    return u32(2) + account_id(seller) + i64(number)


def data_key(owner: bytes, name: str) -> bytes:
    """`LedgerKey` of a data entry."""
    return u32(3) + account_id(owner) + opaque(name.encode())


def balance_key(balance: bytes) -> bytes:
    """`LedgerKey` of a claimable balance."""
    return u32(4) + ZERO + balance


def pool_key(pool: bytes) -> bytes:
    """`LedgerKey` of a liquidity pool."""
    return u32(5) + pool


def contract_data_key(contract: bytes, key: bytes, *, persistent: bool = True) -> bytes:
    """`LedgerKey` of an entry of a contract's storage."""
    return u32(6) + u32(1) + contract + key + i32(int(persistent))


def nonce_key(owner: bytes, number: int) -> bytes:
    """`LedgerKey` of a used signature of a contract call."""
    return u32(6) + u32(0) + account_id(owner) + u32(21) + i64(number) + i32(0)


def code_key(digest: bytes) -> bytes:
    """`LedgerKey` of a contract's code."""
    return u32(7) + digest


def config_key(number: int) -> bytes:
    """`LedgerKey` of a network setting."""
    return u32(8) + i32(number)


def ttl_key(of: bytes) -> bytes:
    """`LedgerKey` of another entry's lifetime, by that entry's key."""
    return u32(9) + sha256(of)


@cache
def order(key: bytes) -> bytes:
    """Bytes that compare as buckets order ledger keys: texts by their letters, not by size.

    As `LedgerEntryIdCmp` in stellar-core does it.
    """
    if key[:4] == u32(3):
        return key[:40] + key[44:]
    if key[:4] == u32(6):
        named = 4 + scval.address_size(key[4:])
        return key[:named] + scval.order(key[named:-4]) + key[-4:]
    return key
