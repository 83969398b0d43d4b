"""The network's state at the end of a lake, readable: for tests that compare tables with it."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from local.sample_network.engine import TOTAL_COINS, Engine
from local.sample_network.entries import (
    Account,
    ClaimableBalance,
    ConfigSetting,
    ContractCode,
    ContractData,
    Data,
    Entry,
    Offer,
    Pool,
    Trustline,
    Ttl,
)
from local.sample_network.keys import PASSPHRASE
from stellar_etl.ledgers import strkey

ARCHIVED: tuple[type[Entry], ...] = (ContractData, ContractCode)
KINDS: tuple[type[Entry], ...] = (
    Account,
    Trustline,
    Offer,
    Data,
    ClaimableBalance,
    Pool,
    *ARCHIVED,
    Ttl,
    ConfigSetting,
)


def _described(entry: Entry) -> dict[str, Any]:
    return {
        **entry.fields,
        "last_modified_ledger": entry.modified,
        "sponsor": None if entry.sponsor is None else strkey.account(entry.sponsor),
        "ledger_key": b64encode(entry.key).decode(),
        "ledger_entry": b64encode(entry.xdr).decode(),
    }


def final_state(engine: Engine) -> str:
    """The state after the last ledger, as JSON.

    Returns:
        An object of the ledger's sequence, the network, its lumens in stroops, `entries` and `archived`. Both hold
        lists by kind of entry, ordered by ledger key; `archived` has those that were evicted and can be restored. Each
        entry has its fields (amounts in stroops, keys as StrKeys, binary values in hexadecimal), its ledger key and
        its `LedgerEntry` as base64.
    """
    groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for group, entries, kinds in (("entries", engine.state.entries, KINDS), ("archived", engine.archive, ARCHIVED)):
        groups[group] = {kind.plural: [] for kind in kinds}
        for _, entry in sorted(entries.items()):
            groups[group][entry.plural].append(_described(entry))
    state = {
        "ledger": engine.chain.sequence,
        "network_passphrase": PASSPHRASE,
        "total_coins": TOTAL_COINS,
        "fee_pool": engine.chain.fee_pool,
        **groups,
    }
    return json.dumps(state, ensure_ascii=False, indent=1) + "\n"
