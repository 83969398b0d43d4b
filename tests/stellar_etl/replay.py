"""Ledger entry changes, computed independently by the SDK's own decoder, step by step."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from stellar_sdk import Asset, SignerKey, StrKey, xdr

from stellar_etl.schema_files import read_columns
from tests.stellar_etl.made import ledger_key
from tests.stellar_etl.program import Row

Id = Any
"""The key of a type's rows."""

NONCE = xdr.SCValType.SCV_LEDGER_KEY_NONCE
IDS = {
    "accounts": "account_id",
    "trustlines": "ledger_key",
    "offers": "offer_id",
    "claimable_balances": "balance_id",
    "liquidity_pools": "liquidity_pool_id",
    "contract_data": "ledger_key_hash_base_64",
    "contract_code": "contract_code_hash",
    "config_settings": "config_setting_id",
    "ttl": "key_hash",
}
"""The column that identifies a row; signers have two."""


@dataclass
class Touched:
    """The effect of a ledger on one entry.

    Attributes:
        key: its ledger key.
        before: its state before the ledger, None if it did not exist or is unknown.
        after: its state after, None if it was removed.
        made: whether the ledger created it.
        restored: whether it was restored from the archive.
        evicted: whether it was evicted, and no other change has its state.
    """

    key: xdr.LedgerKey
    before: xdr.LedgerEntry | None
    after: xdr.LedgerEntry | None
    made: bool = False
    restored: bool = False
    evicted: bool = False

    @property
    def kind(self) -> int:
        if self.after is None:
            return 2
        return 0 if self.made else 4 if self.restored else 1


@dataclass
class Replay:
    """The entries of a network, from its ledgers.

    Attributes:
        known: the last state of each entry, by ledger key.
        contradictions: recorded states that differ from the last known one.
        header: the last ledger's.
    """

    known: dict[bytes, xdr.LedgerEntry | None] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    header: Any = None

    def ledger(self, data: bytes) -> list[Touched]:
        """Read one ledger; return its changes, without entries that it created and removed again."""
        meta = xdr.LedgerCloseMeta.from_xdr_bytes(data)
        close: Any = meta.v0 or meta.v1 or meta.v2
        self.header = close.ledger_header.header
        sequence = self.header.ledger_seq.uint32
        touched: dict[bytes, Touched] = {}
        for changes in in_order(close):
            state = None
            for change in changes.ledger_entry_changes:
                if change.state is not None:
                    state = change.state
                    continue
                entry = change.created or change.updated or change.restored
                key = change.removed or ledger_key(entry)
                self.check_state(sequence, key, state, entry)
                self.step(touched, key, change, state, entry)
                state = None
        for key in getattr(close, "evicted_keys", []):
            raw = key.to_xdr_bytes()
            touched.setdefault(raw, Touched(key, None, None, evicted=True)).after = None
            self.known[raw] = None
        return [one for one in touched.values() if one.after or not one.made]

    def step(self, touched: dict[bytes, Touched], key: Any, change: Any, state: Any, entry: Any) -> None:
        raw = key.to_xdr_bytes()
        one = touched.get(raw)
        if one is None:
            one = touched[raw] = Touched(key, state, entry, made=change.created is not None)
        elif one.after is None and one.made:
            one.made = change.created is not None
        if change.restored is not None:
            one.restored = True
        elif change.removed is not None:
            one.restored = False
            one.before = one.before or state
        if entry is not None and entry.data.ttl is not None and one.after is not None:
            # Of extensions by parallel transactions, the longest counts.
            entry = max(entry, one.after, key=lambda it: it.data.ttl.live_until_ledger_seq.uint32)
        one.after = entry
        self.known[raw] = entry

    def check_state(self, sequence: int, key: Any, state: Any, entry: Any) -> None:
        """Check that a recorded state is the last known one; times to live are the exception above."""
        raw = key.to_xdr_bytes()
        if state is not None and raw in self.known and key.ttl is None and state != self.known[raw]:
            self.contradictions.append(f"ledger {sequence}: {b64encode(raw).decode()}")


def in_order(close: Any) -> Iterator[xdr.LedgerEntryChanges]:
    """Yield all changes of a ledger except evictions."""
    outcomes = close.tx_processing
    for outcome in outcomes:
        yield outcome.fee_processing
    for outcome in outcomes:
        meta = outcome.tx_apply_processing
        body = meta.v4 or meta.v3 or meta.v2 or meta.v1
        yield body.tx_changes_before if meta.v > 1 else body.tx_changes
        yield from (operation.changes for operation in body.operations)
        if meta.v > 1:
            yield body.tx_changes_after
    for outcome in outcomes:
        if hasattr(outcome, "post_tx_apply_fee_processing"):
            yield outcome.post_tx_apply_fee_processing
    for upgrade in close.upgrades_processing:
        yield upgrade.changes


def is_exported(key: xdr.LedgerKey) -> bool:
    """Return whether there is a table for an entry: data entries and nonces have none."""
    return key.data is None and (key.contract_data is None or key.contract_data.key.type != NONCE)


def base64(thing: Any) -> str:
    return b64encode(thing.to_xdr_bytes()).decode()


def address(account: Any) -> str:
    return StrKey.encode_ed25519_public_key(account.account_id.ed25519.uint256)


def sponsor(descriptor: Any) -> str | None:
    return descriptor and descriptor.sponsorship_descriptor and address(descriptor.sponsorship_descriptor)


def asset_values(asset: Any, prefix: str) -> Row:
    known = Asset.from_xdr_object(asset)
    return {
        f"{prefix}type": known.type,
        f"{prefix}code": "" if known.is_native() else known.code,
        f"{prefix}issuer": known.issuer or "",
    }


def units(stroops: xdr.Int64) -> float:
    return stroops.int64 / 10**7


def promised(ext: Any) -> Row:
    liabilities = ext.v1 and ext.v1.liabilities
    return {
        "buying_liabilities": units(liabilities.buying) if liabilities else 0,
        "selling_liabilities": units(liabilities.selling) if liabilities else 0,
    }


def identity(key: xdr.LedgerKey) -> tuple[str, Id]:
    """Return the type and the id of an entry's row."""
    if key.account is not None:
        return "accounts", address(key.account.account_id)
    if key.trust_line is not None:
        return "trustlines", base64(key)
    if key.offer is not None:
        return "offers", key.offer.offer_id.int64
    if key.claimable_balance is not None:
        return "claimable_balances", key.claimable_balance.balance_id.to_xdr_bytes().hex()
    if key.liquidity_pool is not None:
        return "liquidity_pools", key.liquidity_pool.liquidity_pool_id.pool_id.hash.hex()
    if key.contract_data is not None:
        return "contract_data", base64(key)
    if key.contract_code is not None:
        return "contract_code", key.contract_code.hash.hash.hex()
    if key.config_setting is not None:
        return "config_settings", key.config_setting.config_setting_id.value
    assert key.ttl is not None
    return "ttl", key.ttl.key_hash.hash.hex()


def values(entry: xdr.LedgerEntry) -> Row:
    """Return the expected values of an entry's row: its complete content as far as there are columns."""
    data: Any = entry.data
    common = {"last_modified_ledger": entry.last_modified_ledger_seq.uint32}
    paid_by = {"sponsor": sponsor(entry.ext.v1.sponsoring_id) if entry.ext.v1 else None}
    if data.account is not None:
        return common | paid_by | account_values(data.account)
    if data.trust_line is not None:
        line = data.trust_line
        pool = line.asset.liquidity_pool_id
        return (
            common
            | paid_by
            | promised(line.ext)
            | {
                "account_id": address(line.account_id),
                "balance": units(line.balance),
                "trust_line_limit": line.limit.int64,
                "flags": line.flags.uint32,
                "liquidity_pool_id": pool.pool_id.hash.hex() if pool else "",
                "liquidity_pool_id_strkey": StrKey.encode_liquidity_pool(pool.pool_id.hash) if pool else "",
            }
            | ({"asset_type": "pool_share"} if pool else asset_values(line.asset, "asset_"))
        )
    if data.offer is not None:
        offer = data.offer
        return (
            common
            | paid_by
            | asset_values(offer.selling, "selling_asset_")
            | asset_values(offer.buying, "buying_asset_")
            | {
                "seller_id": address(offer.seller_id),
                "amount": units(offer.amount),
                "pricen": offer.price.n.int32,
                "priced": offer.price.d.int32,
                "price": offer.price.n.int32 / offer.price.d.int32,
                "flags": offer.flags.uint32,
            }
        )
    if data.claimable_balance is not None:
        balance = data.claimable_balance
        return (
            common
            | paid_by
            | asset_values(balance.asset, "asset_")
            | {
                "balance_id_strkey": StrKey.encode_claimable_balance(b"\0" + balance.balance_id.v0.hash),
                "asset_amount": units(balance.amount),
                "flags": balance.ext.v1.flags.uint32 if balance.ext.v1 else 0,
            }
        )
    if data.liquidity_pool is not None:
        pool = data.liquidity_pool.body.constant_product
        return (
            common
            | asset_values(pool.params.asset_a, "asset_a_")
            | asset_values(pool.params.asset_b, "asset_b_")
            | {
                "fee": pool.params.fee.int32,
                "asset_a_amount": units(pool.reserve_a),
                "asset_b_amount": units(pool.reserve_b),
                "pool_share_count": units(pool.total_pool_shares),
                "trustline_count": pool.pool_shares_trust_line_count.int64,
            }
        )
    if data.contract_data is not None:
        contract = data.contract_data
        return common | {
            "contract_id": StrKey.encode_contract(contract.contract.contract_id.contract_id.hash),
            "contract_data_xdr": base64(contract),
            "ledger_key_hash": sha256(ledger_key(entry).to_xdr_bytes()).hexdigest(),
            "key": base64(contract.key),
            "key_decoded": contract.key.to_json_dict(),
            "val": base64(contract.val),
            "val_decoded": contract.val.to_json_dict(),
        }
    if data.contract_code is not None:
        code = data.contract_code
        costs = code.ext.v1 and code.ext.v1.cost_inputs
        return common | {
            "contract_code_ext_v": code.ext.v,
            "n_instructions": costs.n_instructions.uint32 if costs else 0,
            "n_data_segment_bytes": costs.n_data_segment_bytes.uint32 if costs else 0,
            "ledger_key_hash_base_64": base64(ledger_key(entry)),
        }
    if data.config_setting is not None:
        return common | setting_values(data.config_setting)
    assert data.ttl is not None
    return common | {"live_until_ledger_seq": data.ttl.live_until_ledger_seq.uint32}


def plain(name: str) -> str:
    return name.replace("_", "").lower()


SETTINGS = {plain(column): column for column in read_columns("config_settings")}
RENAMED = {
    "bucket_list_size_window": "live_soroban_state_size_window",
    "bucket_list_size_window_sample_size": "live_soroban_state_size_window_sample_size",
    "bucket_list_target_size_bytes": "soroban_state_target_size_bytes",
    "bucket_list_write_fee_growth_factor": "soroban_state_rent_fee_growth_factor",
    "fee_read_1kb": "fee_disk_read_1kb",
    "fee_read_ledger_entry": "fee_disk_read_ledger_entry",
    "ledger_max_read_bytes": "ledger_max_disk_read_bytes",
    "ledger_max_read_ledger_entries": "ledger_max_disk_read_entries",
    "tx_max_read_bytes": "tx_max_disk_read_bytes",
    "tx_max_read_ledger_entries": "tx_max_disk_read_entries",
    "write_fee_1kb_bucket_list_high": "rent_fee_1kb_soroban_state_size_high",
    "write_fee_1kb_bucket_list_low": "rent_fee_1kb_soroban_state_size_low",
}
"""Columns with the names that their fields had before protocol 23."""
LISTS = {
    "keys": ("frozen_ledger_keys", lambda key: b64encode(key.encoded_ledger_key).decode()),
    "keys_to_freeze": ("frozen_ledger_keys_to_freeze", lambda key: b64encode(key.encoded_ledger_key).decode()),
    "keys_to_unfreeze": ("frozen_ledger_keys_to_unfreeze", lambda key: b64encode(key.encoded_ledger_key).decode()),
    "tx_hashes": ("freeze_bypass_txs", lambda hash_: hash_.hash.hex()),
    "add_txs": ("freeze_bypass_txs_to_add", lambda hash_: hash_.hash.hex()),
    "remove_txs": ("freeze_bypass_txs_to_remove", lambda hash_: hash_.hash.hex()),
}


def setting_values(setting: xdr.ConfigSettingEntry) -> Row:
    """Return a setting's columns, found by the names of its fields; all others are 0 or empty."""
    row: Row = {
        column: [] if kind.mode == "REPEATED" else 0
        for column, kind in read_columns("config_settings").items()
        if column not in ("closed_at", "ledger_sequence", "ledger_entry_change", "deleted", "last_modified_ledger")
    }
    row["config_setting_id"] = setting.config_setting_id.value
    ((name, value),) = (
        (name, value) for name, value in vars(setting).items() if name != "config_setting_id" and value is not None
    )
    if isinstance(value, xdr.ContractCostParams):
        row[name] = [
            {
                "ExtV": str(cost.ext.v),
                "ConstTerm": str(cost.const_term.int64),
                "LinearTerm": str(cost.linear_term.int64),
            }
            for cost in value.contract_cost_params
        ]
    elif isinstance(value, list):
        row[name] = [size.uint64 for size in value]
    elif isinstance(value, xdr.Uint32):
        row[name] = value.uint32
    elif not isinstance(value, xdr.EvictionIterator):
        for field_, number in vars(value).items():
            if field_ in LISTS:
                column, text = LISTS[field_]
                row[column] = [text(one) for one in number]
            else:
                row[SETTINGS[plain(field_)]] = number.uint32 if isinstance(number, xdr.Uint32) else number.int64
    return row | {old: row[new] for old, new in RENAMED.items()}


def account_values(account: xdr.AccountEntry) -> Row:
    v2 = account.ext.v1 and account.ext.v1.ext.v2
    v3 = v2 and v2.ext.v3
    master, low, medium, high = account.thresholds.thresholds
    return promised(account.ext) | {
        "balance": units(account.balance),
        "sequence_number": account.seq_num.sequence_number.int64,
        "sequence_ledger": v3.seq_ledger.uint32 if v3 else 0,
        "sequence_time": v3.seq_time.time_point.uint64 if v3 else 0,
        "num_subentries": account.num_sub_entries.uint32,
        "inflation_destination": address(account.inflation_dest) if account.inflation_dest else "",
        "flags": account.flags.uint32,
        "home_domain": account.home_domain.string32.decode(),
        "master_weight": master,
        "threshold_low": low,
        "threshold_medium": medium,
        "threshold_high": high,
        "num_sponsored": v2.num_sponsored.uint32 if v2 else 0,
        "num_sponsoring": v2.num_sponsoring.uint32 if v2 else 0,
    }


def signers(entry: xdr.LedgerEntry | None) -> dict[str, Row]:
    """Return the signers of an account, by key."""
    if entry is None:
        return {}
    account: Any = entry.data.account
    v2 = account.ext.v1 and account.ext.v1.ext.v2
    sponsors = [sponsor(one) for one in v2.signer_sponsoring_i_ds] if v2 else [None] * len(account.signers)
    found: dict[str, Row] = {}
    if account.thresholds.thresholds[0]:
        found[address(account.account_id)] = {"weight": account.thresholds.thresholds[0], "sponsor": None}
    for signer, by in zip(account.signers, sponsors, strict=True):
        key = SignerKey.from_xdr_object(signer.key).encoded_signer_key
        found[key] = {"weight": signer.weight.uint32, "sponsor": by}
    return found


def expected(touched: Sequence[Touched]) -> dict[str, dict[Id, Row]]:
    """Return the rows of one ledger, by type and id: the columns that `values` computes."""
    found: dict[str, dict[Id, Row]] = {type_: {} for type_ in (*IDS, "signers", "restored_key")}
    for one in touched:
        if one.kind == 4:
            found["restored_key"][base64(one.key)] = {"ledger_entry_type": f"LedgerEntryType{camel(one.key)}"}
        if not is_exported(one.key):
            continue
        type_, id_ = identity(one.key)
        shown = one.after or one.before
        row = {"last_modified_ledger": None} if shown is None else values(shown)
        found[type_][id_] = row | {"ledger_entry_change": one.kind, "deleted": one.after is None}
        if type_ == "accounts":
            found["signers"] |= {(id_, key): row for key, row in signer_rows(one).items()}
    return found


def camel(key: xdr.LedgerKey) -> str:
    return "".join(part.capitalize() for part in key.type.name.split("_"))


def signer_rows(one: Touched) -> dict[str, Row]:
    before, after = signers(one.before), signers(one.after)
    if before == after:
        return {}
    gone = {
        key: row | {"ledger_entry_change": 2, "deleted": True} | ({"weight": 0} if one.after else {})
        for key, row in before.items()
        if key not in after
    }
    return gone | {key: row | {"ledger_entry_change": one.kind, "deleted": False} for key, row in after.items()}


def id_of(type_: str, row: Row) -> Id:
    if type_ == "signers":
        return row["account_id"], row["signer"]
    return row["ledger_key_hash"] if type_ == "restored_key" else row[IDS[type_]]


def by_id(type_: str, rows: Sequence[Row]) -> dict[Id, Row]:
    """Return rows of one ledger by their id, which is unique."""
    found = {id_of(type_, row): row for row in rows}
    assert len(found) == len(rows), type_
    return found


def compare(rows: dict[Id, Row], wanted: dict[Id, Row], place: str) -> None:
    """Compare rows with the expected ones."""
    assert rows.keys() == wanted.keys(), f"{place}: {sorted(map(str, rows.keys() ^ wanted.keys()))[:4]}"
    for id_, row in rows.items():
        shown = {column: row[column] for column in wanted[id_]}
        assert shown == wanted[id_], f"{place}, {id_}"


def lumens(entry: xdr.LedgerEntry | None, native_contract: str) -> int:
    """Return the stroops of an entry; a contract's are in the balances of the lumens' own contract."""
    if entry is None:
        return 0
    data: Any = entry.data
    if data.account is not None:
        return data.account.balance.int64
    if data.claimable_balance is not None:
        return data.claimable_balance.amount.int64 if is_native(data.claimable_balance.asset) else 0
    if data.liquidity_pool is not None:
        pool = data.liquidity_pool.body.constant_product
        return pool.reserve_a.int64 if is_native(pool.params.asset_a) else 0
    contract = data.contract_data and data.contract_data.contract.contract_id
    if contract and StrKey.encode_contract(contract.contract_id.hash) == native_contract:
        value = data.contract_data.val.map
        amounts = [it.val.i128 for it in value.sc_map if it.key.sym.sc_symbol == b"amount"] if value else []
        return sum((amount.hi.int64 << 64) + amount.lo.uint64 for amount in amounts)
    return 0


def gained(touched: Sequence[Touched], passphrase: str) -> int:
    """Return how many stroops a ledger adds outside the fee pool."""
    contract = Asset.native().contract_id(passphrase)
    return sum(lumens(one.after, contract) - lumens(one.before, contract) for one in touched)


def is_native(asset: xdr.Asset) -> bool:
    return asset.type == xdr.AssetType.ASSET_TYPE_NATIVE
