"""Every sequence of changes of one entry that the protocol permits in a ledger, compared with a model.

The model keeps the whole history of an entry and of its time to live, and derives the rows from the history. The
exporter combines changes two by two instead. Each sequence is recorded in several ways: in one operation, in the
operations of one transaction, in several transactions, and in the order of stellar-core 23.0.0rc4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from stellar_sdk import BumpSequence, scval, xdr

from stellar_etl.transforms.registry import STATE
from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import NO_EXTENSION, PASSPHRASE, Tx, account, change, ledger, ledger_key, restored
from tests.stellar_etl.made import ttl as ttl_entry
from tests.stellar_etl.program import Row

LONGEST = 4
"""The maximum number of operations of one ledger that touch an entry here."""

CREATED, UPDATED, REMOVED, RESTORED = 0, 1, 2, 4
EXPIRED, LIVE = 50, 150
"""The last ledgers of an entry that has expired before the ledger, and of one that has not."""


class Value(NamedTuple):
    """The content of an entry, and the last ledger of its life."""

    value: int
    until: int


@dataclass(frozen=True)
class Life:
    """The history of one entry in one ledger.

    Attributes:
        before: the state before the ledger, None if the entry is missing or in the hot archive.
        archived: whether the entry is persistent and has expired before the ledger.
        steps: the state of the entry after each operation.
        restored: the number of the operation that restored the entry, None if there is none.
        recorded: the changes that each operation records.
        evicted: whether the ledger evicts the entry in the end.
    """

    before: Value | None
    archived: bool = False
    steps: tuple[Value | None, ...] = ()
    restored: int | None = None
    recorded: tuple[tuple[tuple[str, Value | None, Value | None], ...], ...] = ()
    evicted: bool = False

    @property
    def now(self) -> Value | None:
        """Return the state after the operations so far; None if no transaction can read the entry."""
        if self.steps:
            return self.steps[-1]
        return None if self.archived or (self.before and self.before.until == EXPIRED) else self.before

    def then(self, after: Value | None, *records: tuple[str, Value | None, Value | None], back: bool = False) -> Life:
        """Return the history with one more operation."""
        return replace(
            self,
            steps=(*self.steps, after),
            recorded=(*self.recorded, records),
            restored=len(self.steps) if back else self.restored,
        )


def next_lives(life: Life) -> Iterator[Life]:
    """Yield the possible next operations on an entry."""
    step = len(life.steps) + 2
    value, until = step, LIVE + 10 * step
    if life.archived and life.restored is None:
        old, minimum = life.before.value if life.before else 1, LIVE
        came = Value(old, minimum)
        back = ("restore", None, came)
        yield life.then(came, back, back=True)
        for changed in (Value(value, minimum), Value(old, until), Value(value, until), None):
            yield life.then(changed, back, ("change", came, changed), back=True)
        return
    now = life.now
    if now is None:
        # An expired temporary entry exists until it is evicted: creating it again is an update.
        there = life.before if not life.steps else None
        new = Value(value, until)
        yield life.then(new, ("change", there, new))
        return
    for after in (Value(value, now.until), Value(now.value, until), Value(value, until), None):
        yield life.then(after, ("change", now, after))
    if life.before is not None and now.until > LIVE and life.before.until == LIVE and None not in life.steps:
        # A transaction that runs in parallel with others does not see their extensions.
        seen, shorter = Value(now.value, LIVE), Value(now.value, LIVE + 1)
        yield life.then(Value(now.value, max(now.until, LIVE + 1)), ("change", seen, shorter))


def lives() -> Iterator[Life]:
    """Yield every history of up to `LONGEST` operations, from each possible state before the ledger."""
    begin = [
        Life(None),
        Life(Value(1, LIVE)),
        Life(Value(1, EXPIRED)),  # temporary
        Life(Value(1, EXPIRED), archived=True),  # not yet evicted
        Life(None, archived=True),  # in the hot archive
    ]
    for _ in range(LONGEST + 1):
        yield from begin
        yield from (
            replace(life, evicted=True) for life in begin if life.before == Value(1, EXPIRED) and not life.steps
        )
        begin = [longer for life in begin for longer in next_lives(life)]


Shown = tuple[int, int | None]
"""A row's `ledger_entry_change`, and its state of the entry, None if the ledger records only the key."""


def expected_row(life: Life, part: Callable[[Value], int], kinds: Sequence[bool]) -> Shown | None:
    """Return the expected row of the entry, or of its time to live; None for no row.

    Args:
        life: the history.
        part: the part of a state that the row shows.
        kinds: for each operation, whether it changed this part.
    """
    if life.evicted:
        return REMOVED, None
    if not any(kinds):
        return None
    after = life.steps[-1]
    if life.archived:
        gone = next((place for place, step in enumerate(life.steps) if step is None), None)
        if gone is None:
            assert after is not None
            return RESTORED, part(after)
        if after is not None:
            return UPDATED, part(after)
        # The state before the first removal: if an entry is restored and removed at once, the restored state.
        shown = life.steps[gone - 1] if gone else life.recorded[0][0][2]
        assert shown is not None
        return REMOVED, part(shown)
    if life.before is None:
        return None if after is None else (CREATED, part(after))
    return (REMOVED, part(life.before)) if after is None else (UPDATED, part(after))


def changes_part(record: tuple[str, Value | None, Value | None], part: Callable[[Value], int]) -> bool:
    kind, before, after = record
    return kind == "restore" or before is None or after is None or part(before) != part(after)


# Changes as a node records them ------------------------------------------------------------------------------------


def stored(name: str, value: int) -> xdr.LedgerEntry:
    """Return an entry of a contract."""
    contract = xdr.SCAddress(
        xdr.SCAddressType.SC_ADDRESS_TYPE_CONTRACT, contract_id=xdr.ContractID(xdr.Hash(bytes(32)))
    )
    persistent = xdr.ContractDataDurability.PERSISTENT
    content = xdr.ContractDataEntry(NO_EXTENSION, contract, scval.to_symbol(name), persistent, scval.to_uint32(value))
    data = xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=content)
    return xdr.LedgerEntry(xdr.Uint32(99), data, xdr.LedgerEntryExt(0))


@dataclass
class Recorded:
    """One history as changes of an entry and of its time to live.

    Attributes:
        name: the entry's key.
        life: the history.
    """

    name: str
    life: Life
    key: xdr.LedgerKey = field(init=False)
    ttl_key: xdr.LedgerKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = ledger_key(stored(self.name, 0))
        self.ttl_key = ledger_key(self.ttl(Value(0, 0)))

    def data(self, state: Value) -> xdr.LedgerEntry:
        return stored(self.name, state.value)

    def ttl(self, state: Value) -> xdr.LedgerEntry:
        entry = ttl_entry(0, state.until)
        assert entry.data.ttl is not None
        entry.data.ttl.key_hash = xdr.Hash(sha256(self.key.to_xdr_bytes()).digest())
        return entry

    def operation(self, number: int) -> list[xdr.LedgerEntryChange]:
        """Return the changes of one operation: of the entry, then of its time to live."""
        if number >= len(self.life.steps):
            return []
        found = []
        for part, entry in ((value_of, self.data), (until_of, self.ttl)):
            records = [record for record in self.life.recorded[number] if changes_part(record, part)]
            for place, (kind, before, after) in enumerate(records):
                if kind == "restore":
                    assert after is not None
                    found += restored(entry(after))
                    continue
                made = change(before and entry(before), after and entry(after))
                # A restored entry is the state before its next change.
                found += made[-1:] if place and records[place - 1][0] == "restore" else made
        return found

    def late(self, number: int) -> list[xdr.LedgerEntryChange]:
        """Return the changes as stellar-core 23.0.0rc4 recorded them: restored entries at the end."""
        made = self.operation(number)
        return [one for one in made if one.restored is None] + [one for one in made if one.restored is not None]


def value_of(state: Value) -> int:
    return state.value


def until_of(state: Value) -> int:
    return state.until


Layout = Callable[[Sequence[Recorded]], list[Tx]]


def apart(each: Callable[[Recorded, int], list[xdr.LedgerEntryChange]], all_: Sequence[Recorded]) -> list[Any]:
    return [[one for recorded in all_ for one in each(recorded, number)] for number in range(LONGEST)]


def transactions(all_: Sequence[Recorded]) -> list[Tx]:
    return [Tx([BumpSequence(1)], changes=[one]) for one in apart(Recorded.operation, all_)]


def operations(all_: Sequence[Recorded]) -> list[Tx]:
    return [Tx([BumpSequence(1)] * LONGEST, changes=apart(Recorded.operation, all_))]


def one_operation(all_: Sequence[Recorded]) -> list[Tx]:
    together = [one for recorded in all_ for number in range(LONGEST) for one in recorded.operation(number)]
    return [Tx([BumpSequence(1)], changes=[together])]


def restored_last(all_: Sequence[Recorded]) -> list[Tx]:
    return [Tx([BumpSequence(1)], changes=[one]) for one in apart(Recorded.late, all_)]


@pytest.mark.parametrize("layout", [transactions, operations, one_operation, restored_last])
def test_every_sequence_of_changes_gives_the_row_of_its_history(tmp_path: Path, layout: Layout) -> None:
    all_ = [Recorded(f"k{number}", life) for number, life in enumerate(lives())]
    assert len(all_) > 900
    meta = xdr.LedgerCloseMeta.from_xdr_bytes(ledger(*layout(all_), version=2, protocol=23))
    assert meta.v2 is not None
    meta.v2.evicted_keys = [key for one in all_ if one.life.evicted for key in (one.key, one.ttl_key)]
    rows = export(tmp_path, [meta.to_xdr_bytes()], PASSPHRASE, *STATE, verify=False).rows
    data = {row["key_decoded"]["symbol"]: row for row in rows["contract_data"]}
    times = {row["key_hash"]: row for row in rows["ttl"]}
    back = {row["ledger_key_hash"] for row in rows["restored_key"]}
    assert (len(data), len(times)) == (len(rows["contract_data"]), len(rows["ttl"]))

    def shown(row: Row | None, value: Any) -> Shown | None:
        return None if row is None else (row["ledger_entry_change"], value(row))

    for one in all_:
        life = one.life
        hashed = sha256(one.key.to_xdr_bytes()).hexdigest()
        changed = {
            part: [any(changes_part(record, part) for record in records) for records in life.recorded]
            for part in (value_of, until_of)
        }
        entry = expected_row(life, value_of, changed[value_of])
        time = expected_row(life, until_of, changed[until_of])
        found = data.pop(one.name, None)
        assert shown(found, lambda row: row["val_decoded"] and row["val_decoded"]["u32"]) == entry, life
        assert shown(times.pop(hashed, None), lambda row: row["live_until_ledger_seq"]) == time, life
        wanted = {key.to_xdr() for key, row in ((one.key, entry), (one.ttl_key, time)) if row and row[0] == RESTORED}
        assert back & {one.key.to_xdr(), one.ttl_key.to_xdr()} == wanted, life
    assert not data
    assert not times


def test_the_model_has_every_kind_of_change() -> None:
    kinds = {
        expected_row(life, part, [True] * len(life.steps))
        for life in lives()
        if life.steps or life.evicted
        for part in (value_of,)
    }
    assert {row and row[0] for row in kinds} == {None, CREATED, UPDATED, REMOVED, RESTORED}


def classic(step: int) -> list[list[int | None]]:
    """Return every sequence of balances of an account, None for no account."""
    if not step:
        return [[None], [1]]
    return [
        [*before, after]
        for before in classic(step - 1)
        for after in ([step + 1] if before[-1] is None else [step + 1, None])
    ]


@pytest.mark.parametrize("together", [False, True])
def test_every_sequence_of_an_account_gives_its_first_and_last_state(tmp_path: Path, together: bool) -> None:
    from stellar_sdk import Keypair

    histories = [history for length in range(1, LONGEST + 2) for history in classic(length)]
    keys = [Keypair.from_raw_ed25519_seed(number.to_bytes(32, "big")).public_key for number in range(len(histories))]

    def entry(number: int, balance: int | None) -> xdr.LedgerEntry | None:
        return None if balance is None else account(keys[number], balance * 10**7)

    steps = [
        [
            one
            for number, history in enumerate(histories)
            if step + 1 < len(history)
            for one in change(entry(number, history[step]), entry(number, history[step + 1]))
        ]
        for step in range(LONGEST + 1)
    ]
    lists = [[one for some in steps for one in some]] if together else steps
    made = ledger(Tx([BumpSequence(1)] * len(lists), changes=lists))
    rows = {row["account_id"]: row for row in export(tmp_path, [made], PASSPHRASE, *STATE).rows["accounts"]}
    for number, history in enumerate(histories):
        first, last = history[0], history[-1]
        row = rows.pop(keys[number], None)
        if first is None and last is None:
            assert row is None
        else:
            assert row is not None
            kind = CREATED if first is None else REMOVED if last is None else UPDATED
            assert (row["ledger_entry_change"], row["balance"]) == (kind, first if last is None else last)
    assert not rows
