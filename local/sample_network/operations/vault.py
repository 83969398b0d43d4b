"""A contract of this network: it counts, stores tokens and values, and publishes events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local.sample_network import scval
from local.sample_network.entries import ContractData, code_key, contract_data_key
from local.sample_network.host import instance_key, lives, move_asset, set_life, trap, write
from local.sample_network.keys import contract_of
from local.sample_network.operations.contracts import Invoke, Keys, holdings
from local.sample_network.run import Run


def wasm(note: str) -> bytes:
    """A valid module without functions; the note makes its hash unique."""
    text = note.encode()
    section = bytes([4]) + b"note" + text
    return b"\0asm\1\0\0\0" + b"\0" + bytes([len(section)]) + section


@dataclass(frozen=True)
class Vault:
    """A vault: its contract's id, and its code's hash."""

    contract: bytes
    code: bytes

    @property
    def keys(self) -> Keys:
        """The ledger keys of its instance and of its code."""
        return instance_key(self.contract), code_key(self.code)


@dataclass(frozen=True, kw_only=True)
class VaultCall(Invoke):
    """A call of a vault."""

    vault: Vault
    function_name: ClassVar[str]

    @property
    def contract(self) -> bytes:
        """The vault's id."""
        return self.vault.contract

    @property
    def target(self) -> bytes:
        """The vault."""
        return self.contract

    @property
    def called(self) -> str:
        """The function's name."""
        return self.function_name

    @property
    def footprint(self) -> tuple[Keys, Keys]:
        """Instance and code, and the entries that the call writes."""
        return (*self.vault.keys, *self.reads), self.writes

    @property
    def reads(self) -> Keys:
        """Further entries that it reads."""
        return ()

    @property
    def writes(self) -> Keys:
        """The entries that it writes."""
        return ()

    def emit(self, run: Run, topics: list[bytes], data: bytes) -> None:
        """Publish an event of the vault."""
        run.events.append(scval.contract_event(self.contract, topics, data))


@dataclass(frozen=True, kw_only=True)
class Increment(VaultCall):
    """Counts in a persistent entry, and stores the last caller in a temporary one."""

    function_name: ClassVar[str] = "increment"
    caller: bytes
    by: int

    @property
    def arguments(self) -> tuple[bytes, ...]:
        """The caller and the increment."""
        return scval.address(scval.of_account(self.caller)), scval.of_u32(self.by)

    @property
    def writes(self) -> Keys:
        """The counter and the note."""
        counter, note = scval.symbol("COUNTER"), scval.symbol("LAST")
        return (
            contract_data_key(self.contract, counter),
            contract_data_key(self.contract, note, persistent=False),
        )

    def call(self, run: Run) -> bytes:
        """Count; return the new count."""
        counter, _ = self.writes
        known = run.state.get(ContractData, counter) if lives(run, counter) else None
        count = self.by + (0 if known is None else int.from_bytes(known.value[4:], "big"))
        value = scval.of_u32(count)
        write(run, ContractData(contract=self.contract, name=scval.symbol("COUNTER"), value=value))
        who = scval.address(scval.of_account(self.caller))
        write(run, ContractData(contract=self.contract, name=scval.symbol("LAST"), value=who, persistent=False))
        instance = run.state.entries[instance_key(self.contract)]
        set_life(run, instance, run.chain.sequence + 40)
        self.emit(run, [scval.symbol("COUNTER"), scval.symbol("increment"), who], value)
        return value


@dataclass(frozen=True, kw_only=True)
class Deposit(VaultCall):
    """An amount of an asset from the caller into the vault."""

    function_name: ClassVar[str] = "deposit"
    caller: bytes
    asset: bytes
    amount: int

    @property
    def arguments(self) -> tuple[bytes, ...]:
        """The account, the asset, the amount."""
        token = scval.address(scval.of_contract(contract_of(self.asset)))
        return scval.address(scval.of_account(self.caller)), token, scval.i128(self.amount)

    @property
    def reads(self) -> Keys:
        """The asset's contract."""
        return (instance_key(contract_of(self.asset)),)

    @property
    def writes(self) -> Keys:
        """Both balances."""
        return holdings(self.asset, scval.of_account(self.caller), scval.of_contract(self.contract))

    def call(self, run: Run) -> bytes:
        """Move the amount in."""
        self._move(run, scval.of_account(self.caller), scval.of_contract(self.contract))
        return scval.VOID

    def _move(self, run: Run, source: bytes, destination: bytes) -> None:
        move_asset(run, self.asset, source, -self.amount)
        move_asset(run, self.asset, destination, self.amount)
        run.moved(self.asset, source, destination, self.amount)
        who = scval.address(scval.of_account(self.caller))
        data = scval.record(amount=scval.i128(self.amount), at=scval.timepoint(run.chain.close_time))
        self.emit(run, [scval.symbol("vault"), scval.symbol(self.function_name), who], data)


@dataclass(frozen=True, kw_only=True)
class Withdraw(Deposit):
    """An amount of an asset from the vault to the caller."""

    function_name: ClassVar[str] = "withdraw"

    def call(self, run: Run) -> bytes:
        """Move the amount out."""
        self._move(run, scval.of_contract(self.contract), scval.of_account(self.caller))
        return scval.VOID


@dataclass(frozen=True, kw_only=True)
class Remember(VaultCall):
    """Stores a value under a name (both `SCVal`), persistently or temporarily."""

    function_name: ClassVar[str] = "remember"
    name: bytes
    value: bytes
    persistent: bool = True

    @property
    def arguments(self) -> tuple[bytes, ...]:
        """The name and the value."""
        return self.name, self.value

    @property
    def writes(self) -> Keys:
        """The entry."""
        return (contract_data_key(self.contract, self.name, persistent=self.persistent),)

    def call(self, run: Run) -> bytes:
        """Store it."""
        entry = ContractData(contract=self.contract, name=self.name, value=self.value, persistent=self.persistent)
        write(run, entry)
        self.emit(run, [scval.symbol("remember"), self.name], self.value)
        return scval.VOID


@dataclass(frozen=True, kw_only=True)
class Recall(VaultCall):
    """Returns the value of a name (`SCVal`)."""

    function_name: ClassVar[str] = "recall"
    name: bytes

    @property
    def arguments(self) -> tuple[bytes, ...]:
        """The name."""
        return (self.name,)

    @property
    def writes(self) -> Keys:
        """The entry, which may need to be restored."""
        return (contract_data_key(self.contract, self.name),)

    def call(self, run: Run) -> bytes:
        """Return the value."""
        kept = run.state.get(ContractData, self.writes[0])
        if kept is None:
            raise trap(run, self.contract, "nothing is kept under this name")
        return kept.value


@dataclass(frozen=True, kw_only=True)
class Describe(VaultCall):
    """Publishes one event with a value of every kind."""

    function_name: ClassVar[str] = "describe"

    @property
    def arguments(self) -> tuple[bytes, ...]:
        """None."""
        return ()

    def call(self, run: Run) -> bytes:
        """Publish it, and one without topics."""
        values = {
            scval.of_u32(1): scval.of_bool(True),
            scval.of_u32(2): scval.of_i32(-7),
            scval.of_u32(3): scval.of_u64(2**64 - 1),
            scval.of_u32(4): scval.of_i64(-(2**63)),
            scval.of_u32(5): scval.u128(2**128 - 1),
            scval.of_u32(6): scval.i128(-(2**127)),
            scval.of_u32(7): scval.u256(2**256 - 1),
            scval.of_u32(8): scval.i256(-1),
            scval.of_u32(9): scval.vector([scval.VOID, scval.vector([]), scval.mapping({})]),
            scval.of_u32(10): scval.duration(3600),
        }
        topics = [scval.string('"quoted" <text> & ünïcode'), scval.of_bytes(b"\0\1\2\xff"), scval.VOID]
        self.emit(run, [scval.symbol("describe"), *topics], scval.mapping(values))
        self.emit(run, [], scval.error(0, 42))
        return scval.vector([scval.string("done"), scval.of_u32(run.chain.sequence)])


@dataclass(frozen=True, kw_only=True)
class Panic(VaultCall):
    """Traps."""

    function_name: ClassVar[str] = "panic"

    @property
    def arguments(self) -> tuple[bytes, ...]:
        """None."""
        return ()

    def call(self, run: Run) -> bytes:
        """Trap."""
        raise trap(run, self.contract, "VM call trapped: UnreachableCodeReached", kind=1)
