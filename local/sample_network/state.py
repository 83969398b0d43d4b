"""What the network holds, and what changes it: nested attempts that are kept or undone, told as stellar-core tells."""

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
    """What each changed entry was before; None if it was not there.

    Attributes:
        undone: set to undo at the block's end what was changed.
    """

    undone = False


class State:
    """Every live entry by its ledger key.

    Attributes:
        ledger: the ledger that is being closed: what changes now was modified in it.
        entries: by `LedgerKey`.
        books: the offers of each pair (selling, buying), by their ledger keys.
        soroban_size: bytes of contract data and code.

    What it begins with counts as changed in the ledger that it begins with.
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
        """Writes an entry: a new one, or the next state of one that is there."""
        self._remember(entry.key)
        self._set(entry.key, replace(entry, modified=self.ledger))

    def restore(self, entry: Entry) -> None:
        """Writes an entry that comes back from the archive."""
        self.put(entry)
        self._restored.add(entry.key)

    def remove(self, key: bytes) -> None:
        """Removes an entry that is there."""
        assert key in self.entries
        self._remember(key)
        self._set(key, None)

    def _remember(self, key: bytes) -> None:
        self._attempts[-1].setdefault(key, self.entries.get(key))

    @contextmanager
    def attempt(self) -> Iterator[Attempt]:
        """What is changed inside joins the attempt around it, unless the block raises or says that it is undone."""
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
        """`LedgerEntryChanges` of an attempt, as of now: each entry once, whatever became of it on the way."""
        told: list[bytes] = []
        for key, before in attempt.items():
            after = self.entries.get(key)
            if before is not None:
                told += [STATE + before.xdr, REMOVED + key if after is None else UPDATED + after.xdr]
            elif after is not None:
                told.append((RESTORED if key in self._restored else CREATED) + after.xdr)
        self._restored.clear()
        return array(told)

    def settle(self) -> Attempt:
        """Ends the ledger: gives what each entry that changed since the last end was before."""
        (whole,) = self._attempts
        self._attempts = [Attempt()]
        return whole
