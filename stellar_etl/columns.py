"""The columns of each type, by name, in the order and of the types that BigQuery's tables have.

Columns that a load adds to every row (`--extra-fields`) are not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Column:
    """One column, or one field of a record.

    Attributes:
        type: as BigQuery calls it: STRING, INTEGER, FLOAT, NUMERIC, BOOLEAN, TIMESTAMP, BYTES, JSON or RECORD.
        mode: NULLABLE, REQUIRED, or REPEATED, which is a list.
        fields: what a RECORD is made of.
    """

    type: str
    mode: str = "NULLABLE"
    fields: Columns = field(default_factory=dict)


Columns = Mapping[str, Column]

STRING = Column("STRING")
INTEGER = Column("INTEGER")
FLOAT = Column("FLOAT")
NUMERIC = Column("NUMERIC")
BOOLEAN = Column("BOOLEAN")
TIMESTAMP = Column("TIMESTAMP")
BYTES = Column("BYTES")
JSON = Column("JSON")


def required(column: Column) -> Column:
    """The column, never null."""
    return replace(column, mode="REQUIRED")


def repeated(column: Column) -> Column:
    """A list of such values."""
    return replace(column, mode="REPEATED")


def record(fields: Columns) -> Column:
    """A record of these fields."""
    return Column("RECORD", fields=fields)


def records(fields: Columns) -> Column:
    """A list of records of these fields."""
    return Column("RECORD", "REPEATED", fields)


_PRICE = {"d": INTEGER, "n": INTEGER}
_AMOUNT = {"asset": STRING, "amount": NUMERIC}
_PARAMETER = {"type": STRING, "value": STRING}

_CONDITION = {
    "abs_before": STRING,
    "rel_before": INTEGER,
    "unconditional": BOOLEAN,
    "abs_before_epoch": INTEGER,
}
_PREDICATE = _CONDITION | {
    "and": records(
        _CONDITION
        | {
            "not": records(_CONDITION),
            "or": records(_CONDITION | {"or": records(_CONDITION)}),
            "and": records(_CONDITION),
        }
    ),
    "not": records(_CONDITION | {"and": records(_CONDITION), "or": records(_CONDITION), "not": records(_CONDITION)}),
    "or": records(
        _CONDITION
        | {
            "not": records(_CONDITION),
            "or": records(_CONDITION),
            "and": records(_CONDITION | {"not": records(_CONDITION)}),
        }
    ),
}
"""Of a claim's conditions the tables hold those that are nested this deep: a schema can't contain itself."""

_LEDGERS: Columns = {
    "sequence": INTEGER,
    "ledger_hash": STRING,
    "previous_ledger_hash": STRING,
    "transaction_count": INTEGER,
    "operation_count": INTEGER,
    "closed_at": TIMESTAMP,
    "id": INTEGER,
    "total_coins": INTEGER,
    "fee_pool": INTEGER,
    "base_fee": INTEGER,
    "base_reserve": INTEGER,
    "max_tx_set_size": INTEGER,
    "protocol_version": INTEGER,
    "ledger_header": BYTES,
    "successful_transaction_count": INTEGER,
    "failed_transaction_count": INTEGER,
    "tx_set_operation_count": INTEGER,
    "soroban_fee_write_1kb": INTEGER,
    "node_id": STRING,
    "signature": STRING,
    "total_byte_size_of_bucket_list": INTEGER,
    "total_byte_size_of_live_soroban_state": INTEGER,
    "evicted_ledger_keys_type": repeated(STRING),
    "evicted_ledger_keys_hash": repeated(STRING),
}

_TRANSACTIONS: Columns = {
    "id": INTEGER,
    "transaction_hash": STRING,
    "ledger_sequence": INTEGER,
    "account": STRING,
    "account_sequence": INTEGER,
    "max_fee": INTEGER,
    "operation_count": INTEGER,
    "created_at": TIMESTAMP,
    "memo_type": STRING,
    "memo": STRING,
    "time_bounds": STRING,
    "successful": BOOLEAN,
    "fee_charged": INTEGER,
    "inner_transaction_hash": STRING,
    "fee_account": STRING,
    "new_max_fee": INTEGER,
    "account_muxed": STRING,
    "fee_account_muxed": STRING,
    "ledger_bounds": STRING,
    "min_account_sequence": INTEGER,
    "min_account_sequence_age": INTEGER,
    "min_account_sequence_ledger_gap": INTEGER,
    "tx_envelope": STRING,
    "tx_result": STRING,
    "tx_meta": STRING,
    "tx_fee_meta": STRING,
    "extra_signers": repeated(STRING),
    "resource_fee": INTEGER,
    "soroban_resources_instructions": INTEGER,
    "soroban_resources_read_bytes": INTEGER,
    "soroban_resources_write_bytes": INTEGER,
    "closed_at": TIMESTAMP,
    "transaction_result_code": STRING,
    "inclusion_fee_bid": INTEGER,
    "inclusion_fee_charged": INTEGER,
    "resource_fee_refund": INTEGER,
    "non_refundable_resource_fee_charged": INTEGER,
    "refundable_resource_fee_charged": INTEGER,
    "rent_fee_charged": INTEGER,
    "tx_signers": repeated(STRING),
    "soroban_resources_disk_read_bytes": INTEGER,
    "soroban_resources_archived_entries": repeated(INTEGER),
}

_OPERATIONS: Columns = {
    "details": record(
        {
            "account": STRING,
            "account_muxed": STRING,
            "account_muxed_id": STRING,
            "account_id": STRING,
            "amount": FLOAT,
            "asset": STRING,
            "asset_code": STRING,
            "asset_issuer": STRING,
            "asset_id": INTEGER,
            "asset_type": STRING,
            "authorize": BOOLEAN,
            "balance_id": STRING,
            "balance_id_strkey": STRING,
            "buying_asset_code": STRING,
            "buying_asset_issuer": STRING,
            "buying_asset_id": INTEGER,
            "buying_asset_type": STRING,
            "claimable_balance_id": STRING,
            "claimable_balance_id_strkey": STRING,
            "claimant": STRING,
            "claimant_muxed": STRING,
            "claimant_muxed_id": STRING,
            "claimants": records(
                {
                    "destination": STRING,
                    "predicate": records(_PREDICATE),
                }
            ),
            "data_account_id": STRING,
            "data_name": STRING,
            "from": STRING,
            "from_muxed": STRING,
            "from_muxed_id": STRING,
            "funder": STRING,
            "funder_muxed": STRING,
            "funder_muxed_id": STRING,
            "high_threshold": INTEGER,
            "home_domain": STRING,
            "inflation_dest": STRING,
            "into": STRING,
            "into_muxed": STRING,
            "into_muxed_id": STRING,
            "limit": FLOAT,
            "low_threshold": INTEGER,
            "master_key_weight": INTEGER,
            "med_threshold": INTEGER,
            "name": STRING,
            "offer_id": INTEGER,
            "path": records(
                {
                    "asset_code": STRING,
                    "asset_issuer": STRING,
                    "asset_type": STRING,
                }
            ),
            "price": FLOAT,
            "price_r": record(_PRICE),
            "selling_asset_code": STRING,
            "selling_asset_issuer": STRING,
            "selling_asset_id": INTEGER,
            "selling_asset_type": STRING,
            "set_flags": repeated(INTEGER),
            "set_flags_s": repeated(STRING),
            "signer_account_id": STRING,
            "signer_key": STRING,
            "signer_weight": INTEGER,
            "source_amount": FLOAT,
            "source_asset_code": STRING,
            "source_asset_issuer": STRING,
            "source_asset_id": INTEGER,
            "source_asset_type": STRING,
            "source_max": FLOAT,
            "starting_balance": FLOAT,
            "to": STRING,
            "to_muxed": STRING,
            "to_muxed_id": STRING,
            "trustee": STRING,
            "trustee_muxed": STRING,
            "trustee_muxed_id": STRING,
            "trustline_account_id": STRING,
            "trustline_asset": STRING,
            "trustor": STRING,
            "trustor_muxed": STRING,
            "trustor_muxed_id": STRING,
            "value": STRING,
            "clear_flags": repeated(INTEGER),
            "clear_flags_s": repeated(STRING),
            "destination_min": STRING,
            "bump_to": STRING,
            "authorize_to_maintain_liabilities": BOOLEAN,
            "clawback_enabled": BOOLEAN,
            "sponsor": STRING,
            "sponsored_id": STRING,
            "begin_sponsor": STRING,
            "begin_sponsor_muxed": STRING,
            "begin_sponsor_muxed_id": STRING,
            "liquidity_pool_id": STRING,
            "liquidity_pool_id_strkey": STRING,
            "reserve_a_asset_type": STRING,
            "reserve_a_asset_code": STRING,
            "reserve_a_asset_issuer": STRING,
            "reserve_a_asset_id": INTEGER,
            "reserve_a_max_amount": FLOAT,
            "reserve_a_deposit_amount": FLOAT,
            "reserve_b_asset_type": STRING,
            "reserve_b_asset_code": STRING,
            "reserve_b_asset_issuer": STRING,
            "reserve_b_asset_id": INTEGER,
            "reserve_b_max_amount": FLOAT,
            "reserve_b_deposit_amount": FLOAT,
            "min_price": FLOAT,
            "min_price_r": records(_PRICE),
            "max_price": FLOAT,
            "max_price_r": records(_PRICE),
            "shares_received": FLOAT,
            "reserve_a_min_amount": FLOAT,
            "reserve_a_withdraw_amount": FLOAT,
            "reserve_b_min_amount": FLOAT,
            "reserve_b_withdraw_amount": FLOAT,
            "shares": FLOAT,
            "asset_balance_changes": records(
                {
                    "amount": FLOAT,
                    "asset_code": STRING,
                    "asset_issuer": STRING,
                    "asset_type": STRING,
                    "from": STRING,
                    "to": STRING,
                    "type": STRING,
                }
            ),
            "parameters": records(_PARAMETER),
            "parameters_decoded": records(_PARAMETER),
            "function": STRING,
            "address": STRING,
            "type": STRING,
            "extend_to": INTEGER,
            "contract_id": STRING,
            "contract_code_hash": STRING,
            "ledger_key_hash": repeated(STRING),
            "parameters_json": JSON,
            "parameters_json_decoded": JSON,
        }
    ),
    "id": INTEGER,
    "source_account": STRING,
    "source_account_muxed": STRING,
    "transaction_id": INTEGER,
    "type": INTEGER,
    "type_string": STRING,
    "closed_at": TIMESTAMP,
    "operation_result_code": STRING,
    "operation_trace_code": STRING,
    "ledger_sequence": INTEGER,
    "details_json": JSON,
}

_EFFECTS: Columns = {
    "address": STRING,
    "address_muxed": STRING,
    "operation_id": INTEGER,
    "type": INTEGER,
    "type_string": STRING,
    "details": record(
        {
            "liquidity_pool": record(
                {
                    "fee_bp": INTEGER,
                    "id": STRING,
                    "id_strkey": STRING,
                    "total_shares": NUMERIC,
                    "total_trustlines": INTEGER,
                    "type": STRING,
                    "reserves": records(_AMOUNT),
                }
            ),
            "reserves_received": records(_AMOUNT),
            "reserves_deposited": records(_AMOUNT),
            "reserves_revoked": records(
                {
                    "asset": STRING,
                    "amount": NUMERIC,
                    "claimable_balance_id": STRING,
                    "claimable_balance_id_strkey": STRING,
                }
            ),
            "bought": records(_AMOUNT),
            "sold": records(_AMOUNT),
            "shares_revoked": NUMERIC,
            "shares_received": NUMERIC,
            "shares_redeemed": NUMERIC,
            "liquidity_pool_id": STRING,
            "liquidity_pool_id_strkey": STRING,
            "balance_id": STRING,
            "balance_id_strkey": STRING,
            "new_seq": INTEGER,
            "name": STRING,
            "value": STRING,
            "trustor": STRING,
            "limit": NUMERIC,
            "inflation_destination": STRING,
            "authorized_flag": BOOLEAN,
            "auth_immutable_flag": BOOLEAN,
            "authorized_to_maintain_liabilites": BOOLEAN,
            "auth_revocable_flag": BOOLEAN,
            "auth_required_flag": BOOLEAN,
            "auth_clawback_enabled_flag": BOOLEAN,
            "claimable_balance_clawback_enabled_flag": BOOLEAN,
            "clawback_enabled_flag": BOOLEAN,
            "high_threshold": INTEGER,
            "med_threshold": INTEGER,
            "low_threshold": INTEGER,
            "home_domain": STRING,
            "asset_issuer": STRING,
            "asset": STRING,
            "asset_code": STRING,
            "signer": STRING,
            "sponsor": STRING,
            "new_sponsor": STRING,
            "former_sponsor": STRING,
            "weight": INTEGER,
            "public_key": STRING,
            "asset_type": STRING,
            "amount": NUMERIC,
            "starting_balance": NUMERIC,
            "seller": STRING,
            "seller_muxed": STRING,
            "seller_muxed_id": STRING,
            "offer_id": INTEGER,
            "sold_amount": NUMERIC,
            "sold_asset_type": STRING,
            "sold_asset_code": STRING,
            "sold_asset_issuer": STRING,
            "bought_amount": NUMERIC,
            "bought_asset_type": STRING,
            "bought_asset_code": STRING,
            "predicate": records({"type": INTEGER} | _PREDICATE),
            "data_name": STRING,
            "bought_asset_issuer": STRING,
            "entries": repeated(STRING),
            "extend_to": INTEGER,
            "contract": STRING,
            "contract_event_type": STRING,
        }
    ),
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
    "index": INTEGER,
    "id": STRING,
}

_TRADES: Columns = {
    "history_operation_id": INTEGER,
    "order": INTEGER,
    "ledger_closed_at": TIMESTAMP,
    "selling_account_address": STRING,
    "selling_asset_code": STRING,
    "selling_asset_issuer": STRING,
    "selling_asset_type": STRING,
    "selling_asset_id": INTEGER,
    "selling_amount": FLOAT,
    "buying_account_address": STRING,
    "buying_asset_code": STRING,
    "buying_asset_issuer": STRING,
    "buying_asset_type": STRING,
    "buying_asset_id": INTEGER,
    "buying_amount": FLOAT,
    "price_n": INTEGER,
    "price_d": INTEGER,
    "selling_offer_id": INTEGER,
    "buying_offer_id": INTEGER,
    "selling_liquidity_pool_id": STRING,
    "liquidity_pool_fee": INTEGER,
    "trade_type": INTEGER,
    "rounding_slippage": INTEGER,
    "seller_is_exact": BOOLEAN,
    "selling_liquidity_pool_id_strkey": STRING,
}

_ASSETS: Columns = {
    "asset_type": STRING,
    "asset_code": STRING,
    "asset_issuer": STRING,
    "asset_id": INTEGER,
    "ledger_sequence": INTEGER,
    "closed_at": TIMESTAMP,
}

_CONTRACT_EVENTS: Columns = {
    "transaction_hash": STRING,
    "transaction_id": INTEGER,
    "successful": BOOLEAN,
    "in_successful_contract_call": BOOLEAN,
    "contract_id": STRING,
    "type": INTEGER,
    "type_string": STRING,
    "topics": JSON,
    "topics_decoded": JSON,
    "data": JSON,
    "data_decoded": JSON,
    "contract_event_xdr": STRING,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
    "operation_id": INTEGER,
    "event_index": INTEGER,
    "event_source": STRING,
}

_TOKEN_TRANSFERS: Columns = {
    "transaction_hash": required(STRING),
    "transaction_id": required(INTEGER),
    "operation_id": INTEGER,
    "event_topic": required(STRING),
    "from": STRING,
    "to": STRING,
    "asset": required(STRING),
    "asset_type": required(STRING),
    "asset_code": STRING,
    "asset_issuer": STRING,
    "amount": required(FLOAT),
    "amount_raw": required(STRING),
    "contract_id": required(STRING),
    "ledger_sequence": required(INTEGER),
    "closed_at": required(TIMESTAMP),
    "to_muxed": STRING,
    "to_muxed_id": STRING,
    "event_index": INTEGER,
}

_LEDGER_TRANSACTION: Columns = {
    "ledger_sequence": INTEGER,
    "tx_envelope": STRING,
    "tx_result": STRING,
    "tx_meta": STRING,
    "tx_fee_meta": STRING,
    "tx_ledger_history": STRING,
    "closed_at": TIMESTAMP,
}

_COST = {"ExtV": STRING, "ConstTerm": STRING, "LinearTerm": STRING}

_ACCOUNTS: Columns = {
    "account_id": STRING,
    "balance": FLOAT,
    "buying_liabilities": FLOAT,
    "selling_liabilities": FLOAT,
    "sequence_number": INTEGER,
    "num_subentries": INTEGER,
    "inflation_destination": STRING,
    "flags": INTEGER,
    "home_domain": STRING,
    "master_weight": INTEGER,
    "threshold_low": INTEGER,
    "threshold_medium": INTEGER,
    "threshold_high": INTEGER,
    "last_modified_ledger": INTEGER,
    "ledger_entry_change": INTEGER,
    "deleted": BOOLEAN,
    "sponsor": STRING,
    "num_sponsored": INTEGER,
    "num_sponsoring": INTEGER,
    "sequence_ledger": INTEGER,
    "sequence_time": TIMESTAMP,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
}

_SIGNERS: Columns = {
    "account_id": STRING,
    "signer": STRING,
    "weight": FLOAT,
    "sponsor": STRING,
    "last_modified_ledger": INTEGER,
    "ledger_entry_change": INTEGER,
    "deleted": BOOLEAN,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
}

_CLAIMABLE_BALANCES: Columns = {
    "balance_id": STRING,
    "claimants": records({"destination": STRING, "predicate": records(_PREDICATE)}),
    "asset_type": STRING,
    "asset_code": STRING,
    "asset_issuer": STRING,
    "asset_id": INTEGER,
    "asset_amount": FLOAT,
    "sponsor": STRING,
    "flags": INTEGER,
    "last_modified_ledger": INTEGER,
    "ledger_entry_change": INTEGER,
    "deleted": BOOLEAN,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
    "balance_id_strkey": STRING,
}

_OFFERS: Columns = {
    "seller_id": STRING,
    "offer_id": INTEGER,
    "selling_asset_type": STRING,
    "selling_asset_code": STRING,
    "selling_asset_issuer": STRING,
    "selling_asset_id": INTEGER,
    "buying_asset_type": STRING,
    "buying_asset_code": STRING,
    "buying_asset_issuer": STRING,
    "buying_asset_id": INTEGER,
    "amount": FLOAT,
    "pricen": INTEGER,
    "priced": INTEGER,
    "price": FLOAT,
    "flags": INTEGER,
    "last_modified_ledger": INTEGER,
    "ledger_entry_change": INTEGER,
    "deleted": BOOLEAN,
    "sponsor": STRING,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
}

_TRUSTLINES: Columns = {
    "ledger_key": STRING,
    "account_id": STRING,
    "asset_type": STRING,
    "asset_issuer": STRING,
    "asset_code": STRING,
    "asset_id": INTEGER,
    "liquidity_pool_id": STRING,
    "balance": FLOAT,
    "trust_line_limit": INTEGER,
    "buying_liabilities": FLOAT,
    "selling_liabilities": FLOAT,
    "flags": INTEGER,
    "last_modified_ledger": INTEGER,
    "ledger_entry_change": INTEGER,
    "deleted": BOOLEAN,
    "sponsor": STRING,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
    "liquidity_pool_id_strkey": STRING,
}

_LIQUIDITY_POOLS: Columns = {
    "liquidity_pool_id": STRING,
    "type": STRING,
    "fee": INTEGER,
    "trustline_count": INTEGER,
    "pool_share_count": FLOAT,
    "asset_a_type": STRING,
    "asset_a_code": STRING,
    "asset_a_issuer": STRING,
    "asset_a_id": INTEGER,
    "asset_a_amount": FLOAT,
    "asset_b_type": STRING,
    "asset_b_code": STRING,
    "asset_b_issuer": STRING,
    "asset_b_id": INTEGER,
    "asset_b_amount": FLOAT,
    "last_modified_ledger": INTEGER,
    "ledger_entry_change": INTEGER,
    "deleted": BOOLEAN,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
    "liquidity_pool_id_strkey": STRING,
}

_CONTRACT_DATA: Columns = {
    "contract_id": STRING,
    "contract_key_type": STRING,
    "contract_durability": STRING,
    "asset_code": STRING,
    "asset_issuer": STRING,
    "asset_type": STRING,
    "balance_holder": STRING,
    "balance": STRING,
    "last_modified_ledger": INTEGER,
    "ledger_entry_change": INTEGER,
    "deleted": BOOLEAN,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
    "ledger_key_hash": STRING,
    "key": JSON,
    "key_decoded": JSON,
    "val": JSON,
    "val_decoded": JSON,
    "contract_data_xdr": STRING,
    "ledger_key_hash_base_64": STRING,
}

_CONTRACT_CODE: Columns = {
    "contract_code_hash": STRING,
    "contract_code_ext_v": INTEGER,
    "last_modified_ledger": INTEGER,
    "ledger_entry_change": INTEGER,
    "deleted": BOOLEAN,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
    "ledger_key_hash": STRING,
    "n_instructions": INTEGER,
    "n_functions": INTEGER,
    "n_globals": INTEGER,
    "n_table_entries": INTEGER,
    "n_types": INTEGER,
    "n_data_segments": INTEGER,
    "n_elem_segments": INTEGER,
    "n_imports": INTEGER,
    "n_exports": INTEGER,
    "n_data_segment_bytes": INTEGER,
    "ledger_key_hash_base_64": STRING,
}

_CONFIG_SETTINGS: Columns = {
    "config_setting_id": INTEGER,
    "contract_max_size_bytes": INTEGER,
    "ledger_max_instructions": INTEGER,
    "tx_max_instructions": INTEGER,
    "fee_rate_per_instructions_increment": INTEGER,
    "tx_memory_limit": INTEGER,
    "ledger_max_read_ledger_entries": INTEGER,
    "ledger_max_read_bytes": INTEGER,
    "ledger_max_write_ledger_entries": INTEGER,
    "ledger_max_write_bytes": INTEGER,
    "tx_max_read_ledger_entries": INTEGER,
    "tx_max_read_bytes": INTEGER,
    "tx_max_write_ledger_entries": INTEGER,
    "tx_max_write_bytes": INTEGER,
    "fee_read_ledger_entry": INTEGER,
    "fee_write_ledger_entry": INTEGER,
    "fee_read_1kb": INTEGER,
    "bucket_list_target_size_bytes": INTEGER,
    "write_fee_1kb_bucket_list_low": INTEGER,
    "write_fee_1kb_bucket_list_high": INTEGER,
    "bucket_list_write_fee_growth_factor": INTEGER,
    "fee_historical_1kb": INTEGER,
    "tx_max_contract_events_size_bytes": INTEGER,
    "fee_contract_events_1kb": INTEGER,
    "ledger_max_txs_size_bytes": INTEGER,
    "tx_max_size_bytes": INTEGER,
    "fee_tx_size_1kb": INTEGER,
    "contract_cost_params_cpu_insns": records(_COST),
    "contract_cost_params_mem_bytes": records(_COST),
    "contract_data_key_size_bytes": INTEGER,
    "contract_data_entry_size_bytes": INTEGER,
    "max_entry_ttl": INTEGER,
    "min_temporary_ttl": INTEGER,
    "min_persistent_ttl": INTEGER,
    "auto_bump_ledgers": INTEGER,
    "persistent_rent_rate_denominator": INTEGER,
    "temp_rent_rate_denominator": INTEGER,
    "max_entries_to_archive": INTEGER,
    "bucket_list_size_window_sample_size": INTEGER,
    "eviction_scan_size": INTEGER,
    "starting_eviction_scan_level": INTEGER,
    "ledger_max_tx_count": INTEGER,
    "bucket_list_size_window": repeated(INTEGER),
    "last_modified_ledger": INTEGER,
    "ledger_entry_change": INTEGER,
    "deleted": BOOLEAN,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
    "ledger_max_disk_read_entries": INTEGER,
    "ledger_max_disk_read_bytes": INTEGER,
    "tx_max_disk_read_entries": INTEGER,
    "tx_max_disk_read_bytes": INTEGER,
    "fee_disk_read_ledger_entry": INTEGER,
    "fee_write_1kb": INTEGER,
    "fee_disk_read_1kb": INTEGER,
    "soroban_state_target_size_bytes": INTEGER,
    "rent_fee_1kb_soroban_state_size_low": INTEGER,
    "rent_fee_1kb_soroban_state_size_high": INTEGER,
    "soroban_state_rent_fee_growth_factor": INTEGER,
    "live_soroban_state_size_window_sample_size": INTEGER,
    "live_soroban_state_size_window_sample_period": INTEGER,
    "live_soroban_state_size_window": repeated(INTEGER),
    "ledger_max_dependent_tx_clusters": INTEGER,
    "tx_max_footprint_entries": INTEGER,
    "ledger_target_close_time_milliseconds": INTEGER,
    "nomination_timeout_initial_milliseconds": INTEGER,
    "nomination_timeout_increment_milliseconds": INTEGER,
    "ballot_timeout_initial_milliseconds": INTEGER,
    "ballot_timeout_increment_milliseconds": INTEGER,
    "frozen_ledger_keys": repeated(STRING),
    "frozen_ledger_keys_to_freeze": repeated(STRING),
    "frozen_ledger_keys_to_unfreeze": repeated(STRING),
    "freeze_bypass_txs": repeated(STRING),
    "freeze_bypass_txs_to_add": repeated(STRING),
    "freeze_bypass_txs_to_remove": repeated(STRING),
}

_TTL: Columns = {
    "key_hash": STRING,
    "live_until_ledger_seq": INTEGER,
    "last_modified_ledger": INTEGER,
    "ledger_entry_change": INTEGER,
    "deleted": BOOLEAN,
    "closed_at": TIMESTAMP,
    "ledger_sequence": INTEGER,
}

_RESTORED_KEY: Columns = {
    "closed_at": TIMESTAMP,
    "last_modified_ledger": INTEGER,
    "ledger_entry_type": STRING,
    "ledger_key_hash": STRING,
    "ledger_sequence": INTEGER,
}

COLUMNS: Mapping[str, Columns] = {
    "ledgers": _LEDGERS,
    "transactions": _TRANSACTIONS,
    "operations": _OPERATIONS,
    "effects": _EFFECTS,
    "trades": _TRADES,
    "assets": _ASSETS,
    "contract_events": _CONTRACT_EVENTS,
    "token_transfers": _TOKEN_TRANSFERS,
    "ledger_transaction": _LEDGER_TRANSACTION,
    "accounts": _ACCOUNTS,
    "signers": _SIGNERS,
    "claimable_balances": _CLAIMABLE_BALANCES,
    "offers": _OFFERS,
    "trustlines": _TRUSTLINES,
    "liquidity_pools": _LIQUIDITY_POOLS,
    "contract_data": _CONTRACT_DATA,
    "contract_code": _CONTRACT_CODE,
    "config_settings": _CONFIG_SETTINGS,
    "ttl": _TTL,
    "restored_key": _RESTORED_KEY,
}
"""For each type the columns of its table; `ledger_transaction` is loaded into none."""
