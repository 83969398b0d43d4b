"""The ledger entries that an operation changed, as pairs of states."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, NamedTuple

from stellar_etl.ledgers.ledger import Operation
from stellar_etl.transforms.shared.asset_contracts import asset_xdr
from stellar_etl.xdr import names


class EntryChange(NamedTuple):
    """An operation's change of one ledger entry.

    Attributes:
        type: the `LedgerEntryType`.
        key: the entry's key among those of its type, ordered as in the XDR of their ledger keys.
        before: the `LedgerEntry` before, None if it is new.
        after: the `LedgerEntry` after, None if it was removed.
    """

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
        """The last known content."""
        before, after = self.states
        return before if after is None else after


_KEYS: dict[int, Callable[[Any], bytes]] = {
    names.ACCOUNT: lambda entry: entry["accountID"][1],
    names.TRUSTLINE: lambda entry: entry["accountID"][1] + asset_xdr(entry["asset"]),
    names.DATA: lambda entry: entry["accountID"][1] + len(entry["dataName"]).to_bytes(4, "big") + entry["dataName"],
    names.CLAIMABLE_BALANCE: lambda entry: entry["balanceID"][1],
    names.LIQUIDITY_POOL: lambda entry: entry["liquidityPoolID"],
    names.TTL: lambda entry: entry["keyHash"],
}
"""An entry's key among those of its type, ordered as in the XDR of their ledger keys."""

_LEDGER_KEY = itemgetter(0, 1)  # of an `EntryChange`


def entry_changes(operation: Operation) -> list[EntryChange]:
    """Return the changes of an operation of a successful transaction, sorted by ledger key.

    The network records changes in no particular order. Offers and smart contracts' entries are left out.
    """
    found = []
    last: dict[str, Any] = {}
    for kind, entry in operation.transaction.operation_changes(operation.index):
        # An entry's state comes right before its change; a removal has only the key.
        before = last if kind in (names.LEDGER_ENTRY_UPDATED, names.LEDGER_ENTRY_REMOVED) else None
        after = None if kind == names.LEDGER_ENTRY_REMOVED else entry
        last = after or last
        if kind != names.LEDGER_ENTRY_STATE:
            type_, content = last["data"]
            key = _KEYS.get(type_)
            if key is not None:
                found.append(EntryChange(type_, key(content), before, after))
    if len(found) > 1:
        found.sort(key=_LEDGER_KEY)
    return found


class PoolChange(NamedTuple):
    """An operation's change of a liquidity pool.

    Attributes:
        pool: its last known `LiquidityPoolEntry`.
        reserve_a: the growth of its reserve of the first asset, in stroops.
        reserve_b: the same of the second asset.
        shares: the growth of its shares, in stroops.
    """

    pool: Any
    reserve_a: int
    reserve_b: int
    shares: int


def pool_change(changes: Iterable[EntryChange], pool: bytes) -> PoolChange | None:
    """Return the change of the pool with this id, None if it is not among the changes."""
    for change in changes:
        if change.type == names.LIQUIDITY_POOL and change.content["liquidityPoolID"] == pool:
            return pool_gain(change)
    return None


def pool_gain(change: EntryChange) -> PoolChange:
    """Return the change of an entry that is a liquidity pool as the change of its amounts."""
    before, after = (_amounts(state) for state in change.states)
    return PoolChange(change.content, *(new - old for old, new in zip(before, after, strict=True)))


def _amounts(pool: Any) -> tuple[int, int, int]:
    """A pool's two reserves and its shares, zeros if it does not exist."""
    if pool is None:
        return 0, 0, 0
    _, content = pool["body"]
    return content["reserveA"], content["reserveB"], content["totalPoolShares"]
