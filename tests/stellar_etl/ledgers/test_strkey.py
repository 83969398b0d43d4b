"""Readable keys: the examples of SEP-23, and the output of the SDK's own StrKey."""

from __future__ import annotations

import hashlib

import pytest
from stellar_sdk import MuxedAccount, StrKey

from stellar_etl.ledgers import strkey
from stellar_etl.transforms.shared.values import signer_key
from stellar_etl.xdr import names

KEY = bytes.fromhex("3f0c34bf93ad0d9971d04ccc90f705511c838aad9734a4a2fb0d7a03fc7fe89a")
"""The key of SEP-23's examples."""

PAYLOAD_OF_KEY = "PA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAA"
"""The beginning of each signed payload of this key."""

KEYS = [bytes(32), b"\xff" * 32, *(hashlib.sha256(str(number).encode()).digest() for number in range(200))]


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (strkey.account(KEY), "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"),
        (strkey.muxed_account(KEY, 0), "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ"),
        (strkey.muxed_account(KEY, 1 << 63), "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLK"),
        (strkey.contract(KEY), "CA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUWDA"),
        (strkey.liquidity_pool(KEY), "LA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUPJN"),
        (strkey.claimable_balance(KEY), "BAAD6DBUX6J22DMZOHIEZTEQ64CVCHEDRKWZONFEUL5Q26QD7R76RGR4TU"),
    ],
    ids=["account", "muxed account 0", "muxed account 2^63", "contract", "liquidity pool", "claimable balance"],
)
def test_keys_equal_the_examples_of_the_standard(ours: str, expected: str) -> None:
    assert ours == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (32, f"{PAYLOAD_OF_KEY}QACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6IBZGM"),
        (29, f"{PAYLOAD_OF_KEY}OQCAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUAAAAFGBU"),
    ],
)
def test_a_signed_payload_is_padded(size: int, expected: str) -> None:
    payload = bytes(range(1, size + 1))
    key = (names.SIGNER_KEY_TYPE_ED25519_SIGNED_PAYLOAD, {"ed25519": KEY, "payload": payload})
    assert signer_key(key) == expected


def test_keys_equal_the_sdks() -> None:
    for key in KEYS:
        assert strkey.account(key) == StrKey.encode_ed25519_public_key(key)
        assert strkey.contract(key) == StrKey.encode_contract(key)
        assert strkey.liquidity_pool(key) == StrKey.encode_liquidity_pool(key)
        assert strkey.claimable_balance(key) == StrKey.encode_claimable_balance(b"\0" + key)
        assert signer_key((names.SIGNER_KEY_TYPE_ED25519, key)) == StrKey.encode_ed25519_public_key(key)
        assert signer_key((names.SIGNER_KEY_TYPE_PRE_AUTH_TX, key)) == StrKey.encode_pre_auth_tx(key)
        assert signer_key((names.SIGNER_KEY_TYPE_HASH_X, key)) == StrKey.encode_sha256_hash(key)


@pytest.mark.parametrize("number", [0, 1, 420, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
def test_muxed_accounts_equal_the_sdks(number: int) -> None:
    for key in KEYS:
        account = StrKey.encode_ed25519_public_key(key)
        assert strkey.muxed_account(key, number) == MuxedAccount(account, number).account_muxed


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 31, 63, 64])
def test_signed_payloads_of_any_length_equal_the_sdks(size: int) -> None:
    payload = hashlib.shake_128(str(size).encode()).digest(size)
    key = (names.SIGNER_KEY_TYPE_ED25519_SIGNED_PAYLOAD, {"ed25519": KEY, "payload": payload})
    raw = KEY + size.to_bytes(4, "big") + payload + bytes(-size % 4)
    assert signer_key(key) == StrKey.encode_ed25519_signed_payload(raw)


def test_different_keys_have_different_texts() -> None:
    """The keys are cached between calls; the cache must never return another key's text."""
    assert len({strkey.account(key) for key in KEYS}) == len(KEYS)
    assert len({strkey.muxed_account(KEY, number) for number in range(1000)}) == 1000
    assert strkey.account(KEYS[0]) == StrKey.encode_ed25519_public_key(KEYS[0])
