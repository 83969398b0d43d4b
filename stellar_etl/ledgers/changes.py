"""What became of each ledger entry within one ledger.

The network records changes in the order in which it made them: the fees of all transactions, what each transaction did,
what was given back of the fees, upgrades, evictions. Of one entry's changes only what they come to is kept, as
stellar-etl has it of Stellar's SDK for Go (https://github.com/stellar/go-stellar-sdk/tree/main/ingest:
`ledger_change_reader.go`, `change_compactor.go`); that SDK leaves evictions out.
"""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from stellar_etl.xdr import names

Entry = dict[str, Any]
"""A decoded `LedgerEntry`."""

Recorded = list[tuple[int, Any]]
"""A decoded `LedgerEntryChanges`."""

CREATED = names.LEDGER_ENTRY_CREATED
UPDATED = names.LEDGER_ENTRY_UPDATED
REMOVED = names.LEDGER_ENTRY_REMOVED
RESTORED = names.LEDGER_ENTRY_RESTORED


class Change(NamedTuple):
    """What became of one ledger entry.

    Attributes:
        kind: `LEDGER_ENTRY_CREATED`, `…_UPDATED`, `…_REMOVED` or `…_RESTORED`.
        type: the entry's `LedgerEntryType`.
        key: the XDR of its `LedgerKey`.
        before: its state before, None if it was not there, or was archived. Of an evicted entry the network tells only
            the key: its content has the key's fields alone, and its `lastModifiedLedgerSeq` is None.
        after: its state after, None if it is gone.
    """

    kind: int
    type: int
    key: bytes
    before: Entry | None
    after: Entry | None

    @property
    def place(self) -> str:
        """Which entry it is, for messages."""
        return f"ledger key {b64encode(self.key).decode()}"

    @property
    def entry(self) -> Entry:
        """The state after, and of what is gone the state before."""
        entry = self.after or self.before
        assert entry is not None, "an entry was there before or is there after"
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
_TYPES = {type_: type_.to_bytes(4, "big") for type_ in _KEYS}


def ledger_key(type_: int, content: Any) -> bytes:
    """The XDR of the `LedgerKey` of an entry of a type that has a table."""
    return _TYPES[type_] + _KEYS[type_](content)


def compacted(meta: dict[str, Any]) -> dict[int, list[Change]]:
    """What became of the entries of each type, in the order in which they were first touched.

    What was made and is gone again is left out.

    Args:
        meta: the content of a `LedgerCloseMeta`.

    Raises:
        ValueError: an entry is removed whose state before isn't told.
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
        yield from _paired(recorded)
    # The last act of a ledger: what has expired leaves it.
    for (type_, key), raw in zip(meta.get("evictedKeys", ()), meta.get("evictedKeys_raw", ()), strict=True):
        gone = {"lastModifiedLedgerSeq": None, "data": (type_, key), "ext": (0, None)}
        yield Change(REMOVED, type_, raw, gone, None)


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
    """The changes that applying a transaction made."""
    version, meta = outcome["txApplyProcessing"][:2]
    if version > 0:
        yield meta["txChanges" if version == 1 else "txChangesBefore"]
    # Changes that were undone are recorded there: https://github.com/stellar/go/issues/2111
    if protocol <= 12 and outcome["result"]["result"]["result"][0] == names.txINTERNAL_ERROR:
        return
    for operation in meta if version == 0 else meta["operations"]:
        yield operation["changes"]
    if version > 1:
        yield meta["txChangesAfter"]


def _paired(recorded: Recorded) -> Iterator[Change]:
    """Changes with the state before, which is recorded right before what became of it."""
    state = None
    for kind, entry in recorded:
        if kind == names.LEDGER_ENTRY_STATE:
            state = entry
            continue
        before = None if kind == CREATED else state
        after = None if kind == REMOVED else entry  # of what is removed only the key is recorded
        shown = after or before
        if shown is None:
            raise ValueError(f"a {names.LedgerEntryType[entry[0]]} is removed whose state before is not recorded")
        type_, content = shown["data"]
        if type_ in _KEYS:
            yield Change(kind, type_, ledger_key(type_, content), before, after)
        state = None


def _joined(earlier: Change, later: Change) -> Change | None:
    """What two changes of an entry come to, None if it was not there before and is not there after."""
    after = later.after
    if after is None:
        # What came out of the archive has no state before the ledger: then the one before the removal is shown.
        before = earlier.before or later.before
        return None if earlier.kind == CREATED else Change(REMOVED, later.type, later.key, before, None)
    kind = RESTORED if RESTORED in (earlier.kind, later.kind) else UPDATED
    if later.type == names.TTL and earlier.after is not None:
        # Transactions that were applied side by side don't see each other's extensions: the longest one counts
        # (https://github.com/stellar/stellar-protocol/blob/master/core/cap-0063.md#ttl-ledger-change-semantics).
        after = max(after, earlier.after, key=lambda entry: entry["data"][1]["liveUntilLedgerSeq"])
    return Change(CREATED if earlier.kind == CREATED else kind, later.type, later.key, earlier.before, after)
