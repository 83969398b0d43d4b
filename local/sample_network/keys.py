"""The network's name, its hash, and all keys: the same name always has the same key."""

from __future__ import annotations

import hashlib
from functools import cache

from nacl.signing import SigningKey

from local.sample_network.encode import NATIVE, code_of, issuer_of, u32
from stellar_etl.ledgers import strkey

PASSPHRASE = "Stellar Sample Network ; generated, not real ; 2026"  # noqa: S105 - public: it names the network


def sha256(data: bytes) -> bytes:
    """SHA-256, Stellar's hash function."""
    return hashlib.sha256(data).digest()


NETWORK = sha256(PASSPHRASE.encode())

_SECRETS: dict[bytes, SigningKey] = {}


@cache
def public_key(name: str) -> bytes:
    """An actor's public key, 32 bytes."""
    secret = SigningKey(sha256(f"{PASSPHRASE}/{name}".encode()))
    key = bytes(secret.verify_key)
    _SECRETS[key] = secret
    return key


def sign(key: bytes, data: bytes) -> bytes:
    """An actor's signature, by its public key."""
    return _SECRETS[key].sign(data).signature


@cache
def contract_of(asset: bytes) -> bytes:
    """The id of an asset's contract: the hash of its preimage (CAP-46-02)."""
    return sha256(u32(8) + NETWORK + u32(1) + asset)


@cache
def asset_name(asset: bytes) -> str:
    """The form in events."""
    issuer = issuer_of(asset)
    return "native" if asset == NATIVE or issuer is None else f"{code_of(asset)}:{strkey.account(issuer)}"
