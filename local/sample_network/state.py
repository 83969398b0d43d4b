"""The network's state, and its changes: nested attempts that are kept or undone, recorded as in stellar-core."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from local.sample_network.encode import array, u32
from local.sample_network.entries import Account, ContractCode, ContractData, Entry, Nonce, Offer, account_key

CREATED, UPDATED, REMOVED, STATE, RESTORED = (u32(kind) for kind in range(5))

E = TypeVar("E", bound=Entry)


class Attempt(dict[bytes, Entry | None]):
    """The state before of each changed entry; None if it did not exist.

    Attributes:
        undone: set to undo the changes at the block's end.
    """

    undone = False


class State:
    """Every live entry by its ledger key.

    Attributes:
        ledger: the ledger that is being closed: changes get its number as `modified`.
        entries: by `LedgerKey`.
        books: the offers of each pair (selling, buying), by their ledger keys.
        soroban_size: bytes of contract data and code.

    The initial entries count as changed in the initial ledger.
    """

    def __init__(self, ledger: int, entries: Iterable[Entry]) -> None:
        self.ledger = ledger
        self.entries: dict[bytes, Entry] = {}
        self.books: dict[tuple[bytes, bytes], dict[bytes, Offer]] = defaultdict(dict)
        self.soroban_size = 0
        self._attempts = [Attempt()]
        self._restored: set[bytes] = set()
        for entry in entries:
            self._remember(entry.key)
            self._set(entry.key, entry)

    def _set(self, key: bytes, entry: Entry | None) -> None:
        for known, sign in ((self.entries.pop(key, None), -1), (entry, 1)):
            if isinstance(known, Offer):
                book = self.books[known.selling, known.buying]
                if sign > 0:
                    book[key] = known
                else:
                    del book[key]
            elif isinstance(known, ContractData | ContractCode | Nonce):
                self.soroban_size += sign * len(known.xdr)
        if entry is not None:
            self.entries[key] = entry

    def get(self, kind: type[E], key: bytes) -> E | None:
        """The entry of this key, None if there is none."""
        found = self.entries.get(key)
        assert found is None or isinstance(found, kind)
        return found

    def account(self, owner: bytes) -> Account | None:
        """An account, None if there is none."""
        return self.get(Account, account_key(owner))

    def put(self, entry: Entry) -> None:
        """Write an entry: a new one, or the next state of an existing one."""
        self._remember(entry.key)
        self._set(entry.key, replace(entry, modified=self.ledger))

    def restore(self, entry: Entry) -> None:
        """Write an entry that is restored from the archive."""
        self.put(entry)
        self._restored.add(entry.key)

    def remove(self, key: bytes) -> None:
        """Remove an existing entry."""
        assert key in self.entries
        self._remember(key)
        self._set(key, None)

    def _remember(self, key: bytes) -> None:
        self._attempts[-1].setdefault(key, self.entries.get(key))

    @contextmanager
    def attempt(self) -> Iterator[Attempt]:
        """Changes inside join the surrounding attempt, unless the block raises or sets `undone`."""
        attempt = Attempt()
        self._attempts.append(attempt)
        kept = False
        try:
            yield attempt
            kept = not attempt.undone
        finally:
            self._attempts.pop()
            for key, before in attempt.items():
                if not kept:
                    self._restored.discard(key)
                    self._set(key, before)
                else:
                    self._attempts[-1].setdefault(key, before)

    def changes(self, attempt: Attempt) -> bytes:
        """Current `LedgerEntryChanges` of an attempt: each entry once, with its last state."""
        encoded: list[bytes] = []
        for key, before in attempt.items():
            after = self.entries.get(key)
            if before is not None:
                encoded += [STATE + before.xdr, REMOVED + key if after is None else UPDATED + after.xdr]
            elif after is not None:
                encoded.append((RESTORED if key in self._restored else CREATED) + after.xdr)
        self._restored.clear()
        return array(encoded)

    def settle(self) -> Attempt:
        """End the ledger; return the state before of each entry that changed since the last end."""
        (whole,) = self._attempts
        self._attempts = [Attempt()]
        return whole
