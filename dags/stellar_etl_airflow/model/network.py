"""Named networks, and the dataset label of a network. Pure."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b32encode

PASSPHRASES = {
    "pubnet": "Public Global Stellar Network ; September 2015",
    "testnet": "Test SDF Network ; September 2015",
    "futurenet": "Test SDF Future Network ; October 2022",
}
"""The passphrases of named networks (https://developers.stellar.org/docs/networks)."""

NETWORK_LABEL = "stellar_network"
"""The dataset label with the `network_hash` of the dataset's network."""


def network_hash(passphrase: str) -> str:
    """Return the first 32 hex digits of the passphrase's SHA-256: a label cannot contain the passphrase itself."""
    return hashlib.sha256(passphrase.encode()).hexdigest()[:32]


_CONTRACT = 2 << 3
"""The first byte of a contract's id in its text form, which yields the letter C
(https://github.com/stellar/stellar-protocol/blob/master/ecosystem/sep-0023.md)."""

_NATIVE_PREIMAGE = b"".join(number.to_bytes(4, "big") for number in (1, 0))
"""`CONTRACT_ID_PREIMAGE_FROM_ASSET` of `ASSET_TYPE_NATIVE`."""


def native_contract(passphrase: str) -> str:
    """Return the id (C…) of the native asset contract, whose storage has the lumens of contracts.

    It is the SHA-256 of `HashIDPreimage`
    (https://github.com/stellar/stellar-xdr/blob/main/Stellar-transaction.x, `ENVELOPE_TYPE_CONTRACT_ID`).
    """
    network = hashlib.sha256(passphrase.encode()).digest()
    body = bytes([_CONTRACT]) + hashlib.sha256((8).to_bytes(4, "big") + network + _NATIVE_PREIMAGE).digest()
    return b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little")).decode()
