"""Single values in rows: accounts, assets, amounts, prices, names of codes."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Any

from stellar_etl.ledgers import strkey
from stellar_etl.ledgers.farmhash import signed_fingerprint64
from stellar_etl.xdr import names

STROOPS = 10_000_000

ASSET_TYPES = {
    names.ASSET_TYPE_NATIVE: "native",
    names.ASSET_TYPE_CREDIT_ALPHANUM4: "credit_alphanum4",
    names.ASSET_TYPE_CREDIT_ALPHANUM12: "credit_alphanum12",
}


def _replace_each_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("stellar_etl.replace_each_byte", _replace_each_byte)


def text(data: bytes) -> str:
    """Return a string of the ledger, which can contain any bytes: U+FFFD replaces each byte that is not UTF-8.

    Go's JSON encoder does the same; Python's own replacement writes one U+FFFD for several bytes of a broken sequence.
    """
    return data.decode("utf-8", "stellar_etl.replace_each_byte")


def number(value: float) -> int | float:
    """A float as Go writes it: an integer if it has no fraction."""
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def amount(stroops: int) -> int | float:
    """Stroops, ten millionths, as a number of whole units."""
    return number(stroops / STROOPS)


def amount_text(stroops: int) -> str:
    """Stroops as text with seven places."""
    sign = "-" if stroops < 0 else ""
    return f"{sign}{abs(stroops) // STROOPS}.{abs(stroops) % STROOPS:07d}"


def price(value: dict[str, int]) -> int | float:
    """A price as a number with seven places, rounded half away from zero."""
    n, d = value["n"], value["d"]
    if d == 0:
        return 0
    scaled = (2 * abs(n) * STROOPS + abs(d)) // (2 * abs(d))
    return amount(scaled if (n < 0) == (d < 0) else -scaled)


def price_r(value: dict[str, int]) -> dict[str, int]:
    """A price as a fraction."""
    return {"n": value["n"], "d": value["d"]}


def account_id(key: tuple[int, bytes]) -> str:
    """`G…` of an `AccountID`."""
    return strkey.account(key[1])


def muxed(value: tuple[int, Any]) -> tuple[str, str | None, int | None]:
    """Return the `G…` of a `MuxedAccount`, and its `M…` and id if it is muxed."""
    kind, key = value
    if kind == names.KEY_TYPE_ED25519:
        return strkey.account(key), None, None
    return strkey.account(key["ed25519"]), strkey.muxed_account(key["ed25519"], key["id"]), key["id"]


def unmuxed(value: tuple[int, Any]) -> tuple[int, bytes]:
    """Return the `AccountID` of a `MuxedAccount`."""
    kind, key = value
    return names.PUBLIC_KEY_TYPE_ED25519, key if kind == names.KEY_TYPE_ED25519 else key["ed25519"]


def account_details(prefix: str, value: tuple[int, Any]) -> dict[str, Any]:
    """Return `{prefix}`, and `{prefix}_muxed` and `{prefix}_muxed_id` if the account is muxed."""
    address, muxed_address, number_ = muxed(value)
    if muxed_address is None:
        return {prefix: address}
    return {prefix: address, f"{prefix}_muxed": muxed_address, f"{prefix}_muxed_id": number_}


def signer_key(value: tuple[int, Any]) -> str:
    """A `SignerKey` as text: `G…`, `T…`, `X…` or `P…`."""
    kind, key = value
    if kind == names.SIGNER_KEY_TYPE_ED25519:
        return strkey.account(key)
    if kind == names.SIGNER_KEY_TYPE_PRE_AUTH_TX:
        return strkey.encode(strkey.PRE_AUTH_TX, key)
    if kind == names.SIGNER_KEY_TYPE_HASH_X:
        return strkey.encode(strkey.HASH_X, key)
    payload = key["payload"]
    padded = payload + bytes(-len(payload) % 4)
    return strkey.encode(strkey.SIGNED_PAYLOAD, key["ed25519"] + len(payload).to_bytes(4, "big") + padded)


@lru_cache(maxsize=65536)
def _credit(kind: int, code: bytes, issuer: bytes) -> tuple[str, str, str, int]:
    type_, code_, issuer_ = ASSET_TYPES[kind], text(code.rstrip(b"\0")), strkey.account(issuer)
    return type_, code_, issuer_, signed_fingerprint64(f"{code_}{issuer_}{type_}".encode())


NATIVE_ID = signed_fingerprint64(b"native")


def asset_parts(asset: tuple[int, Any]) -> tuple[str, str, str, int]:
    """Type, code, issuer and id of an `Asset`; code and issuer of lumens are empty."""
    kind, value = asset
    if kind == names.ASSET_TYPE_NATIVE:
        return "native", "", "", NATIVE_ID
    return _credit(kind, value["assetCode"], value["issuer"][1])


def asset_details(asset: tuple[int, Any], prefix: str = "", *, with_id: bool = True) -> dict[str, Any]:
    """`asset_type`, and for a credit `asset_code` and `asset_issuer`, and `asset_id`, each with a prefix."""
    type_, code, issuer, id_ = asset_parts(asset)
    stem = f"{prefix}_asset" if prefix else "asset"
    details: dict[str, Any] = {f"{stem}_type": type_}
    if type_ != "native":
        details[f"{stem}_code"] = code
        details[f"{stem}_issuer"] = issuer
    if with_id:
        details[f"{stem}_id"] = id_
    return details


def asset_canonical(asset: tuple[int, Any]) -> str:
    """`native`, or `CODE:ISSUER`."""
    type_, code, issuer, _ = asset_parts(asset)
    return type_ if type_ == "native" else f"{code}:{issuer}"


def balance_id(balance: tuple[int, bytes]) -> str:
    """A claimable balance's id as hex of its XDR."""
    kind, key = balance
    return (kind.to_bytes(4, "big") + key).hex()


def balance_details(balance: tuple[int, bytes], prefix: str = "") -> dict[str, str]:
    """A claimable balance's id as hex of its XDR and as strkey."""
    _, key = balance
    return {f"{prefix}balance_id": balance_id(balance), f"{prefix}balance_id_strkey": strkey.claimable_balance(key)}


def pool_details(pool: bytes, prefix: str = "") -> dict[str, str]:
    """A liquidity pool's id as hex and as strkey."""
    return {f"{prefix}liquidity_pool_id": pool.hex(), f"{prefix}liquidity_pool_id_strkey": strkey.liquidity_pool(pool)}


@lru_cache(maxsize=1024)
def camel(name: str) -> str:
    """An XDR member's name as the Go code spells it: `txFEE_BUMP_INNER_SUCCESS` is `TxFeeBumpInnerSuccess`."""
    return "".join(part.capitalize() for part in re.sub(r"([a-z])([A-Z])", r"\1_\2", name).split("_"))


@lru_cache(maxsize=1024)
def code_name(enum: str, value: int) -> str:
    """An enum's value as the Go code spells it: `TransactionResultCodeTxSuccess`."""
    return enum.replace("TTL", "Ttl") + camel(getattr(names, enum)[value])
