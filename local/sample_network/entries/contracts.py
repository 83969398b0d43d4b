"""Entries of contracts, their times to live, and the network's settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from local.sample_network.encode import ZERO, i32, opaque, u32
from local.sample_network.entries.base import Entry
from local.sample_network.entries.keys import code_key, config_key, contract_data_key, nonce_key, ttl_key
from local.sample_network.keys import sha256
from stellar_etl.ledgers import strkey


@dataclass(frozen=True, kw_only=True)
class ContractData(Entry):
    """An entry of a contract's storage: a key and its value, both `SCVal`."""

    plural = "contract_data"

    contract: bytes
    name: bytes
    value: bytes
    persistent: bool = True

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return contract_data_key(self.contract, self.name, persistent=self.persistent)

    @cached_property
    def content(self) -> bytes:
        """`ContractDataEntry`."""
        return ZERO + self.key[4:] + self.value

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        return {
            "contract_id": strkey.contract(self.contract),
            "key": self.name.hex(),
            "val": self.value.hex(),
            "durability": "persistent" if self.persistent else "temporary",
        }


@dataclass(frozen=True, kw_only=True)
class Nonce(Entry):
    """A used signature of a contract call: the entry stays until the signature expires."""

    plural = "contract_data"

    owner: bytes
    number: int

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return nonce_key(self.owner, self.number)

    @cached_property
    def content(self) -> bytes:
        """`ContractDataEntry`, its value void."""
        return ZERO + self.key[4:] + u32(1)

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        return {
            "contract_id": strkey.account(self.owner),
            "key": self.key[-16:-4].hex(),
            "val": u32(1).hex(),
            "durability": "temporary",
        }


@dataclass(frozen=True, kw_only=True)
class ContractCode(Entry):
    """A contract's code."""

    plural = "contract_code"

    code: bytes

    @cached_property
    def digest(self) -> bytes:
        """Its hash."""
        return sha256(self.code)

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return code_key(self.digest)

    @cached_property
    def content(self) -> bytes:
        """`ContractCodeEntry`, with what its parsing costs."""
        inputs = ZERO + u32(120) + u32(4) + u32(2) + ZERO + u32(3) + ZERO + ZERO + u32(1) + u32(4) + ZERO
        return u32(1) + ZERO + inputs + self.digest + opaque(self.code)

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        return {"contract_code_hash": self.digest.hex(), "size": len(self.code)}


@dataclass(frozen=True, kw_only=True)
class Ttl(Entry):
    """The last ledger of a contract's entry; `of` is that entry's key."""

    plural = "ttl"

    of: bytes
    live_until: int

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return ttl_key(self.of)

    @cached_property
    def content(self) -> bytes:
        """`TTLEntry`."""
        return self.key[4:] + u32(self.live_until)

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        return {"key_hash": self.key[4:].hex(), "live_until_ledger_seq": self.live_until}


@dataclass(frozen=True, kw_only=True)
class ConfigSetting(Entry):
    """A network setting: its number, and its value as XDR."""

    plural = "config_settings"

    number: int
    value: bytes

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        return config_key(self.number)

    @cached_property
    def content(self) -> bytes:
        """`ConfigSettingEntry`."""
        return i32(self.number) + self.value

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form."""
        return {"config_setting_id": self.number, "value": self.value.hex()}
