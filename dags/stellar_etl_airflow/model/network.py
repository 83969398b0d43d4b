"""The networks that have a name of their own, and how a dataset is labelled with its network. Pure."""

from __future__ import annotations

import hashlib

PASSPHRASES = {
    "pubnet": "Public Global Stellar Network ; September 2015",
    "testnet": "Test SDF Network ; September 2015",
    "futurenet": "Test SDF Future Network ; October 2022",
}
"""The passphrases of the networks that have a name of their own
(https://developers.stellar.org/docs/networks)."""

NETWORK_LABEL = "stellar_network"
"""The dataset label that holds `network_hash` of the network whose ledgers the dataset holds."""


def network_hash(passphrase: str) -> str:
    """Return the first 32 hex digits of the passphrase's SHA-256: a label cannot hold the passphrase itself."""
    return hashlib.sha256(passphrase.encode()).hexdigest()[:32]
