"""Contract values (`SCVal`), addresses and contract events as XDR."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from local.sample_network.encode import ZERO, account_id, array, boolean, i32, i64, opaque, present, u32, u64

VOID = u32(1)
INSTANCE_KEY = u32(20)
"""The key of a contract's instance."""


def of_bool(value: bool) -> bytes:
    """A truth value."""
    return u32(0) + boolean(value)


def of_u32(value: int) -> bytes:
    """A 32-bit number."""
    return u32(3) + u32(value)


def of_i32(value: int) -> bytes:
    """A signed 32-bit number."""
    return u32(4) + i32(value)


def of_u64(value: int) -> bytes:
    """A 64-bit number."""
    return u32(5) + u64(value)


def of_i64(value: int) -> bytes:
    """A signed 64-bit number."""
    return u32(6) + i64(value)


def timepoint(value: int) -> bytes:
    """Seconds since 1970."""
    return u32(7) + u64(value)


def duration(value: int) -> bytes:
    """Seconds."""
    return u32(8) + u64(value)


def u128(value: int) -> bytes:
    """A 128-bit number."""
    return u32(9) + value.to_bytes(16, "big")


def i128(value: int) -> bytes:
    """A signed 128-bit number."""
    return u32(10) + value.to_bytes(16, "big", signed=True)


def u256(value: int) -> bytes:
    """A 256-bit number."""
    return u32(11) + value.to_bytes(32, "big")


def i256(value: int) -> bytes:
    """A signed 256-bit number."""
    return u32(12) + value.to_bytes(32, "big", signed=True)


def of_bytes(value: bytes) -> bytes:
    """Bytes."""
    return u32(13) + opaque(value)


def string(text: str | bytes) -> bytes:
    """A string."""
    return u32(14) + opaque(text.encode() if isinstance(text, str) else text)


def symbol(text: str) -> bytes:
    """A symbol."""
    return u32(15) + opaque(text.encode())


def vector(items: Iterable[bytes]) -> bytes:
    """A list of values."""
    return u32(16) + present(array(items))


def mapping(items: dict[bytes, bytes]) -> bytes:
    """A map; its keys must come in order."""
    return u32(17) + present(array(key + value for key, value in items.items()))


def record(**fields: bytes) -> bytes:
    """A map whose keys are symbols."""
    return mapping({symbol(name): fields[name] for name in sorted(fields)})


def address(of: bytes) -> bytes:
    """An address, given as `SCAddress`."""
    return u32(18) + of


def instance(executable: bytes, storage: dict[bytes, bytes] | None) -> bytes:
    """A contract's instance: its executable, and its storage."""
    kept = ZERO if storage is None else present(array(key + value for key, value in storage.items()))
    return u32(19) + executable + kept


def error(kind: int, code: int) -> bytes:
    """An error of the host, by its type and code."""
    return u32(2) + u32(kind) + u32(code)


ASSET_EXECUTABLE = u32(1)
"""The executable of an asset's contract: the host itself."""


def wasm_executable(code: bytes) -> bytes:
    """The executable of a contract, by its code's hash."""
    return u32(0) + code


# SCAddress ------------------------------------------------------------------------------------------------------


def of_account(key: bytes) -> bytes:
    """`SCAddress` of an account."""
    return u32(0) + account_id(key)


def of_contract(contract: bytes) -> bytes:
    """`SCAddress` of a contract."""
    return u32(1) + contract


def of_balance(balance: bytes) -> bytes:
    """`SCAddress` of a claimable balance."""
    return u32(3) + ZERO + balance


def of_pool(pool: bytes) -> bytes:
    """`SCAddress` of a liquidity pool."""
    return u32(4) + pool


def address_size(of: bytes) -> int:
    """The number of bytes of an `SCAddress` of an account or a contract, without the following bytes."""
    return 40 if of[:4] == u32(0) else 36


# Order ----------------------------------------------------------------------------------------------------------

_TEXTS = (u32(13), u32(14), u32(15))
_VECTOR, _ADDRESS, _NONCE = u32(16), u32(18), u32(21)
_SIZES = {VOID: 0, INSTANCE_KEY: 0, u32(0): 4, u32(3): 4, u32(5): 8}


def order(value: bytes) -> bytes:
    """Bytes that compare as stellar-core compares values: by kind, then texts and lists item by item, not by size.

    It supports the keys of this network's contracts.
    """
    ordered, rest = _ordered(value)
    assert not rest
    return ordered


def _ordered(value: bytes) -> tuple[bytes, bytes]:
    """The bytes of the first value, and the remaining bytes."""
    kind, rest = value[:4], value[4:]
    if kind in _TEXTS:
        end = 4 + int.from_bytes(rest[:4], "big")
        return kind + rest[4:end].replace(b"\0", b"\0\1") + b"\0\0", rest[end + -end % 4 :]
    if kind == _VECTOR:
        count, rest = int.from_bytes(rest[4:8], "big"), rest[8:]
        items = []
        for _ in range(count):
            item, rest = _ordered(rest)
            items.append(b"\1" + item)
        return kind + b"".join(items) + b"\0", rest
    if kind == _NONCE:
        # Negative numbers come first.
        return kind + bytes([rest[0] ^ 0x80]) + rest[1:8], rest[8:]
    size = address_size(rest) if kind == _ADDRESS else _SIZES[kind]
    return kind + rest[:size], rest[size:]


# Events ---------------------------------------------------------------------------------------------------------


def contract_event(contract: bytes | None, topics: Sequence[bytes], data: bytes, kind: int = 1) -> bytes:
    """`ContractEvent`, of a contract (kind 1) or a diagnostic one (2)."""
    return ZERO + (present(contract) if contract else ZERO) + i32(kind) + ZERO + array(topics) + data
