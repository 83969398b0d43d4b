"""Rows of `config_settings`: one per setting of smart contracts that a ledger changed.

A row has one setting, of the kind in `config_setting_id`: the columns of other kinds are 0 or empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from stellar_etl.ledgers.changes import Change
from stellar_etl.ledgers.ledger import Ledger, base64
from stellar_etl.schema_files import read_columns
from stellar_etl.transforms.shared.entries import change_columns, of_type
from stellar_etl.xdr import names

ENTRY_TYPE = names.CONFIG_SETTING

items = of_type(ENTRY_TYPE)


def row(ledger: Ledger, change: Change) -> dict[str, Any]:
    """One setting's row."""
    id_, setting = change.entry["data"][1]
    return {
        **_empty(),
        "config_setting_id": id_,
        **(_COLUMNS[id_](setting) if id_ in _COLUMNS else {}),
        **change_columns(ledger, change.kind, change.entry),
    }


Make = Callable[[Any], dict[str, Any]]


def _single(column: str) -> Make:
    return lambda setting: {column: setting}


def _fields(*columns: tuple[str, str]) -> Make:
    """Columns of a setting's fields; some fields have two columns, because protocol 23 renamed them."""
    return lambda setting: {column: setting[field] for column, field in columns}


def _costs(column: str) -> Make:
    def make(setting: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            column: [
                {
                    "ExtV": str(cost["ext"][0]),
                    "ConstTerm": str(cost["constTerm"]),
                    "LinearTerm": str(cost["linearTerm"]),
                }
                for cost in setting
            ]
        }

    return make


def _window(sizes: list[int]) -> dict[str, Any]:
    return {"bucket_list_size_window": sizes, "live_soroban_state_size_window": sizes}


def _keys(keys: Iterable[bytes]) -> list[str]:
    return [base64(key) for key in keys]


def _hashes(hashes: Iterable[bytes]) -> list[str]:
    return [hash_.hex() for hash_ in hashes]


_COLUMNS: dict[int, Make] = {
    names.CONFIG_SETTING_CONTRACT_MAX_SIZE_BYTES: _single("contract_max_size_bytes"),
    names.CONFIG_SETTING_CONTRACT_COMPUTE_V0: _fields(
        ("ledger_max_instructions", "ledgerMaxInstructions"),
        ("tx_max_instructions", "txMaxInstructions"),
        ("fee_rate_per_instructions_increment", "feeRatePerInstructionsIncrement"),
        ("tx_memory_limit", "txMemoryLimit"),
    ),
    names.CONFIG_SETTING_CONTRACT_LEDGER_COST_V0: _fields(
        ("ledger_max_read_ledger_entries", "ledgerMaxDiskReadEntries"),
        ("ledger_max_disk_read_entries", "ledgerMaxDiskReadEntries"),
        ("ledger_max_read_bytes", "ledgerMaxDiskReadBytes"),
        ("ledger_max_disk_read_bytes", "ledgerMaxDiskReadBytes"),
        ("ledger_max_write_ledger_entries", "ledgerMaxWriteLedgerEntries"),
        ("ledger_max_write_bytes", "ledgerMaxWriteBytes"),
        ("tx_max_read_ledger_entries", "txMaxDiskReadEntries"),
        ("tx_max_disk_read_entries", "txMaxDiskReadEntries"),
        ("tx_max_read_bytes", "txMaxDiskReadBytes"),
        ("tx_max_disk_read_bytes", "txMaxDiskReadBytes"),
        ("tx_max_write_ledger_entries", "txMaxWriteLedgerEntries"),
        ("tx_max_write_bytes", "txMaxWriteBytes"),
        ("fee_read_ledger_entry", "feeDiskReadLedgerEntry"),
        ("fee_disk_read_ledger_entry", "feeDiskReadLedgerEntry"),
        ("fee_write_ledger_entry", "feeWriteLedgerEntry"),
        ("fee_read_1kb", "feeDiskRead1KB"),
        ("fee_disk_read_1kb", "feeDiskRead1KB"),
        ("bucket_list_target_size_bytes", "sorobanStateTargetSizeBytes"),
        ("soroban_state_target_size_bytes", "sorobanStateTargetSizeBytes"),
        ("write_fee_1kb_bucket_list_low", "rentFee1KBSorobanStateSizeLow"),
        ("rent_fee_1kb_soroban_state_size_low", "rentFee1KBSorobanStateSizeLow"),
        ("write_fee_1kb_bucket_list_high", "rentFee1KBSorobanStateSizeHigh"),
        ("rent_fee_1kb_soroban_state_size_high", "rentFee1KBSorobanStateSizeHigh"),
        ("bucket_list_write_fee_growth_factor", "sorobanStateRentFeeGrowthFactor"),
        ("soroban_state_rent_fee_growth_factor", "sorobanStateRentFeeGrowthFactor"),
    ),
    names.CONFIG_SETTING_CONTRACT_HISTORICAL_DATA_V0: _fields(("fee_historical_1kb", "feeHistorical1KB")),
    names.CONFIG_SETTING_CONTRACT_EVENTS_V0: _fields(
        ("tx_max_contract_events_size_bytes", "txMaxContractEventsSizeBytes"),
        ("fee_contract_events_1kb", "feeContractEvents1KB"),
    ),
    names.CONFIG_SETTING_CONTRACT_BANDWIDTH_V0: _fields(
        ("ledger_max_txs_size_bytes", "ledgerMaxTxsSizeBytes"),
        ("tx_max_size_bytes", "txMaxSizeBytes"),
        ("fee_tx_size_1kb", "feeTxSize1KB"),
    ),
    names.CONFIG_SETTING_CONTRACT_COST_PARAMS_CPU_INSTRUCTIONS: _costs("contract_cost_params_cpu_insns"),
    names.CONFIG_SETTING_CONTRACT_COST_PARAMS_MEMORY_BYTES: _costs("contract_cost_params_mem_bytes"),
    names.CONFIG_SETTING_CONTRACT_DATA_KEY_SIZE_BYTES: _single("contract_data_key_size_bytes"),
    names.CONFIG_SETTING_CONTRACT_DATA_ENTRY_SIZE_BYTES: _single("contract_data_entry_size_bytes"),
    names.CONFIG_SETTING_STATE_ARCHIVAL: _fields(
        ("max_entry_ttl", "maxEntryTTL"),
        ("min_temporary_ttl", "minTemporaryTTL"),
        ("min_persistent_ttl", "minPersistentTTL"),
        ("persistent_rent_rate_denominator", "persistentRentRateDenominator"),
        ("temp_rent_rate_denominator", "tempRentRateDenominator"),
        ("max_entries_to_archive", "maxEntriesToArchive"),
        ("bucket_list_size_window_sample_size", "liveSorobanStateSizeWindowSampleSize"),
        ("live_soroban_state_size_window_sample_size", "liveSorobanStateSizeWindowSampleSize"),
        ("live_soroban_state_size_window_sample_period", "liveSorobanStateSizeWindowSamplePeriod"),
        ("eviction_scan_size", "evictionScanSize"),
        ("starting_eviction_scan_level", "startingEvictionScanLevel"),
    ),
    names.CONFIG_SETTING_CONTRACT_EXECUTION_LANES: _fields(("ledger_max_tx_count", "ledgerMaxTxCount")),
    names.CONFIG_SETTING_LIVE_SOROBAN_STATE_SIZE_WINDOW: _window,
    names.CONFIG_SETTING_CONTRACT_PARALLEL_COMPUTE_V0: _fields(
        ("ledger_max_dependent_tx_clusters", "ledgerMaxDependentTxClusters")
    ),
    names.CONFIG_SETTING_CONTRACT_LEDGER_COST_EXT_V0: _fields(
        ("tx_max_footprint_entries", "txMaxFootprintEntries"),
        ("fee_write_1kb", "feeWrite1KB"),
    ),
    names.CONFIG_SETTING_SCP_TIMING: _fields(
        ("ledger_target_close_time_milliseconds", "ledgerTargetCloseTimeMilliseconds"),
        ("nomination_timeout_initial_milliseconds", "nominationTimeoutInitialMilliseconds"),
        ("nomination_timeout_increment_milliseconds", "nominationTimeoutIncrementMilliseconds"),
        ("ballot_timeout_initial_milliseconds", "ballotTimeoutInitialMilliseconds"),
        ("ballot_timeout_increment_milliseconds", "ballotTimeoutIncrementMilliseconds"),
    ),
    names.CONFIG_SETTING_FROZEN_LEDGER_KEYS: lambda setting: {"frozen_ledger_keys": _keys(setting["keys"])},
    names.CONFIG_SETTING_FROZEN_LEDGER_KEYS_DELTA: lambda setting: {
        "frozen_ledger_keys_to_freeze": _keys(setting["keysToFreeze"]),
        "frozen_ledger_keys_to_unfreeze": _keys(setting["keysToUnfreeze"]),
    },
    names.CONFIG_SETTING_FREEZE_BYPASS_TXS: lambda setting: {"freeze_bypass_txs": _hashes(setting["txHashes"])},
    names.CONFIG_SETTING_FREEZE_BYPASS_TXS_DELTA: lambda setting: {
        "freeze_bypass_txs_to_add": _hashes(setting["addTxs"]),
        "freeze_bypass_txs_to_remove": _hashes(setting["removeTxs"]),
    },
}
"""The columns of each kind of setting; the eviction iterator has none."""


@cache
def _empty() -> dict[str, Any]:
    """A row without a setting."""
    return {name: [] if column.mode == "REPEATED" else 0 for name, column in read_columns("config_settings").items()}
