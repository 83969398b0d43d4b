"""Ledgers for tests, built with the SDK's own XDR classes: operations, results and their changes.

Hashes equal those that a network would record, so that the exporter's checks pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stellar_sdk import (
    Account,
    Asset,
    FeeBumpTransactionEnvelope,
    Keypair,
    LiquidityPoolAsset,
    MuxedAccount,
    Operation,
    SorobanDataBuilder,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)

PASSPHRASE = "Test ledgers"
SEQUENCE = 100
CLOSED_AT = "2024-05-06T07:08:09Z"
_CLOSE_TIME = 1714979289

KEYS = [Keypair.from_raw_ed25519_seed(bytes([number]) * 32) for number in range(1, 9)]
ALICE, BOB, CAROL, DAVE, ISSUER, *_ = (key.public_key for key in KEYS)
USD, LONG = Asset("USD", ISSUER), Asset("LONGCODE", ISSUER)
NATIVE = Asset.native()
POOL = LiquidityPoolAsset(NATIVE, USD, 30)

NO_EXTENSION = xdr.ExtensionPoint(0)
_HASH = xdr.Hash(bytes(32))


def account_id(address: str) -> xdr.AccountID:
    return Keypair.from_public_key(address).xdr_account_id()


def muxed(address: str, number: int) -> str:
    return MuxedAccount(address, number).account_muxed


# Entries and their changes -------------------------------------------------------------------------------------


def _entry(kind: str, content: Any, sponsor: str | None, sponsored: bool) -> xdr.LedgerEntry:
    data = xdr.LedgerEntryData(xdr.LedgerEntryType[kind], **{kind.lower().replace("trustline", "trust_line"): content})
    ext = xdr.LedgerEntryExt(0)
    if sponsored or sponsor:
        holder = xdr.SponsorshipDescriptor(account_id(sponsor) if sponsor else None)
        ext = xdr.LedgerEntryExt(1, xdr.LedgerEntryExtensionV1(holder, xdr.LedgerEntryExtensionV1Ext(0)))
    return xdr.LedgerEntry(xdr.Uint32(SEQUENCE), data, ext)


def account(
    address: str = ALICE,
    balance: int = 0,
    *,
    seq: int = 1,
    master: int = 1,
    signers: Sequence[tuple[xdr.SignerKey, int, str | None]] = (),
    sponsor: str | None = None,
) -> xdr.LedgerEntry:
    """Return an account; each signer is its key, its weight and its sponsor."""
    v2 = xdr.AccountEntryExtensionV2(
        xdr.Uint32(0),
        xdr.Uint32(0),
        [xdr.SponsorshipDescriptor(account_id(by) if by else None) for _, _, by in signers],
        xdr.AccountEntryExtensionV2Ext(0),
    )
    liabilities = xdr.Liabilities(xdr.Int64(0), xdr.Int64(0))
    v1 = xdr.AccountEntryExtensionV1(liabilities, xdr.AccountEntryExtensionV1Ext(2, v2))
    content = xdr.AccountEntry(
        account_id(address),
        xdr.Int64(balance),
        xdr.SequenceNumber(xdr.Int64(seq)),
        xdr.Uint32(len(signers)),
        None,
        xdr.Uint32(0),
        xdr.String32(b""),
        xdr.Thresholds(bytes([master, 0, 0, 0])),
        [xdr.Signer(key, xdr.Uint32(weight)) for key, weight, _ in signers],
        xdr.AccountEntryExt(1, v1),
    )
    return _entry("ACCOUNT", content, sponsor, sponsored=False)


def trust_line(
    address: str = ALICE,
    asset: Asset | bytes = USD,
    balance: int = 0,
    sponsor: str | None = None,
    sponsored: bool = False,
) -> xdr.LedgerEntry:
    """Return a trust line for an asset, or for the shares of the pool with an id."""
    if isinstance(asset, bytes):
        line = xdr.TrustLineAsset(xdr.AssetType.ASSET_TYPE_POOL_SHARE, liquidity_pool_id=xdr.PoolID(xdr.Hash(asset)))
    else:
        line = asset.to_trust_line_asset_xdr_object()
    content = xdr.TrustLineEntry(
        account_id(address), line, xdr.Int64(balance), xdr.Int64(10**9), xdr.Uint32(1), xdr.TrustLineEntryExt(0)
    )
    return _entry("TRUSTLINE", content, sponsor, sponsored)


def data(name: str, value: bytes, sponsor: str | None = None) -> xdr.LedgerEntry:
    content = xdr.DataEntry(account_id(ALICE), xdr.String64(name.encode()), xdr.DataValue(value), xdr.DataEntryExt(0))
    return _entry("DATA", content, sponsor, sponsored=False)


def balance_id(number: int) -> xdr.ClaimableBalanceID:
    return xdr.ClaimableBalanceID(
        xdr.ClaimableBalanceIDType.CLAIMABLE_BALANCE_ID_TYPE_V0, xdr.Hash(bytes([number]) * 32)
    )


def claimable_balance(
    number: int = 7,
    asset: Asset = USD,
    amount: int = 50,
    claimants: Sequence[xdr.Claimant] = (),
    sponsor: str | None = None,
    clawback: bool = False,
) -> xdr.LedgerEntry:
    v1 = xdr.ClaimableBalanceEntryExtensionV1(xdr.ClaimableBalanceEntryExtensionV1Ext(0), xdr.Uint32(1))
    ext = xdr.ClaimableBalanceEntryExt(1, v1) if clawback else xdr.ClaimableBalanceEntryExt(0)
    content = xdr.ClaimableBalanceEntry(
        balance_id(number), list(claimants), asset.to_xdr_object(), xdr.Int64(amount), ext
    )
    return _entry("CLAIMABLE_BALANCE", content, sponsor, sponsored=False)


POOL_ID = bytes.fromhex(POOL.liquidity_pool_id)


def pool(a: int, b: int, shares: int, lines: int = 1) -> xdr.LedgerEntry:
    parameters = xdr.LiquidityPoolConstantProductParameters(
        NATIVE.to_xdr_object(), USD.to_xdr_object(), xdr.Int32(POOL.fee)
    )
    body = xdr.LiquidityPoolEntryConstantProduct(
        parameters, xdr.Int64(a), xdr.Int64(b), xdr.Int64(shares), xdr.Int64(lines)
    )
    kind = xdr.LiquidityPoolType.LIQUIDITY_POOL_CONSTANT_PRODUCT
    content = xdr.LiquidityPoolEntry(xdr.PoolID(xdr.Hash(POOL_ID)), xdr.LiquidityPoolEntryBody(kind, body))
    return _entry("LIQUIDITY_POOL", content, None, sponsored=False)


def offer(seller: str, number: int, selling: Asset, buying: Asset, amount: int, n: int, d: int) -> xdr.LedgerEntry:
    return _entry("OFFER", offer_content(seller, number, selling, buying, amount, n, d), None, sponsored=False)


def offer_content(
    seller: str, number: int, selling: Asset, buying: Asset, amount: int, n: int, d: int
) -> xdr.OfferEntry:
    return xdr.OfferEntry(
        account_id(seller),
        xdr.Int64(number),
        selling.to_xdr_object(),
        buying.to_xdr_object(),
        xdr.Int64(amount),
        xdr.Price(xdr.Int32(n), xdr.Int32(d)),
        xdr.Uint32(0),
        xdr.OfferEntryExt(0),
    )


def ttl(number: int, until: int) -> xdr.LedgerEntry:
    return _entry("TTL", xdr.TTLEntry(xdr.Hash(bytes([number]) * 32), xdr.Uint32(until)), None, sponsored=False)


def ledger_key(entry: xdr.LedgerEntry) -> xdr.LedgerKey:
    """Return the key of an entry."""
    kind, data = entry.data.type, entry.data
    if data.account is not None:
        return xdr.LedgerKey(kind, account=xdr.LedgerKeyAccount(data.account.account_id))
    if data.trust_line is not None:
        line = xdr.LedgerKeyTrustLine(data.trust_line.account_id, data.trust_line.asset)
        return xdr.LedgerKey(kind, trust_line=line)
    if data.offer is not None:
        return xdr.LedgerKey(kind, offer=xdr.LedgerKeyOffer(data.offer.seller_id, data.offer.offer_id))
    if data.data is not None:
        return xdr.LedgerKey(kind, data=xdr.LedgerKeyData(data.data.account_id, data.data.data_name))
    if data.claimable_balance is not None:
        balance = xdr.LedgerKeyClaimableBalance(data.claimable_balance.balance_id)
        return xdr.LedgerKey(kind, claimable_balance=balance)
    if data.liquidity_pool is not None:
        pool = xdr.LedgerKeyLiquidityPool(data.liquidity_pool.liquidity_pool_id)
        return xdr.LedgerKey(kind, liquidity_pool=pool)
    if data.contract_data is not None:
        contract = data.contract_data
        key = xdr.LedgerKeyContractData(contract.contract, contract.key, contract.durability)
        return xdr.LedgerKey(kind, contract_data=key)
    if data.contract_code is not None:
        return xdr.LedgerKey(kind, contract_code=xdr.LedgerKeyContractCode(data.contract_code.hash))
    if data.config_setting is not None:
        setting = xdr.LedgerKeyConfigSetting(data.config_setting.config_setting_id)
        return xdr.LedgerKey(kind, config_setting=setting)
    assert data.ttl is not None
    return xdr.LedgerKey(kind, ttl=xdr.LedgerKeyTtl(data.ttl.key_hash))


_CHANGE = xdr.LedgerEntryChangeType


def change(before: xdr.LedgerEntry | None, after: xdr.LedgerEntry | None) -> list[xdr.LedgerEntryChange]:
    """Return the recorded changes of an entry from one state to another; None for a missing entry."""
    if before is None:
        return [xdr.LedgerEntryChange(_CHANGE.LEDGER_ENTRY_CREATED, created=after)]
    state = xdr.LedgerEntryChange(_CHANGE.LEDGER_ENTRY_STATE, state=before)
    if after is None:
        return [state, xdr.LedgerEntryChange(_CHANGE.LEDGER_ENTRY_REMOVED, removed=ledger_key(before))]
    return [state, xdr.LedgerEntryChange(_CHANGE.LEDGER_ENTRY_UPDATED, updated=after)]


def restored(entry: xdr.LedgerEntry) -> list[xdr.LedgerEntryChange]:
    return [xdr.LedgerEntryChange(_CHANGE.LEDGER_ENTRY_RESTORED, restored=entry)]


# Results --------------------------------------------------------------------------------------------------------


_ARMS = {"BUMP_SEQUENCE": "bump_seq_result"}
"""The arms of `OperationResultTr` that are not named after the type."""


def succeeded(operation: xdr.Operation, content: Any = None, type_: str | None = None) -> xdr.OperationResult:
    """Return the result of a successful operation, with its content."""
    name = type_ or operation.body.type.name
    # The protocol has no separate result for this type.
    known = "MANAGE_SELL_OFFER" if name == "CREATE_PASSIVE_SELL_OFFER" else name
    stem = "".join(part.capitalize() for part in known.split("_")).replace("Ttl", "TTL")
    code = getattr(xdr, f"{stem}ResultCode")[f"{known}_SUCCESS"]
    make = getattr(xdr, f"{stem}Result")
    result = make(code) if content is None else make(code, content)
    tr = xdr.OperationResultTr(xdr.OperationType[name], **{_ARMS.get(name, f"{name.lower()}_result"): result})
    return xdr.OperationResult(xdr.OperationResultCode.opINNER, tr)


def claim(seller: str, number: int, sold: Asset, amount: int, bought: Asset, paid: int) -> xdr.ClaimAtom:
    """Return a claim of an offer."""
    content = xdr.ClaimOfferAtom(
        account_id(seller),
        xdr.Int64(number),
        sold.to_xdr_object(),
        xdr.Int64(amount),
        bought.to_xdr_object(),
        xdr.Int64(paid),
    )
    return xdr.ClaimAtom(xdr.ClaimAtomType.CLAIM_ATOM_TYPE_ORDER_BOOK, order_book=content)


def claim_v0(seller: str, number: int, sold: Asset, amount: int, bought: Asset, paid: int) -> xdr.ClaimAtom:
    """Return a claim in the form of protocols before 18."""
    content = xdr.ClaimOfferAtomV0(
        xdr.Uint256(Keypair.from_public_key(seller).raw_public_key()),
        xdr.Int64(number),
        sold.to_xdr_object(),
        xdr.Int64(amount),
        bought.to_xdr_object(),
        xdr.Int64(paid),
    )
    return xdr.ClaimAtom(xdr.ClaimAtomType.CLAIM_ATOM_TYPE_V0, v0=content)


def claim_pool(sold: Asset, amount: int, bought: Asset, paid: int) -> xdr.ClaimAtom:
    """Return a claim of the pool."""
    content = xdr.ClaimLiquidityAtom(
        xdr.PoolID(xdr.Hash(POOL_ID)),
        sold.to_xdr_object(),
        xdr.Int64(amount),
        bought.to_xdr_object(),
        xdr.Int64(paid),
    )
    return xdr.ClaimAtom(xdr.ClaimAtomType.CLAIM_ATOM_TYPE_LIQUIDITY_POOL, liquidity_pool=content)


def offers_claimed(claims: Sequence[xdr.ClaimAtom], left: xdr.OfferEntry | None = None) -> xdr.ManageOfferSuccessResult:
    """Return the result of managing an offer: its claims, and the remaining offer."""
    effect = xdr.ManageOfferEffect
    outcome = xdr.ManageOfferSuccessResultOffer(effect.MANAGE_OFFER_DELETED)
    if left is not None:
        outcome = xdr.ManageOfferSuccessResultOffer(effect.MANAGE_OFFER_CREATED, left)
    return xdr.ManageOfferSuccessResult(list(claims), outcome)


def paid(kind: Any, claims: Sequence[xdr.ClaimAtom], asset: Asset, amount: int, to: str = BOB) -> Any:
    """Return the result of a path payment; `kind` is the SDK's class for it."""
    return kind(list(claims), xdr.SimplePaymentResult(account_id(to), asset.to_xdr_object(), xdr.Int64(amount)))


# Events ---------------------------------------------------------------------------------------------------------


def contract_of(asset: Asset) -> bytes:
    """Return the id of an asset's own contract."""
    from stellar_sdk import StrKey

    return StrKey.decode_contract(asset.contract_id(PASSPHRASE))


def event(contract: bytes | None, topics: Sequence[xdr.SCVal], content: xdr.SCVal, kind: int = 1) -> xdr.ContractEvent:
    """Return an event of a contract; kind 0 is a system's, 2 a diagnostic one."""
    return xdr.ContractEvent(
        NO_EXTENSION,
        None if contract is None else xdr.ContractID(xdr.Hash(contract)),
        xdr.ContractEventType(kind),
        xdr.ContractEventBody(0, xdr.ContractEventV0(list(topics), content)),
    )


def token_event(name: str, *parties: str, amount: xdr.SCVal | int, asset: Asset = USD) -> xdr.ContractEvent:
    """Return an event of an asset's own contract, which classic operations publish too."""
    content = scval.to_int128(amount) if isinstance(amount, int) else amount
    topics = [scval.to_symbol(name), *map(scval.to_address, parties)]
    canonical = "native" if asset.is_native() else f"{asset.code}:{asset.issuer}"
    return event(contract_of(asset), [*topics, scval.to_string(canonical)], content)


def fee_event(payer: str, amount: int) -> xdr.ContractEvent:
    return event(contract_of(NATIVE), [scval.to_symbol("fee"), scval.to_address(payer)], scval.to_int128(amount))


# Transactions and ledgers ---------------------------------------------------------------------------------------


@dataclass
class Tx:
    """One transaction with its outcome.

    Attributes:
        operations: its operations.
        results: their results; simple successes by default.
        changes: the changes of each operation.
        source: its source account, `G…` or `M…`.
        meta: the version of its meta.
        fee_changes: the changes of charging the fee.
        failed: whether it failed with all its operations.
        events: each operation's events.
        fees: the events of its fee and its refund.
        diagnostic: its diagnostic events.
        envelope_v0: whether its envelope is of the oldest type.
        fee_source: the account that bumped its fee, None without a fee bump.
        soroban: whether it declares resources.
    """

    operations: Sequence[Operation]
    results: Sequence[xdr.OperationResult] | None = None
    changes: Sequence[Sequence[xdr.LedgerEntryChange]] = ()
    source: str = ALICE
    meta: int = 4
    fee_changes: Sequence[xdr.LedgerEntryChange] = ()
    failed: bool = False
    events: Sequence[Sequence[xdr.ContractEvent]] = ()
    fees: Sequence[xdr.ContractEvent] | None = None
    diagnostic: Sequence[xdr.DiagnosticEvent] = ()
    envelope_v0: bool = False
    fee_source: str | None = None
    soroban: bool = False
    after: Sequence[xdr.LedgerEntryChange] = field(default=())

    def envelope(self, number: int) -> TransactionEnvelope | FeeBumpTransactionEnvelope:
        builder = TransactionBuilder(
            Account(self.source, number), PASSPHRASE, base_fee=100, v1=not self.envelope_v0
        ).add_time_bounds(0, 0)
        for operation in self.operations:
            builder.append_operation(operation)
        if self.soroban:
            builder.set_soroban_data(SorobanDataBuilder().build())
        envelope = builder.build()
        if self.fee_source is None:
            return envelope
        return TransactionBuilder.build_fee_bump_transaction(self.fee_source, 200, envelope, PASSPHRASE)

    def result(self, envelope: TransactionEnvelope | FeeBumpTransactionEnvelope) -> xdr.TransactionResultPair:
        codes = xdr.TransactionResultCode
        bodies = [operation.to_xdr_object() for operation in self.operations]
        results = [succeeded(body) for body in bodies] if self.results is None else list(self.results)
        code = codes.txFAILED if self.failed else codes.txSUCCESS
        fee = 100 * len(self.operations)
        if isinstance(envelope, FeeBumpTransactionEnvelope):
            inner = xdr.InnerTransactionResult(
                xdr.Int64(0),
                xdr.InnerTransactionResultResult(code, results=results),
                xdr.InnerTransactionResultExt(0),
            )
            inner_hash = xdr.Hash(envelope.transaction.inner_transaction_envelope.hash())
            code = codes.txFEE_BUMP_INNER_FAILED if self.failed else codes.txFEE_BUMP_INNER_SUCCESS
            content = xdr.TransactionResultResult(
                code, inner_result_pair=xdr.InnerTransactionResultPair(inner_hash, inner)
            )
        else:
            content = xdr.TransactionResultResult(code, results=results)
        result = xdr.TransactionResult(xdr.Int64(fee), content, xdr.TransactionResultExt(0))
        return xdr.TransactionResultPair(xdr.Hash(envelope.hash()), result)

    def transaction_meta(self) -> xdr.TransactionMeta:
        each = [list(changes) for changes in self.changes] or [[] for _ in self.operations]
        if self.failed and not self.events:
            each = []
        old = [xdr.OperationMeta(xdr.LedgerEntryChanges(changes)) for changes in each]
        none, after = xdr.LedgerEntryChanges([]), xdr.LedgerEntryChanges(list(self.after))
        if self.meta == 0:
            return xdr.TransactionMeta(0, operations=old)
        if self.meta == 1:
            return xdr.TransactionMeta(1, v1=xdr.TransactionMetaV1(none, old))
        if self.meta == 2:
            return xdr.TransactionMeta(2, v2=xdr.TransactionMetaV2(none, old, after))
        if self.meta == 3:
            events = [one for some in self.events for one in some]
            soroban = xdr.SorobanTransactionMeta(
                xdr.SorobanTransactionMetaExt(0), events, scval.to_void(), list(self.diagnostic)
            )
            v3 = xdr.TransactionMetaV3(NO_EXTENSION, none, old, after, soroban if self.soroban else None)
            return xdr.TransactionMeta(3, v3=v3)
        events_of = [list(some) for some in self.events] or [[] for _ in each]
        new = [
            xdr.OperationMetaV2(NO_EXTENSION, xdr.LedgerEntryChanges(changes), some)
            for changes, some in zip(each, events_of, strict=False)
        ]
        fees = [fee_event(ALICE, 100 * len(self.operations))] if self.fees is None else self.fees
        stages = xdr.TransactionEventStage
        staged = [
            xdr.TransactionEvent(
                stages.TRANSACTION_EVENT_STAGE_AFTER_ALL_TXS
                if place
                else stages.TRANSACTION_EVENT_STAGE_BEFORE_ALL_TXS,
                one,
            )
            for place, one in enumerate(fees)
        ]
        v4 = xdr.TransactionMetaV4(NO_EXTENSION, none, new, after, None, staged, list(self.diagnostic))
        return xdr.TransactionMeta(4, v4=v4)


def ledger(
    *transactions: Tx,
    version: int = 1,
    protocol: int = 22,
    sequence: int = SEQUENCE,
    close_time: int = _CLOSE_TIME,
) -> bytes:
    """Return a `LedgerCloseMeta` of a version, with transactions in the order of application."""
    envelopes = [tx.envelope(number) for number, tx in enumerate(transactions, start=1)]
    results = [tx.result(envelope) for tx, envelope in zip(transactions, envelopes, strict=True)]
    xdrs = [envelope.to_xdr_object() for envelope in envelopes]
    if version == 0:
        old_set = xdr.TransactionSet(_HASH, xdrs)
        set_hash = hashlib.sha256(bytes(32) + b"".join(envelope.to_xdr_bytes() for envelope in xdrs)).digest()
        tx_set: Any = old_set
    else:
        discounted = xdr.TxSetComponentTxsMaybeDiscountedFee(None, xdrs)
        kind = xdr.TxSetComponentType.TXSET_COMP_TXS_MAYBE_DISCOUNTED_FEE
        phase = xdr.TransactionPhase(0, v0_components=[xdr.TxSetComponent(kind, discounted)])
        tx_set = xdr.GeneralizedTransactionSet(1, xdr.TransactionSetV1(_HASH, [phase]))
        set_hash = hashlib.sha256(tx_set.to_xdr_bytes()).digest()
    result_set = len(results).to_bytes(4, "big") + b"".join(pair.to_xdr_bytes() for pair in results)
    header = _header(sequence, close_time, protocol, set_hash, hashlib.sha256(result_set).digest())
    hashed = xdr.Hash(hashlib.sha256(header.to_xdr_bytes()).digest())
    entry = xdr.LedgerHeaderHistoryEntry(hashed, header, xdr.LedgerHeaderHistoryEntryExt(0))
    processing = [_processing(tx, pair, version == 2) for tx, pair in zip(transactions, results, strict=True)]
    if version == 0:
        meta = xdr.LedgerCloseMeta(0, v0=xdr.LedgerCloseMetaV0(entry, tx_set, processing, [], []))
    else:
        none = xdr.LedgerCloseMetaExt(0)
        rest: tuple[Any, ...] = (xdr.Uint64(0), [])
        if version == 1:
            v1 = xdr.LedgerCloseMetaV1(none, entry, tx_set, processing, [], [], *rest, [])
            meta = xdr.LedgerCloseMeta(1, v1=v1)
        else:
            meta = xdr.LedgerCloseMeta(2, v2=xdr.LedgerCloseMetaV2(none, entry, tx_set, processing, [], [], *rest))
    return meta.to_xdr_bytes()


def _processing(tx: Tx, pair: xdr.TransactionResultPair, newest: bool) -> Any:
    fees, meta = xdr.LedgerEntryChanges(list(tx.fee_changes)), tx.transaction_meta()
    if newest:
        return xdr.TransactionResultMetaV1(NO_EXTENSION, pair, fees, meta, xdr.LedgerEntryChanges([]))
    return xdr.TransactionResultMeta(pair, fees, meta)


def _header(sequence: int, close_time: int, protocol: int, set_hash: bytes, result_hash: bytes) -> xdr.LedgerHeader:
    value = xdr.StellarValue(
        xdr.Hash(set_hash),
        xdr.TimePoint(xdr.Uint64(close_time)),
        [],
        xdr.StellarValueExt(xdr.StellarValueType.STELLAR_VALUE_BASIC),
    )
    return xdr.LedgerHeader(
        xdr.Uint32(protocol),
        _HASH,
        value,
        xdr.Hash(result_hash),
        _HASH,
        xdr.Uint32(sequence),
        xdr.Int64(10**18),
        xdr.Int64(0),
        xdr.Uint32(0),
        xdr.Uint64(0),
        xdr.Uint32(100),
        xdr.Uint32(5000000),
        xdr.Uint32(1000),
        [_HASH] * 4,
        xdr.LedgerHeaderExt(0),
    )
