"""The changes of ledger entries within one ledger.

The network records changes in the order in which it made them: the fees of all transactions, the changes of each
transaction, refunds of fees, upgrades, evictions. The changes of one entry are combined into one, as stellar-etl does
it with Stellar's SDK for Go (https://github.com/stellar/go-stellar-sdk/tree/main/ingest: `ledger_change_reader.go`,
`change_compactor.go`); that SDK omits evictions.
"""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from stellar_etl.xdr import names

Entry = dict[str, Any]
"""A decoded `LedgerEntry`."""

Recorded = list[tuple[int, Any]]
"""A decoded `LedgerEntryChanges`."""

STATE = names.LEDGER_ENTRY_STATE
CREATED = names.LEDGER_ENTRY_CREATED
UPDATED = names.LEDGER_ENTRY_UPDATED
REMOVED = names.LEDGER_ENTRY_REMOVED
RESTORED = names.LEDGER_ENTRY_RESTORED


class Change(NamedTuple):
    """The change of one ledger entry within a ledger.

    Attributes:
        kind: `LEDGER_ENTRY_CREATED`, `…_UPDATED`, `…_REMOVED` or `…_RESTORED`.
        type: the entry's `LedgerEntryType`.
        key: the XDR of its `LedgerKey`.
        before: its state before, None if it did not exist, or was archived. Of an evicted entry the network records
            only the key: its content has the key's fields alone, and its `lastModifiedLedgerSeq` is None.
        after: its state after, None if it was removed.
    """

    kind: int
    type: int
    key: bytes
    before: Entry | None
    after: Entry | None

    @property
    def location(self) -> str:
        """The entry's name in messages."""
        return f"ledger key {b64encode(self.key).decode()}"

    @property
    def evicted(self) -> bool:
        """Whether the entry was evicted, and the ledger records only its key."""
        return self.before is not None and self.before["lastModifiedLedgerSeq"] is None

    @property
    def entry(self) -> Entry:
        """The state after, or the state before of a removed entry."""
        entry = self.after or self.before
        assert entry is not None, "an entry exists before or after its change"
        return entry

    @property
    def content(self) -> dict[str, Any]:
        """What `entry` holds: `AccountEntry`, `TrustLineEntry` and so on."""
        content: dict[str, Any] = self.entry["data"][1]
        return content


_ED25519 = names.PUBLIC_KEY_TYPE_ED25519.to_bytes(4, "big")

# The XDR of a ledger key's fields, from an entry's content. Data entries have no table.
_KEYS: dict[int, Callable[[Any], bytes]] = {
    names.ACCOUNT: lambda entry: _ED25519 + entry["accountID"][1],
    names.TRUSTLINE: lambda entry: _ED25519 + entry["accountID"][1] + entry["asset_raw"],
    names.OFFER: lambda entry: _ED25519 + entry["sellerID"][1] + entry["offerID"].to_bytes(8, "big", signed=True),
    names.CLAIMABLE_BALANCE: lambda entry: entry["balanceID"][0].to_bytes(4, "big") + entry["balanceID"][1],
    names.LIQUIDITY_POOL: lambda entry: entry["liquidityPoolID"],
    # Contract, key and durability stand between the extension and the value.
    names.CONTRACT_DATA: lambda entry: entry["raw"][4 : -len(entry["val_raw"])],
    names.CONTRACT_CODE: lambda entry: entry["hash"],
    names.CONFIG_SETTING: lambda entry: entry[0].to_bytes(4, "big"),
    names.TTL: lambda entry: entry["keyHash"],
}
_KEY_FIELDS: dict[int, Callable[[Any], Any]] = {
    names.ACCOUNT: itemgetter("accountID"),
    names.TRUSTLINE: itemgetter("accountID", "asset"),
    names.OFFER: itemgetter("sellerID", "offerID"),
    names.DATA: itemgetter("accountID", "dataName"),
    names.CLAIMABLE_BALANCE: itemgetter("balanceID"),
    names.LIQUIDITY_POOL: itemgetter("liquidityPoolID"),
    names.CONTRACT_DATA: itemgetter("contract", "key", "durability"),
    names.CONTRACT_CODE: itemgetter("hash"),
    names.CONFIG_SETTING: itemgetter(0),  # the setting's id; the network removes no setting
    names.TTL: itemgetter("keyHash"),
}
"""The columns that an entry's content and its ledger key share."""

_TYPES = {type_: type_.to_bytes(4, "big") for type_ in _KEYS}


def ledger_key(type_: int, content: Any) -> bytes:
    """The XDR of the `LedgerKey` of an entry of a type that has a table."""
    return _TYPES[type_] + _KEYS[type_](content)


def compacted(meta: dict[str, Any]) -> dict[int, list[Change]]:
    """Return the changes of the entries of each type, in the order in which they were first changed.

    The state before and the state after the ledger decide:

    - neither there: no change, unless the entry was restored in between: then `LEDGER_ENTRY_REMOVED`;
    - only before: `LEDGER_ENTRY_REMOVED`;
    - only after: `LEDGER_ENTRY_CREATED`, or `LEDGER_ENTRY_RESTORED` if the entry came out of the archive;
    - both: `LEDGER_ENTRY_UPDATED`; so too an entry that was restored, removed and created again.

    Args:
        meta: the content of a `LedgerCloseMeta`.

    Raises:
        ValueError: an entry is removed whose state before is not recorded.
    """
    found: dict[bytes, Change] = {}
    for change in _single(meta):
        key = change.key
        earlier = found.get(key)
        whole = change if earlier is None else _joined(earlier, change)
        if whole is None:
            del found[key]
        else:
            found[key] = whole
    by_type: defaultdict[int, list[Change]] = defaultdict(list)
    for change in found.values():
        by_type[change.type].append(change)
    return by_type


def _single(meta: dict[str, Any]) -> Iterator[Change]:
    for recorded in _recorded(meta):
        # The network records the changes of a list in no particular order; the SDK for Go sorts them by ledger key.
        yield from sorted(_paired(recorded), key=attrgetter("key"))
    # The last step of a ledger: expired entries are evicted.
    for (type_, key), raw in zip(meta.get("evictedKeys", ()), meta.get("evictedKeys_raw", ()), strict=True):
        evicted = {"lastModifiedLedgerSeq": None, "data": (type_, key), "ext": (0, None)}
        yield Change(REMOVED, type_, raw, evicted, None)


def _recorded(meta: dict[str, Any]) -> Iterator[Recorded]:
    """The changes of a ledger, in the order in which they were made."""
    outcomes = meta["txProcessing"]
    protocol = meta["ledgerHeader"]["header"]["ledgerVersion"]
    for outcome in outcomes:
        yield outcome["feeProcessing"]
    for outcome in outcomes:
        yield from _applied(outcome, protocol)
    for outcome in outcomes:
        yield outcome.get("postTxApplyFeeProcessing", [])
    for upgrade in meta["upgradesProcessing"]:
        yield upgrade["changes"]


def _applied(outcome: dict[str, Any], protocol: int) -> Iterator[Recorded]:
    """The changes made by applying a transaction."""
    version, meta = outcome["txApplyProcessing"][:2]
    if version > 0:
        yield meta["txChanges" if version == 1 else "txChangesBefore"]
    # It also records changes that were undone: https://github.com/stellar/go/issues/2111
    if protocol <= 12 and outcome["result"]["result"]["result"][0] == names.txINTERNAL_ERROR:
        return
    for operation in meta if version == 0 else meta["operations"]:
        yield operation["changes"]
    if version > 1:
        yield meta["txChangesAfter"]


def _paired(recorded: Recorded) -> Iterator[Change]:
    """Yield the changes of a list with the state before.

    The state is recorded right before the change. A restored entry is the state before its own later
    changes (CAP-66): `[RESTORED, UPDATED]`, `[RESTORED, REMOVED]`.

    Raises:
        ValueError: an entry is removed whose state before is not recorded.
    """
    recorded = _restored_first(recorded)
    state = None
    for place, (kind, entry) in enumerate(recorded):
        if kind == STATE:
            state = entry
            continue
        if state is None and kind in (UPDATED, REMOVED):
            state = _last_state(recorded[:place], entry)
        before = None if kind == CREATED else state
        after = None if kind == REMOVED else entry  # a removal records only the key
        shown = after or before
        if shown is None:
            raise ValueError(f"a {names.LedgerEntryType[entry[0]]} is removed whose state before is not recorded")
        type_, content = shown["data"]
        if type_ in _KEYS:
            yield Change(kind, type_, ledger_key(type_, content), before, after)
        state = None


def _restored_first(recorded: Recorded) -> Recorded:
    """Return the changes of a list with each restored entry before its later changes.

    Stellar-core 23.0.0rc4 recorded some in reverse order (https://github.com/stellar/stellar-core/issues/4845).
    """
    restored = [place for place, (kind, _) in enumerate(recorded) if kind == RESTORED]
    if not restored:
        return recorded
    ordered = list(recorded)
    for place in restored:
        key = _key_fields(ordered[place][1])
        for earlier in range(place):
            kind, entry = ordered[earlier]
            has_state = earlier > 0 and ordered[earlier - 1][0] == STATE
            if kind in (UPDATED, REMOVED) and not has_state and _key_fields(entry) == key:
                ordered.insert(earlier, ordered.pop(place))
                break
    return ordered


def _last_state(recorded: Recorded, changed: Any) -> Entry | None:
    """Return the last state in a list of the entry that an entry or a ledger key identifies, None if there is none."""
    key = _key_fields(changed)
    for kind, entry in reversed(recorded):
        if _key_fields(entry) == key:
            return None if kind == REMOVED else entry
    return None


def _key_fields(entry: Any) -> tuple[int, Any]:
    """Return what identifies a `LedgerEntry` or a `LedgerKey`."""
    type_, content = entry["data"] if isinstance(entry, dict) else entry
    return type_, _KEY_FIELDS[type_](content)


def _joined(earlier: Change, later: Change) -> Change | None:
    """Combine two changes of an entry; None if it existed neither before nor after."""
    after = later.after
    if after is None:
        if earlier.kind == CREATED:
            return None
        # A restored entry has no state before the ledger: use the one before the removal.
        removed = earlier.after or later.before if later.evicted else later.before
        return Change(REMOVED, later.type, later.key, earlier.before or removed, None)
    kind = RESTORED if RESTORED in (earlier.kind, later.kind) else UPDATED
    if later.type == names.TTL and earlier.after is not None:
        # Transactions that were applied in parallel don't see each other's extensions: the longest one counts
        # (https://github.com/stellar/stellar-protocol/blob/master/core/cap-0063.md#ttl-ledger-change-semantics).
        after = max(after, earlier.after, key=lambda entry: entry["data"][1]["liveUntilLedgerSeq"])
    return Change(CREATED if earlier.kind == CREATED else kind, later.type, later.key, earlier.before, after)
