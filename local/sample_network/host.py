"""Contract entries and their times to live: functions of the host for all contracts."""

from __future__ import annotations

from dataclasses import replace

from local.sample_network import scval
from local.sample_network.config import MIN_PERSISTENT_TTL, MIN_TEMPORARY_TTL
from local.sample_network.encode import NATIVE, boolean, issuer_of, padded_code
from local.sample_network.entries import (
    ContractCode,
    ContractData,
    Entry,
    Nonce,
    Ttl,
    account_key,
    contract_data_key,
    trustline_key,
    ttl_key,
)
from local.sample_network.funds import move, room, spendable
from local.sample_network.keys import asset_name, contract_of
from local.sample_network.run import Failed, Run

TRAPPED = -2
ARCHIVED = -4

BALANCE_LIFE = 518_400
"""Ledgers that an asset's contract gives a balance whenever it writes one: a balance is not evicted in a short lake."""

RENT_DIVISOR = 4096
"""Bytes times ledgers that one stroop pays for. The public network's formula has more terms and the same direction."""


def instance_key(contract: bytes) -> bytes:
    """`LedgerKey` of a contract's instance."""
    return contract_data_key(contract, scval.INSTANCE_KEY)


def trap(run: Run, contract: bytes | None, message: str, *, kind: int = 0, code: int = 6) -> Failed:
    """The failure of a contract that trapped, with its diagnostic event."""
    topics = [scval.symbol("error"), scval.error(kind, code)]
    event = scval.contract_event(contract, topics, scval.string(message), kind=2)
    run.diagnostics.append(boolean(False) + event)
    return Failed(TRAPPED)


def lives(run: Run, key: bytes) -> bool:
    """Whether an entry exists and has not expired."""
    ttl = run.state.get(Ttl, ttl_key(key))
    return ttl is not None and ttl.live_until >= run.chain.sequence


def check_footprint(run: Run, keys: tuple[bytes, ...]) -> None:
    """Fail if an entry that the transaction names has been archived, or waits to be."""
    for key in keys:
        ttl = run.state.get(Ttl, ttl_key(key))
        if key in run.archive or (ttl is not None and persists(ttl.of) and ttl.live_until < run.chain.sequence):
            raise Failed(ARCHIVED)


def persists(key: bytes) -> bool:
    """Whether an entry of a contract's data or code is archived when it expires, instead of deleted."""
    return key[:4] == b"\0\0\0\7" or key[-1] == 1


def write(run: Run, entry: ContractData | ContractCode) -> None:
    """Write an entry; a new one gets the shortest time to live of its kind."""
    run.rent += len(entry.xdr)
    run.state.put(entry)
    if not lives(run, entry.key):
        persists = isinstance(entry, ContractCode) or entry.persistent
        life = MIN_PERSISTENT_TTL if persists else MIN_TEMPORARY_TTL
        set_life(run, entry, run.chain.sequence + life - 1)


def use_nonce(run: Run, owner: bytes, number: int, until: int) -> None:
    """Mark an account's signature of a call as used, or trap if it was."""
    mark = Nonce(owner=owner, number=number)
    if mark.key in run.state.entries:
        raise trap(run, None, "nonce already exists for address", kind=9, code=4)
    run.rent += len(mark.xdr)
    run.state.put(mark)
    set_life(run, mark, until)


def set_life(run: Run, entry: Entry, live_until: int) -> None:
    """Extend an entry's time to live, and count the cost."""
    known = run.state.get(Ttl, ttl_key(entry.key))
    begins = run.chain.sequence if known is None else known.live_until
    if live_until > begins or known is None:
        run.rent += len(entry.xdr) * (live_until - begins) // RENT_DIVISOR
        run.state.put(replace(known, live_until=live_until) if known else Ttl(of=entry.key, live_until=live_until))


def restore(run: Run, key: bytes) -> None:
    """Bring an entry back from the archive."""
    entry = run.archive[key]
    run.state.restore(entry)
    run.state.restore(Ttl(of=key, live_until=run.chain.sequence + MIN_PERSISTENT_TTL - 1))
    run.rent += len(entry.xdr) + len(entry.xdr) * MIN_PERSISTENT_TTL // RENT_DIVISOR


# Assets' contracts ----------------------------------------------------------------------------------------------


def asset_instance(asset: bytes) -> ContractData:
    """The instance of an asset's contract (CAP-46-06)."""
    name = asset_name(asset)
    code = name.split(":")[0]
    metadata = scval.record(decimal=scval.of_u32(7), name=scval.string(name), symbol=scval.string(code))
    storage = {scval.symbol("METADATA"): metadata}
    issuer = None if asset == NATIVE else issuer_of(asset)
    if issuer is None:
        info = [scval.symbol("Native")]
    else:
        terms = scval.record(asset_code=scval.string(padded_code(asset)), issuer=scval.of_bytes(issuer))
        info = [scval.symbol("AlphaNum4" if len(padded_code(asset)) == 4 else "AlphaNum12"), terms]
        storage[scval.vector([scval.symbol("Admin")])] = scval.address(scval.of_account(issuer))
    storage[scval.vector([scval.symbol("AssetInfo")])] = scval.vector(info)
    value = scval.instance(scval.ASSET_EXECUTABLE, storage)
    return ContractData(contract=contract_of(asset), name=scval.INSTANCE_KEY, value=value)


def balance_name(holder: bytes) -> bytes:
    """The key of a contract's balance in an asset's contract, as `SCVal`."""
    return scval.vector([scval.symbol("Balance"), scval.address(scval.of_contract(holder))])


def holding_key(asset: bytes, address: bytes) -> bytes | None:
    """`LedgerKey` of an address's balance of an asset, None for its issuer."""
    if address[:4] == b"\0\0\0\1":
        return contract_data_key(contract_of(asset), balance_name(address[4:]))
    owner = address[8:]
    if asset == NATIVE:
        return account_key(owner)
    return None if issuer_of(asset) == owner else trustline_key(owner, asset)


def balance_of(run: Run, asset: bytes, contract: bytes) -> int:
    """A contract's balance of an asset."""
    found = run.state.get(ContractData, contract_data_key(contract_of(asset), balance_name(contract)))
    # The amount is the first field of the map, right after its key.
    start = len(scval.record(amount=b"")) + 4
    return 0 if found is None else int.from_bytes(found.value[start : start + 16], "big", signed=True)


def move_asset(run: Run, asset: bytes, address: bytes, amount: int) -> None:
    """Change an address's balance of an asset by the asset's contract, or trap."""
    if address[:4] == b"\0\0\0\0":
        owner = address[8:]
        if amount < 0 and spendable(run, owner, asset) < -amount:
            raise trap(run, contract_of(asset), "balance is not sufficient to spend", code=10)
        if amount > 0 and room(run, owner, asset) < amount:
            raise trap(run, contract_of(asset), "trustline is missing or full", code=13)
        move(run, owner, asset, amount)
        return
    contract = address[4:]
    left = balance_of(run, asset, contract) + amount
    if left < 0:
        raise trap(run, contract_of(asset), "balance is not sufficient to spend", code=10)
    value = scval.record(amount=scval.i128(left), authorized=scval.of_bool(True), clawback=scval.of_bool(False))
    key = contract_data_key(contract_of(asset), balance_name(contract))
    known = run.state.get(ContractData, key)
    new = ContractData(contract=contract_of(asset), name=balance_name(contract), value=value)
    write(run, replace(known, value=value) if known else new)
    set_life(run, run.state.entries[key], run.chain.sequence + BALANCE_LIFE)
