"""Ledger entries: the network's state, each with its key, its exact XDR and a readable form.

Entries never change; `dataclasses.replace` makes the next state. `modified` is set by the state that holds them.
"""

from local.sample_network.entries.base import Entry
from local.sample_network.entries.classic import Account, Data, Offer, Signer, Trustline
from local.sample_network.entries.contracts import ConfigSetting, ContractCode, ContractData, Nonce, Ttl
from local.sample_network.entries.keys import (
    account_key,
    balance_key,
    code_key,
    config_key,
    contract_data_key,
    data_key,
    nonce_key,
    offer_key,
    order,
    pool_key,
    trustline_key,
    ttl_key,
)
from local.sample_network.entries.shared import ClaimableBalance, Pool

__all__ = [
    "Account",
    "ClaimableBalance",
    "ConfigSetting",
    "ContractCode",
    "ContractData",
    "Data",
    "Entry",
    "Nonce",
    "Offer",
    "Pool",
    "Signer",
    "Trustline",
    "Ttl",
    "account_key",
    "balance_key",
    "code_key",
    "config_key",
    "contract_data_key",
    "data_key",
    "nonce_key",
    "offer_key",
    "order",
    "pool_key",
    "trustline_key",
    "ttl_key",
]
