"""Rows of `history_effects`: what each operation of a successful transaction did to whom.

Each type of operation has a function that gives its own effects; what the ledger entry changes tell of sponsorships
and liquidity pools follows, for all types alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from stellar_etl.ledgers.ledger import Ledger, Operation, Transaction, base64
from stellar_etl.transforms import contract_values, operations, soroban
from stellar_etl.transforms.operations import predicate
from stellar_etl.transforms.values import (
    account_details,
    account_id,
    amount_text,
    asset_canonical,
    asset_details,
    muxed,
    pool_details,
    signer_key,
    text,
)
from stellar_etl.xdr import names

Details = dict[str, Any]
# A `MuxedAccount`, or an `AccountID`: an account that isn't muxed looks the same.
Account = tuple[int, Any]
# Whom it befell, its type, its details.
Made = tuple[Account, str, Details]

TYPES = {
    "account_created": 0,
    "account_removed": 1,
    "account_credited": 2,
    "account_debited": 3,
    "account_thresholds_updated": 4,
    "account_home_domain_updated": 5,
    "account_flags_updated": 6,
    "account_inflation_destination_updated": 7,
    "signer_created": 10,
    "signer_removed": 11,
    "signer_updated": 12,
    "trustline_created": 20,
    "trustline_removed": 21,
    "trustline_updated": 22,
    "trustline_flags_updated": 26,
    "offer_created": 30,
    "offer_removed": 31,
    "offer_updated": 32,
    "trade": 33,
    "data_created": 40,
    "data_removed": 41,
    "data_updated": 42,
    "sequence_bumped": 43,
    "claimable_balance_created": 50,
    "claimable_balance_claimant_created": 51,
    "claimable_balance_claimed": 52,
    "account_sponsorship_created": 60,
    "account_sponsorship_updated": 61,
    "account_sponsorship_removed": 62,
    "trustline_sponsorship_created": 63,
    "trustline_sponsorship_updated": 64,
    "trustline_sponsorship_removed": 65,
    "data_sponsorship_created": 66,
    "data_sponsorship_updated": 67,
    "data_sponsorship_removed": 68,
    "claimable_balance_sponsorship_created": 69,
    "claimable_balance_sponsorship_updated": 70,
    "claimable_balance_sponsorship_removed": 71,
    "signer_sponsorship_created": 72,
    "signer_sponsorship_updated": 73,
    "signer_sponsorship_removed": 74,
    "claimable_balance_clawed_back": 80,
    "liquidity_pool_deposited": 90,
    "liquidity_pool_withdrew": 91,
    "liquidity_pool_trade": 92,
    "liquidity_pool_created": 93,
    "liquidity_pool_removed": 94,
    "liquidity_pool_revoked": 95,
    "contract_credited": 96,
    "contract_debited": 97,
    "extend_footprint_ttl": 98,
    "restore_footprint": 99,
}
"""The number of each type. The network knows three more of trust lines (23 to 25), which the flags' update replaced."""


@dataclass(slots=True)
class Effect:
    """One effect, or why an operation's effects can't be told.

    Attributes:
        operation: the operation.
        number: which of the operation's effects it is, from 0.
        account: whom it befell.
        type: its type.
        details: the columns that only some types have.
        error: set if the operation's effects can't be told; it is the only item of the operation then.
    """

    operation: Operation
    number: int
    account: Account
    type: str
    details: Details
    error: Exception | None = None

    @property
    def index(self) -> int:
        """The operation's place in its transaction, from 0."""
        return self.operation.index

    @property
    def transaction(self) -> Transaction:
        """The operation's transaction."""
        return self.operation.transaction


def items(ledger: Ledger) -> Iterator[Effect]:
    """The effects of a ledger's operations, in the order they were applied; failed transactions have none."""
    for operation in ledger.operations:
        if operation.transaction.successful:
            yield from of(operation)


def of(operation: Operation) -> Iterable[Effect]:
    """The effects of an operation of a successful transaction."""
    try:
        return [
            Effect(operation, number, account, type_, details)
            for number, (account, type_, details) in enumerate(_made(operation))
        ]
    except Exception as error:  # only this operation's rows are lost, and the row's maker says so
        return [Effect(operation, 0, operation.source, "", {}, error)]


def row(ledger: Ledger, effect: Effect) -> dict[str, Any]:
    """One effect's row.

    Raises:
        Exception: whatever stopped the effects of its operation.
    """
    if effect.error is not None:
        raise effect.error
    address, address_muxed, _ = muxed(effect.account)
    operation_id = effect.operation.id
    return {
        "address": address,
        "address_muxed": address_muxed,
        "operation_id": operation_id,
        "details": effect.details,
        "type": TYPES[effect.type],
        "type_string": effect.type,
        "closed_at": ledger.closed_at,
        "ledger_sequence": ledger.sequence,
        "index": effect.number,
        "id": f"{operation_id}-{effect.number}",
    }


class _Change(NamedTuple):
    """What became of one ledger entry: None before if it is new, None after if it is gone."""

    type: int
    key: bytes
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def states(self) -> tuple[Any, Any]:
        """The content before and after."""
        before, after = self.before, self.after
        return before and before["data"][1], after and after["data"][1]

    @property
    def content(self) -> Any:
        """The last content that is known."""
        before, after = self.states
        return before if after is None else after


@dataclass(slots=True)
class _Applied:
    """An operation of a successful transaction, with what it changed.

    Attributes:
        operation: the operation.
        body: the operation's content.
        source: its source account.
        changes: its changes of the entries that have effects, by ledger key.
    """

    operation: Operation
    body: Any
    source: Account
    changes: list[_Change]

    def of(self, type_: int) -> Iterator[_Change]:
        """The changes of one type of entry."""
        return (change for change in self.changes if change.type == type_)


def _made(operation: Operation) -> Iterator[Made]:
    changes = _changes(operation.transaction.operation_changes(operation.index))
    applied = _Applied(operation, operation.body, operation.source, changes)
    yield from _EFFECTS[operation.type](applied)
    if changes:
        yield from _sponsorships(applied)
        yield from _pools(applied)


# What tells two entries of a type apart, as it orders in the XDR of their ledger keys.
_KEYS: dict[int, Callable[[Any], bytes]] = {
    names.ACCOUNT: lambda entry: entry["accountID"][1],
    names.TRUSTLINE: lambda entry: entry["accountID"][1] + soroban.asset_xdr(entry["asset"]),
    names.DATA: lambda entry: entry["accountID"][1] + len(entry["dataName"]).to_bytes(4, "big") + entry["dataName"],
    names.CLAIMABLE_BALANCE: lambda entry: entry["balanceID"][1],
    names.LIQUIDITY_POOL: lambda entry: entry["liquidityPoolID"],
    names.TTL: lambda entry: entry["keyHash"],
}


_LEDGER_KEY = itemgetter(0, 1)  # of a `_Change`


def _changes(recorded: list[tuple[int, Any]]) -> list[_Change]:
    """Changes as pairs of states, sorted by ledger key: the network records them in no certain order."""
    found = []
    last: dict[str, Any] = {}
    for kind, entry in recorded:
        # An entry's state comes right before what became of it; of a removed one only the key follows.
        before = last if kind in (names.LEDGER_ENTRY_UPDATED, names.LEDGER_ENTRY_REMOVED) else None
        after = None if kind == names.LEDGER_ENTRY_REMOVED else entry
        last = after or last
        if kind != names.LEDGER_ENTRY_STATE:
            type_, content = last["data"]
            key = _KEYS.get(type_)
            if key is not None:
                found.append(_Change(type_, key(content), before, after))
    if len(found) > 1:
        found.sort(key=_LEDGER_KEY)
    return found


def _first(contents: Iterator[Any], what: str) -> Any:
    for content in contents:
        return content
    raise ValueError(f"its changes show no {what}")


def _create_account(op: _Applied) -> Iterator[Made]:
    account, balance = op.body["destination"], amount_text(op.body["startingBalance"])
    yield account, "account_created", {"starting_balance": balance}
    yield op.source, "account_debited", {"asset_type": "native", "amount": balance}
    yield account, "signer_created", {"public_key": account_id(account), "weight": 1}


def _money(stroops: int, asset: tuple[int, Any]) -> Details:
    return {"amount": amount_text(stroops), **asset_details(asset, with_id=False)}


def _payment(op: _Applied) -> Iterator[Made]:
    money = _money(op.body["amount"], op.body["asset"])
    yield op.body["destination"], "account_credited", money
    yield op.source, "account_debited", money


def _path_payment_strict_receive(op: _Applied) -> Iterator[Made]:
    body, success = op.body, op.operation.success()
    yield body["destination"], "account_credited", _money(body["destAmount"], body["destAsset"])
    yield op.source, "account_debited", _money(_sent(success), body["sendAsset"])
    yield from _trades(op, success["offers"], _OFFER_EFFECTS)


def _sent(success: Any) -> int:
    """What a strict receive took from its source: the claims of the first hop, or the amount itself without one."""
    claims, total = success["offers"], 0
    if not claims:
        return int(success["last"]["amount"])
    for _, claim in claims:
        if claim["assetBought"] != claims[0][1]["assetBought"]:
            break
        total += claim["amountBought"]
    return total


def _path_payment_strict_send(op: _Applied) -> Iterator[Made]:
    body, success = op.body, op.operation.success()
    yield body["destination"], "account_credited", _money(success["last"]["amount"], body["destAsset"])
    yield op.source, "account_debited", _money(body["sendAmount"], body["sendAsset"])
    yield from _trades(op, success["offers"], _OFFER_EFFECTS[:-1])


def _offer(op: _Applied) -> Iterator[Made]:
    return _trades(op, op.operation.success()["offersClaimed"], _OFFER_EFFECTS)


# The reference exporter writes all of these for each trade, whatever became of the offer, but for a strict send.
_OFFER_EFFECTS = ("trade", "offer_updated", "offer_removed", "offer_created")


def _trades(op: _Applied, claims: list[tuple[int, Any]], effects: tuple[str, ...]) -> Iterator[Made]:
    """The effects of what an operation took from offers and pools, on both sides."""
    for kind, claim in claims:
        if not claim["amountSold"] and not claim["amountBought"]:
            continue
        if kind == names.CLAIM_ATOM_TYPE_LIQUIDITY_POOL:
            yield op.source, "liquidity_pool_trade", _pool_trade(op, claim)
            continue
        seller = claim["sellerID"] if kind == names.CLAIM_ATOM_TYPE_ORDER_BOOK else (0, claim["sellerEd25519"])
        sold, bought = amount_text(claim["amountSold"]), amount_text(claim["amountBought"])
        buyers = {
            "offer_id": claim["offerID"],
            "seller": account_id(seller),
            "bought_amount": sold,
            "sold_amount": bought,
            **asset_details(claim["assetSold"], "bought", with_id=False),
            **asset_details(claim["assetBought"], "sold", with_id=False),
        }
        sellers = {
            "offer_id": claim["offerID"],
            **account_details("seller", op.source),
            "bought_amount": bought,
            "sold_amount": sold,
            **asset_details(claim["assetBought"], "bought", with_id=False),
            **asset_details(claim["assetSold"], "sold", with_id=False),
        }
        for effect in effects:
            yield op.source, effect, buyers
            yield seller, effect, sellers


def _pool_trade(op: _Applied, claim: Any) -> Details:
    pool, _ = _pool_change(op, claim["liquidityPoolID"])
    return {
        "liquidity_pool": _pool(pool),
        "sold": _asset_amount(claim["assetSold"], claim["amountSold"]),
        "bought": _asset_amount(claim["assetBought"], claim["amountBought"]),
    }


_ACCOUNT_FLAGS = {flag: f"{name}_flag" for flag, name in operations.ACCOUNT_FLAGS.items()}
# The second is misspelt in the reference exporter's rows.
_TRUSTLINE_FLAGS = {1: "authorized_flag", 2: "authorized_to_maintain_liabilites", 4: "clawback_enabled_flag"}


def _flags(known: dict[int, str], set_: int | None, cleared: int | None) -> Details:
    made = {name: True for flag, name in known.items() if set_ and set_ & flag}
    made.update((name, False) for flag, name in known.items() if cleared and cleared & flag)
    return made


def _set_options(op: _Applied) -> Iterator[Made]:
    body, source = op.body, op.source
    if body["homeDomain"] is not None:
        yield source, "account_home_domain_updated", {"home_domain": text(body["homeDomain"])}
    thresholds = {
        column: body[field]
        for field, column in (
            ("lowThreshold", "low_threshold"),
            ("medThreshold", "med_threshold"),
            ("highThreshold", "high_threshold"),
        )
        if body[field] is not None
    }
    if thresholds:
        yield source, "account_thresholds_updated", thresholds
    if flags := _flags(_ACCOUNT_FLAGS, body["setFlags"], body["clearFlags"]):
        yield source, "account_flags_updated", flags
    if body["inflationDest"] is not None:
        destination = {"inflation_destination": account_id(body["inflationDest"])}
        yield source, "account_inflation_destination_updated", destination
    for change in op.of(names.ACCOUNT):
        yield from _signers(source, *change.states)


def _signers(source: Account, old: Any, new: Any) -> Iterator[Made]:
    """What changed of an account's signers: those that were there first, then new ones."""
    before, after = _weights(old), _weights(new)
    if before == after:
        return
    for signer in sorted(before):
        if signer not in after:
            yield source, "signer_removed", {"public_key": signer}
        elif after[signer] != before[signer]:
            yield source, "signer_updated", {"public_key": signer, "weight": after[signer]}
    for signer in sorted(after.keys() - before.keys()):
        yield source, "signer_created", {"public_key": signer, "weight": after[signer]}


def _weights(account: Any) -> dict[str, int]:
    """The weight of each signer of an account, its own key among them if that has a weight."""
    master = account["thresholds"][0]
    weights = {account_id(account["accountID"]): master} if master else {}
    return weights | {signer_key(signer["key"]): signer["weight"] for signer in account["signers"]}


def _outcome(change: _Change) -> str:
    if change.before is None:
        return "created"
    return "removed" if change.after is None else "updated"


def _change_trust(op: _Applied) -> Iterator[Made]:
    kind, line = op.body["line"]
    for change in op.of(names.TRUSTLINE):
        # A trust line for a pool's shares changes those for the pool's assets too.
        if change.content["asset"][0] == kind:
            details: Details = {"limit": amount_text(op.body["limit"])}
            if kind == names.ASSET_TYPE_POOL_SHARE:
                details |= {"asset_type": "liquidity_pool_shares", **pool_details(soroban.pool_id(line))}
            else:
                details |= asset_details(op.body["line"], with_id=False)
            yield op.source, f"trustline_{_outcome(change)}", details
            return


def _allow_trust(op: _Applied) -> Iterator[Made]:
    kind, code = op.body["asset"]
    asset = (kind, {"assetCode": code, "issuer": _unmuxed(op.source)})
    allowed = op.body["authorize"]
    yield op.source, "trustline_flags_updated", _trusted(op, asset)
    if allowed & names.AUTHORIZED_FLAG:
        flags = _flags(_TRUSTLINE_FLAGS, names.AUTHORIZED_FLAG, None)
    elif allowed & names.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG:
        flags = _flags(_TRUSTLINE_FLAGS, names.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG, None)
    else:
        both = names.AUTHORIZED_FLAG | names.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG
        flags = _flags(_TRUSTLINE_FLAGS, None, both)
    yield op.source, "trustline_flags_updated", _trusted(op, asset) | flags
    yield from _revoked_pool(op)


def _unmuxed(account: Account) -> Account:
    """The `AccountID` of a `MuxedAccount`."""
    kind, key = account
    return account if kind == names.KEY_TYPE_ED25519 else (names.PUBLIC_KEY_TYPE_ED25519, key["ed25519"])


def _trusted(op: _Applied, asset: tuple[int, Any]) -> Details:
    return {"trustor": account_id(op.body["trustor"]), **asset_details(asset, with_id=False)}


def _set_trust_line_flags(op: _Applied) -> Iterator[Made]:
    flags = _flags(_TRUSTLINE_FLAGS, op.body["setFlags"], op.body["clearFlags"])
    yield op.source, "trustline_flags_updated", _trusted(op, op.body["asset"]) | flags
    yield from _revoked_pool(op)


def _account_merge(op: _Applied) -> Iterator[Made]:
    money = {"amount": amount_text(op.operation.success()), "asset_type": "native"}
    yield op.source, "account_debited", money
    yield op.body, "account_credited", money
    yield op.source, "account_removed", {}


def _inflation(op: _Applied) -> Iterator[Made]:
    for payout in op.operation.success():
        money = {"amount": amount_text(payout["amount"]), "asset_type": "native"}
        yield payout["destination"], "account_credited", money


def _manage_data(op: _Applied) -> Iterator[Made]:
    change = _first(op.of(names.DATA), "data entry")
    details = {"name": text(op.body["dataName"])}
    if change.after is not None:
        details["value"] = base64(change.content["dataValue"])
    yield op.source, f"data_{_outcome(change)}", details


def _bump_sequence(op: _Applied) -> Iterator[Made]:
    for change in op.of(names.ACCOUNT):
        before, after = change.states
        if before["seqNum"] != after["seqNum"]:
            yield op.source, "sequence_bumped", {"new_seq": after["seqNum"]}
        return


def _balance_id(balance: tuple[int, bytes]) -> str:
    """A claimable balance's id as hex of its XDR."""
    kind, key = balance
    return (kind.to_bytes(4, "big") + key).hex()


def _balance(balance: Any) -> Details:
    return {
        "balance_id": _balance_id(balance["balanceID"]),
        **_asset_amount(balance["asset"], balance["amount"]),
    }


def _asset_amount(asset: tuple[int, Any], stroops: int) -> Details:
    return {"asset": asset_canonical(asset), "amount": amount_text(stroops)}


def _clawback_flag(balance: Any) -> Details:
    version, content = balance["ext"]
    enabled = version == 1 and content["flags"] & names.CLAIMABLE_BALANCE_CLAWBACK_ENABLED_FLAG
    return {"claimable_balance_clawback_enabled_flag": True} if enabled else {}


def _created_balance(op: _Applied, balance: Any, claimants: list[tuple[int, Any]]) -> Iterator[Made]:
    details = _balance(balance)
    yield op.source, "claimable_balance_created", details | _clawback_flag(balance)
    for _, claimant in claimants:
        claim = {**details, "predicate": predicate(claimant["predicate"])}
        yield claimant["destination"], "claimable_balance_claimant_created", claim


def _create_claimable_balance(op: _Applied) -> Iterator[Made]:
    kept = (change.content for change in op.of(names.CLAIMABLE_BALANCE) if change.after is not None)
    balance = _first(kept, "new claimable balance")
    # The ledger holds absolute times for the relative ones that the operation may name.
    yield from _created_balance(op, balance, op.body["claimants"])
    yield op.source, "account_debited", _money(balance["amount"], balance["asset"])


def _gone_balances(op: _Applied) -> Iterator[Any]:
    return (change.content for change in op.of(names.CLAIMABLE_BALANCE) if change.after is None)


def _claim_claimable_balance(op: _Applied) -> Iterator[Made]:
    claimed = (balance for balance in _gone_balances(op) if balance["balanceID"] == op.body["balanceID"])
    balance = _first(claimed, "claimed balance")
    yield op.source, "claimable_balance_claimed", _balance(balance) | _clawback_flag(balance)
    yield op.source, "account_credited", _money(balance["amount"], balance["asset"])


def _clawback(op: _Applied) -> Iterator[Made]:
    money = _money(op.body["amount"], op.body["asset"])
    yield op.source, "account_credited", money
    yield op.body["from_"], "account_debited", money  # as the SDK's definition spells it


def _clawback_claimable_balance(op: _Applied) -> Iterator[Made]:
    yield op.source, "claimable_balance_clawed_back", {"balance_id": _balance_id(op.body["balanceID"])}
    for balance in _gone_balances(op):
        yield op.source, "account_credited", _money(balance["amount"], balance["asset"])
        return


_Reserves = tuple[int, int, int]


def _reserves(pool: Any) -> _Reserves:
    """A pool's two reserves and its shares, none if it isn't there."""
    if pool is None:
        return 0, 0, 0
    _, content = pool["body"]
    return content["reserveA"], content["reserveB"], content["totalPoolShares"]


def _pool_change(op: _Applied, pool: bytes) -> tuple[Any, _Reserves]:
    """A pool, and by how much the operation raised its reserves and its shares."""
    found = (change for change in op.of(names.LIQUIDITY_POOL) if change.content["liquidityPoolID"] == pool)
    return _raised(_first(found, f"liquidity pool {pool.hex()}"))


def _raised(change: _Change) -> tuple[Any, _Reserves]:
    before, after = (_reserves(state) for state in change.states)
    return change.content, (after[0] - before[0], after[1] - before[1], after[2] - before[2])


def _pool(pool: Any) -> Details:
    _, content = pool["body"]
    return {
        "id": pool["liquidityPoolID"].hex(),
        "fee_bp": content["params"]["fee"],
        "type": "constant_product",
        "total_trustlines": str(content["poolSharesTrustLineCount"]),
        "total_shares": amount_text(content["totalPoolShares"]),
        "reserves": _both(pool, content["reserveA"], content["reserveB"]),
    }


def _both(pool: Any, amount_a: int, amount_b: int) -> list[Details]:
    parameters = pool["body"][1]["params"]
    return [_asset_amount(parameters["assetA"], amount_a), _asset_amount(parameters["assetB"], amount_b)]


def _liquidity_pool_deposit(op: _Applied) -> Iterator[Made]:
    pool, (amount_a, amount_b, shares) = _pool_change(op, op.body["liquidityPoolID"])
    details = {
        "liquidity_pool": _pool(pool),
        "reserves_deposited": _both(pool, amount_a, amount_b),
        "shares_received": amount_text(shares),
    }
    yield op.source, "liquidity_pool_deposited", details


def _liquidity_pool_withdraw(op: _Applied) -> Iterator[Made]:
    pool, (amount_a, amount_b, shares) = _pool_change(op, op.body["liquidityPoolID"])
    details = {
        "liquidity_pool": _pool(pool),
        "reserves_received": _both(pool, -amount_a, -amount_b),
        "shares_redeemed": amount_text(-shares),
    }
    yield op.source, "liquidity_pool_withdrew", details


def _revoked_pool(op: _Applied) -> Iterator[Made]:
    """What a withdrawn authorization took out of a pool: its assets wait for their owner as claimable balances."""
    change = next(op.of(names.LIQUIDITY_POOL), None)
    balances = [change.content for change in op.of(names.CLAIMABLE_BALANCE) if change.before is None]
    if change is None or not balances:
        return
    for balance in sorted(balances, key=lambda balance: soroban.asset_xdr(balance["asset"])):
        yield from _created_balance(op, balance, balance["claimants"])
    pool, (amount_a, amount_b, shares) = _raised(change)
    ids = {asset_canonical(balance["asset"]): _balance_id(balance["balanceID"]) for balance in balances}
    details = {
        "liquidity_pool": _pool(pool),
        "reserves_revoked": [
            {**reserve, "claimable_balance_id": ids[reserve["asset"]]}
            for reserve in _both(pool, -amount_a, -amount_b)
            if reserve["asset"] in ids
        ],
        "shares_revoked": amount_text(-shares),
    }
    yield op.source, "liquidity_pool_revoked", details


def _events(operation: Operation) -> list[dict[str, Any]]:
    """What the contracts that an operation called reported."""
    meta = operation.transaction.meta
    if meta[0] == 3:
        contracts = meta[1]["sorobanMeta"]
        return contracts["events"] if contracts else []
    events: list[dict[str, Any]] = meta[1]["operations"][operation.index]["events"]
    return events


def _invoke_host_function(op: _Applied) -> Iterator[Made]:
    for event in _events(op.operation):
        moved = soroban.asset_event(event, op.operation.transaction.network)
        if moved is None:
            continue
        details = {**_money(moved.stroops, moved.asset), "contract_event_type": moved.name}
        if moved.giver is not None:
            yield _moved(op, moved.giver, "debited", details)
        if moved.receiver is not None:
            yield _moved(op, moved.receiver, "credited", details)


def _moved(op: _Applied, address: tuple[int, Any], way: str, details: Details) -> Made:
    kind, key = address
    if kind == names.SC_ADDRESS_TYPE_ACCOUNT:
        return key, f"account_{way}", details
    return op.source, f"contract_{way}", {**details, "contract": contract_values.address(address)}


def _lived(op: _Applied) -> list[str]:
    """The ledger keys of the lifetimes that an operation changed, as base64."""
    return [base64(names.TTL.to_bytes(4, "big") + change.content["keyHash"]) for change in op.of(names.TTL)]


def _extend_footprint_ttl(op: _Applied) -> Iterator[Made]:
    yield op.source, "extend_footprint_ttl", {"entries": _lived(op), "extend_to": op.body["extendTo"]}


def _restore_footprint(op: _Applied) -> Iterator[Made]:
    yield op.source, "restore_footprint", {"entries": _lived(op)}


def _nothing(op: _Applied) -> Iterator[Made]:
    """The effects of sponsoring show in the changes alone."""
    return iter(())


_EFFECTS: dict[int, Callable[[_Applied], Iterator[Made]]] = {
    names.CREATE_ACCOUNT: _create_account,
    names.PAYMENT: _payment,
    names.PATH_PAYMENT_STRICT_RECEIVE: _path_payment_strict_receive,
    names.MANAGE_SELL_OFFER: _offer,
    names.CREATE_PASSIVE_SELL_OFFER: _offer,
    names.SET_OPTIONS: _set_options,
    names.CHANGE_TRUST: _change_trust,
    names.ALLOW_TRUST: _allow_trust,
    names.ACCOUNT_MERGE: _account_merge,
    names.INFLATION: _inflation,
    names.MANAGE_DATA: _manage_data,
    names.BUMP_SEQUENCE: _bump_sequence,
    names.MANAGE_BUY_OFFER: _offer,
    names.PATH_PAYMENT_STRICT_SEND: _path_payment_strict_send,
    names.CREATE_CLAIMABLE_BALANCE: _create_claimable_balance,
    names.CLAIM_CLAIMABLE_BALANCE: _claim_claimable_balance,
    names.BEGIN_SPONSORING_FUTURE_RESERVES: _nothing,
    names.END_SPONSORING_FUTURE_RESERVES: _nothing,
    names.REVOKE_SPONSORSHIP: _nothing,
    names.CLAWBACK: _clawback,
    names.CLAWBACK_CLAIMABLE_BALANCE: _clawback_claimable_balance,
    names.SET_TRUST_LINE_FLAGS: _set_trust_line_flags,
    names.LIQUIDITY_POOL_DEPOSIT: _liquidity_pool_deposit,
    names.LIQUIDITY_POOL_WITHDRAW: _liquidity_pool_withdraw,
    names.INVOKE_HOST_FUNCTION: _invoke_host_function,
    names.EXTEND_FOOTPRINT_TTL: _extend_footprint_ttl,
    names.RESTORE_FOOTPRINT: _restore_footprint,
}


def _sponsorships(op: _Applied) -> Iterator[Made]:
    """Who began, handed over or ended paying the reserve of an entry, or of an account's signer."""
    for change in op.changes:
        former, new = _sponsor(change.before), _sponsor(change.after)
        if former != new and change.type in _SPONSORED:
            account, details = _sponsored(op, change.type, change.content)
            outcome, sponsors = _handover(former, new)
            yield account, f"{_SPONSORED[change.type]}_sponsorship_{outcome}", details | sponsors
        if change.type == names.ACCOUNT:
            yield from _signer_sponsorships(change)


def _sponsor(entry: dict[str, Any] | None) -> Account | None:
    if entry is None or entry["ext"][0] == 0:
        return None
    sponsor: Account | None = entry["ext"][1]["sponsoringID"]
    return sponsor


def _handover(former: Account | None, new: Account | None) -> tuple[str, Details]:
    """What became of a sponsorship; one of the two sponsors is not None."""
    if former is None:
        assert new is not None
        return "created", {"sponsor": account_id(new)}
    if new is None:
        return "removed", {"former_sponsor": account_id(former)}
    return "updated", {"former_sponsor": account_id(former), "new_sponsor": account_id(new)}


_SPONSORED = {
    names.ACCOUNT: "account",
    names.TRUSTLINE: "trustline",
    names.DATA: "data",
    names.CLAIMABLE_BALANCE: "claimable_balance",
}
"""The entries whose sponsorships have effects; those of offers have none."""


def _sponsored(op: _Applied, type_: int, entry: Any) -> tuple[Account, Details]:
    """Whom the effect of a sponsorship befalls, and what names the entry."""
    if type_ == names.ACCOUNT:
        return entry["accountID"], {}
    if type_ == names.DATA:
        return op.source, {"data_name": text(entry["dataName"])}
    if type_ == names.CLAIMABLE_BALANCE:
        return op.source, {"balance_id": _balance_id(entry["balanceID"])}
    kind, pool = entry["asset"]
    if kind == names.ASSET_TYPE_POOL_SHARE:
        return entry["accountID"], {"asset_type": "liquidity_pool", "liquidity_pool_id": pool.hex()}
    return entry["accountID"], {"asset": asset_canonical(entry["asset"])}


def _signer_sponsorships(change: _Change) -> Iterator[Made]:
    old, new = change.states
    before, after = _signer_sponsors(old), _signer_sponsors(new)
    if before == after:
        return
    for signer in sorted(before.keys() | after.keys()):
        former, now = before.get(signer), after.get(signer)
        if former != now:
            outcome, sponsors = _handover(former, now)
            yield change.content["accountID"], f"signer_sponsorship_{outcome}", {"signer": signer, **sponsors}


def _signer_sponsors(account: Any) -> dict[str, Account]:
    """The sponsors of an account's signers, of those that have one."""
    if account is None or not account["signers"] or account["ext"][0] == 0 or account["ext"][1]["ext"][0] == 0:
        return {}
    sponsors = account["ext"][1]["ext"][1]["signerSponsoringIDs"]
    return {
        signer_key(signer["key"]): sponsor
        for signer, sponsor in zip(account["signers"], sponsors, strict=True)
        if sponsor is not None
    }


def _pools(op: _Applied) -> Iterator[Made]:
    """Pools that came with their first trust line or went with their last one."""
    for change in op.of(names.LIQUIDITY_POOL):
        if change.before is None:
            yield op.source, "liquidity_pool_created", {"liquidity_pool": _pool(change.content)}
        elif change.after is None:
            yield op.source, "liquidity_pool_removed", {"liquidity_pool_id": change.content["liquidityPoolID"].hex()}
