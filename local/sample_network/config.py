"""The network's settings, as entries and as upgrades (CAP-46-09)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from local.sample_network.encode import ZERO, array, boolean, i64, u32, u64
from local.sample_network.entries import ConfigSetting, ContractData, config_key, contract_data_key
from local.sample_network.keys import sha256
from local.sample_network.run import Chain
from local.sample_network.scval import of_bytes
from local.sample_network.state import State

MIN_PERSISTENT_TTL = 24
MIN_TEMPORARY_TTL = 8
"""Ledgers. Far below the public network's, so that a short lake shows how entries expire."""

MAX_TTL = 3_110_400
FEE_WRITE_1KB = 3_500

EXECUTION_LANES = 11
EVENTS = 4


def _cost_parameters(count: int, constant: int) -> bytes:
    return array(ZERO + i64(constant + 17 * number) + i64(number % 5) for number in range(count))


def _archival() -> bytes:
    lives = u32(MAX_TTL) + u32(MIN_TEMPORARY_TTL) + u32(MIN_PERSISTENT_TTL)
    return lives + i64(1402) + i64(2804) + u32(100) + u32(30) + u32(64) + u32(100_000) + u32(7)


def _ledger_cost() -> bytes:
    limits = (500, 14_372_000, 250, 143_096, 100, 200_000, 50, 132_096)
    fees = (6_250, 10_000, 1_786, 3_000_000_000, -17_000, 10_000)
    return b"".join(map(u32, limits)) + b"".join(map(i64, fees)) + u32(5_000)


_VALUES = (
    u32(65_536),  # contract size
    i64(500_000_000) + i64(100_000_000) + i64(25) + u32(41_943_040),  # computing
    _ledger_cost(),
    i64(16_235),  # history
    u32(16_384) + i64(10_000),  # events
    u32(133_120) + u32(132_096) + i64(1_624),  # bandwidth
    _cost_parameters(70, 4),
    _cost_parameters(70, 16),
    u32(250),  # data key size
    u32(65_536),  # data entry size
    _archival(),
    u32(100),  # execution lanes
    array(u64(0) for _ in range(30)),  # live state size
    u32(7) + boolean(True) + u64(0),  # eviction iterator
    u32(8),  # clusters that depend on each other
    u32(100) + i64(FEE_WRITE_1KB),
    b"".join(map(u32, (5000, 1000, 1000, 1000, 1000))),  # consensus timing
)

SETTINGS = tuple(ConfigSetting(number=number, value=value) for number, value in enumerate(_VALUES))
"""All settings of protocol 25."""


@dataclass(frozen=True)
class Upgrade:
    """A change of the network's rules: its type, and its new value as XDR."""

    kind: int
    value: bytes

    @property
    def xdr(self) -> bytes:
        """`LedgerUpgrade`."""
        return u32(self.kind) + self.value

    def apply(self, state: State, chain: Chain) -> bytes:
        """Apply it; return `UpgradeEntryMeta`."""
        with state.attempt() as attempt:
            number = int.from_bytes(self.value[:4], "big")
            if self.kind == 1:
                chain.protocol = number
                # A network that starts at this protocol has its settings from its first upgrade.
                for setting in SETTINGS:
                    if setting.key not in state.entries:
                        state.put(setting)
            elif self.kind == 2:
                chain.base_fee = number
            elif self.kind == 3:
                chain.max_tx_set_size = number
            elif self.kind == 7:
                _set(state, ConfigSetting(number=EXECUTION_LANES, value=self.value))
            else:
                self._configure(state)
            changes = state.changes(attempt)
        return self.xdr + changes

    def _configure(self, state: State) -> None:
        key = contract_data_key(self.value[:32], of_bytes(self.value[32:]), persistent=False)
        proposed = state.get(ContractData, key)
        assert proposed is not None
        assert proposed.value == of_bytes(EVENTS_PROPOSAL)
        _set(state, SMALLER_EVENTS)


def _set(state: State, setting: ConfigSetting) -> None:
    known = state.get(ConfigSetting, config_key(setting.number))
    assert known is not None
    state.put(replace(known, value=setting.value))


def protocol(number: int) -> Upgrade:
    """To a protocol version."""
    return Upgrade(1, u32(number))


def base_fee(stroops: int) -> Upgrade:
    """To another fee for an operation."""
    return Upgrade(2, u32(stroops))


def max_tx_set_size(operations: int) -> Upgrade:
    """To another number of operations a ledger."""
    return Upgrade(3, u32(operations))


def max_soroban_tx_set_size(transactions: int) -> Upgrade:
    """To another number of contract calls a ledger."""
    return Upgrade(7, u32(transactions))


SMALLER_EVENTS = ConfigSetting(number=EVENTS, value=u32(8_198) + i64(10_000))
EVENTS_PROPOSAL = array([SMALLER_EVENTS.content])
"""`ConfigUpgradeSet`: the one proposal that this network knows."""


def settings(contract: bytes) -> Upgrade:
    """To the settings that were proposed in a contract's temporary data."""
    return Upgrade(6, contract + sha256(EVENTS_PROPOSAL))
