"""The columns of each history type, by name, in the order and of the types that BigQuery's tables have.

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
}
"""For each history type the columns of its table; `ledger_transaction` is loaded into none."""
