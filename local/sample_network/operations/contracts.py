"""Contract calls: code, contracts, the assets' own contract, and entries' times to live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local.sample_network import scval
from local.sample_network.encode import ZERO, array, i32, i64, opaque, u32
from local.sample_network.entries import ContractCode, ContractData, code_key, nonce_key
from local.sample_network.host import (
    asset_instance,
    check_footprint,
    holding_key,
    instance_key,
    lives,
    move_asset,
    restore,
    set_life,
    trap,
    use_nonce,
    write,
)
from local.sample_network.keys import NETWORK, contract_of, sha256, sign
from local.sample_network.run import Operation, Run

Keys = tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class ContractOperation(Operation):
    """The operation of a contract transaction, which has exactly one.

    Attributes:
        insufficient: the result code if the fee does not cover rent and events.
        restoring: archived entries that it restores before its work (CAP-66).
    """

    insufficient: ClassVar[int]
    threshold: ClassVar[int] = 1

    restoring: Keys = ()

    @property
    def footprint(self) -> tuple[Keys, Keys]:
        """The ledger keys that its work reads, and those that it may write."""
        raise NotImplementedError

    @property
    def touched(self) -> tuple[Keys, Keys]:
        """All ledger keys that it reads, and all that it may write."""
        return self.footprint


@dataclass(frozen=True)
class Authorization:
    """An account's authorization of a call by any sender: valid once, until a ledger."""

    owner: bytes
    nonce: int
    until: int

    def xdr(self, invocation: bytes) -> bytes:
        """`SorobanCredentials`, with the signature of an invocation."""
        terms = i64(self.nonce) + u32(self.until)
        signature = sign(self.owner, sha256(u32(9) + NETWORK + terms + invocation))
        signed = scval.record(public_key=scval.of_bytes(self.owner), signature=scval.of_bytes(signature))
        return u32(1) + scval.of_account(self.owner) + terms + scval.vector([signed])


@dataclass(frozen=True, kw_only=True)
class HostFunction(ContractOperation):
    """`invoke_host_function` of any kind.

    Attributes:
        authorization: the authorizing account, None if it is the source.
    """

    number: ClassVar[int] = 24
    insufficient: ClassVar[int] = -5
    threshold: ClassVar[int] = 2
    authorization: Authorization | None = None

    @property
    def function(self) -> bytes:
        """`HostFunction`."""
        raise NotImplementedError

    @property
    def authorized(self) -> bytes | None:
        """`SorobanAuthorizedFunction` that the source's signature authorizes, None if none is needed."""
        return None

    @property
    def body(self) -> bytes:
        """`InvokeHostFunctionOp`."""
        if self.authorized is None:
            return self.function + ZERO
        invocation = self.authorized + array(())
        return self.function + array(
            [(ZERO if self.authorization is None else self.authorization.xdr(invocation)) + invocation]
        )

    @property
    def touched(self) -> tuple[Keys, Keys]:
        """The footprint, with the entry of the used signature."""
        read, written = self.footprint
        return read, written if self.authorization is None else (
            *written,
            nonce_key(self.authorization.owner, self.authorization.nonce),
        )

    def call(self, run: Run) -> bytes:
        """Run it; return its result as `SCVal`."""
        raise NotImplementedError

    def apply(self, run: Run) -> bytes:
        """Run it; return the hash of its result and its events."""
        for key in self.restoring:
            restore(run, key)
        read, written = self.touched
        check_footprint(run, tuple(key for key in (*read, *written) if key not in self.restoring))
        if self.authorization is not None:
            use_nonce(run, self.authorization.owner, self.authorization.nonce, self.authorization.until)
        run.returned = self.call(run)
        return sha256(run.returned + array(run.events))


@dataclass(frozen=True)
class UploadWasm(HostFunction):
    """Code for contracts."""

    code: bytes

    @property
    def function(self) -> bytes:
        """`HostFunction`."""
        return u32(2) + opaque(self.code)

    @property
    def footprint(self) -> tuple[Keys, Keys]:
        """The code's entry."""
        return (), (code_key(sha256(self.code)),)

    def call(self, run: Run) -> bytes:
        """Store the code; return its hash."""
        entry = ContractCode(code=self.code)
        if entry.key not in run.state.entries:
            write(run, entry)
        return scval.of_bytes(entry.digest)


def _from_address(deployer: bytes, salt: bytes) -> bytes:
    return u32(0) + scval.of_account(deployer) + salt


def contract_id(deployer: bytes, salt: bytes) -> bytes:
    """The id of the contract that an account creates with a salt."""
    return sha256(u32(8) + NETWORK + _from_address(deployer, salt))


@dataclass(frozen=True)
class CreateContract(HostFunction):
    """A contract of some code; `arguments` are the constructor's, None for the older form without."""

    deployer: bytes
    salt: bytes
    code: bytes
    arguments: tuple[bytes, ...] | None = None

    @property
    def contract(self) -> bytes:
        """The contract's id."""
        return contract_id(self.deployer, self.salt)

    @property
    def _made(self) -> bytes:
        constructor = b"" if self.arguments is None else array(self.arguments)
        return _from_address(self.deployer, self.salt) + scval.wasm_executable(self.code) + constructor

    @property
    def function(self) -> bytes:
        """`HostFunction`."""
        return u32(1 if self.arguments is None else 3) + self._made

    @property
    def authorized(self) -> bytes | None:
        """The deployer is the source."""
        return u32(1 if self.arguments is None else 2) + self._made

    @property
    def footprint(self) -> tuple[Keys, Keys]:
        """The code, and the instance."""
        return (code_key(self.code),), (instance_key(self.contract),)

    def call(self, run: Run) -> bytes:
        """Make the instance; return the contract's address."""
        if instance_key(self.contract) in run.state.entries:
            raise trap(run, self.contract, "contract already exists", kind=5, code=4)
        if not lives(run, code_key(self.code)):
            raise trap(run, self.contract, "Wasm does not exist", kind=5, code=3)
        storage = None if self.arguments is None else {scval.symbol("args"): scval.vector(self.arguments)}
        value = scval.instance(scval.wasm_executable(self.code), storage)
        write(run, ContractData(contract=self.contract, name=scval.INSTANCE_KEY, value=value))
        return scval.address(scval.of_contract(self.contract))


@dataclass(frozen=True)
class CreateAssetContract(HostFunction):
    """The contract of an asset; any account can create it, once."""

    asset: bytes

    @property
    def function(self) -> bytes:
        """`HostFunction`."""
        return u32(1) + u32(1) + self.asset + scval.ASSET_EXECUTABLE

    @property
    def footprint(self) -> tuple[Keys, Keys]:
        """The instance."""
        return (), (instance_key(contract_of(self.asset)),)

    def call(self, run: Run) -> bytes:
        """Make the instance; return the contract's address."""
        entry = asset_instance(self.asset)
        if entry.key in run.state.entries:
            raise trap(run, entry.contract, "contract already exists", kind=5, code=4)
        write(run, entry)
        return scval.address(scval.of_contract(entry.contract))


@dataclass(frozen=True, kw_only=True)
class Invoke(HostFunction):
    """A call of a contract's function."""

    @property
    def target(self) -> bytes:
        """The contract's id."""
        raise NotImplementedError

    @property
    def called(self) -> str:
        """The function's name."""
        raise NotImplementedError

    @property
    def arguments(self) -> tuple[bytes, ...]:
        """Its arguments, as `SCVal`."""
        raise NotImplementedError

    @property
    def _call(self) -> bytes:
        return scval.of_contract(self.target) + opaque(self.called.encode()) + array(self.arguments)

    @property
    def function(self) -> bytes:
        """`HostFunction`."""
        return u32(0) + self._call

    @property
    def authorized(self) -> bytes | None:
        """The call itself."""
        return i32(0) + self._call


@dataclass(frozen=True)
class AssetCall(Invoke):
    """`transfer`, `mint` or `burn` of an asset's contract, between addresses (`SCAddress`)."""

    asset: bytes
    name: str
    source_address: bytes | None
    destination: bytes | None
    amount: int

    @property
    def target(self) -> bytes:
        """The asset's contract."""
        return contract_of(self.asset)

    @property
    def called(self) -> str:
        """The function's name."""
        return self.name

    @property
    def arguments(self) -> tuple[bytes, ...]:
        """Sender, receiver, amount."""
        parties = [party for party in (self.source_address, self.destination) if party is not None]
        return (*map(scval.address, parties), scval.i128(self.amount))

    @property
    def footprint(self) -> tuple[Keys, Keys]:
        """The instance, and both balances."""
        return (instance_key(self.target),), holdings(self.asset, self.source_address, self.destination)

    def call(self, run: Run) -> bytes:
        """Move the amount."""
        if self.source_address is not None:
            move_asset(run, self.asset, self.source_address, -self.amount)
        if self.destination is not None:
            move_asset(run, self.asset, self.destination, self.amount)
        if self.source_address is not None and self.destination is not None:
            run.moved(self.asset, self.source_address, self.destination, self.amount)
        else:
            party = self.source_address or self.destination
            assert party is not None
            run.emit(self.name, self.asset, [party], scval.i128(self.amount))
        return scval.VOID


def holdings(asset: bytes, *addresses: bytes | None) -> Keys:
    """The ledger keys of addresses' balances of an asset."""
    found = (None if address is None else holding_key(asset, address) for address in addresses)
    return tuple(dict.fromkeys(key for key in found if key is not None))


@dataclass(frozen=True)
class ExtendFootprintTtl(ContractOperation):
    """Extends the time to live of entries."""

    number: ClassVar[int] = 25
    insufficient: ClassVar[int] = -3
    keys: Keys
    by: int

    @property
    def body(self) -> bytes:
        """`ExtendFootprintTTLOp`."""
        return ZERO + u32(self.by)

    @property
    def footprint(self) -> tuple[Keys, Keys]:
        """The entries, to read."""
        return self.keys, ()

    def apply(self, run: Run) -> bytes:
        """Extend live entries; skip others."""
        for key in self.keys:
            if lives(run, key):
                set_life(run, run.state.entries[key], run.chain.sequence + self.by)
        return b""


@dataclass(frozen=True)
class RestoreFootprint(ContractOperation):
    """Restores archived entries."""

    number: ClassVar[int] = 26
    insufficient: ClassVar[int] = -3
    keys: Keys

    @property
    def body(self) -> bytes:
        """`RestoreFootprintOp`."""
        return ZERO

    @property
    def footprint(self) -> tuple[Keys, Keys]:
        """The entries, to write."""
        return (), self.keys

    def apply(self, run: Run) -> bytes:
        """Restore archived entries; skip live ones, and expired ones that are not evicted yet."""
        for key in self.keys:
            if key in run.archive and key not in run.state.entries:
                restore(run, key)
        return b""
