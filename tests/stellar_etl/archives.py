"""History archives for tests, built with the SDK's own XDR classes: buckets, and the hashes that prove them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from stellar_sdk import SignerKey, scval, xdr

from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    NATIVE,
    NO_EXTENSION,
    PASSPHRASE,
    USD,
    account,
    claimable_balance,
    data,
    ledger,
    ledger_key,
    offer,
    pool,
    trust_line,
    ttl,
)

CHECKPOINT = 127
NO_BUCKET = "0" * 64

Bucket = Sequence[xdr.BucketEntry]
_KIND = xdr.BucketEntryType


def live(entry: xdr.LedgerEntry) -> xdr.BucketEntry:
    return xdr.BucketEntry(_KIND.LIVEENTRY, live_entry=entry)


def init(entry: xdr.LedgerEntry) -> xdr.BucketEntry:
    return xdr.BucketEntry(_KIND.INITENTRY, live_entry=entry)


def dead(entry: xdr.LedgerEntry) -> xdr.BucketEntry:
    return xdr.BucketEntry(_KIND.DEADENTRY, dead_entry=ledger_key(entry))


def meta(protocol: int = 23) -> xdr.BucketEntry:
    of = xdr.BucketMetadata(xdr.Uint32(protocol), xdr.BucketMetadataExt(0))
    return xdr.BucketEntry(_KIND.METAENTRY, meta_entry=of)


def record(content: bytes) -> bytes:
    return (len(content) | 1 << 31).to_bytes(4, "big") + content


def bucket_bytes(entries: Bucket) -> bytes:
    """Return a bucket's uncompressed file."""
    return b"".join(record(entry.to_xdr_bytes()) for entry in entries)


def path_of(folder: Path, kind: str, id_: str, ending: str = "xdr.gz") -> Path:
    return folder / kind / id_[:2] / id_[2:4] / id_[4:6] / f"{kind}-{id_}.{ending}"


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_bucket(folder: Path, content: bytes) -> str:
    """Write a bucket; return its hash. An empty bucket has a zero hash."""
    if not content:
        return NO_BUCKET
    hash_ = sha256(content).hexdigest()
    write(path_of(folder, "bucket", hash_), gzip.compress(content, 1))
    return hash_


def list_hash(hashes: Sequence[str]) -> bytes:
    """Return the hash of eleven levels, each with two of these hashes."""
    levels = [bytes.fromhex(curr + snap) for curr, snap in zip(hashes[::2], hashes[1::2], strict=True)]
    assert len(levels) == 11
    return sha256(b"".join(sha256(level).digest() for level in levels)).digest()


def state_json(hashes: Sequence[str], hot: Sequence[str] | None, sequence: int, passphrase: str | None) -> bytes:
    def levels(some: Sequence[str]) -> list[dict[str, Any]]:
        pairs = zip(some[::2], some[1::2], strict=True)
        return [{"curr": curr, "next": {"state": 0}, "snap": snap} for curr, snap in pairs]

    state: dict[str, Any] = {"version": 1, "server": "made", "currentLedger": sequence}
    state["currentBuckets"] = levels(hashes)
    if hot is not None:
        state |= {"version": 2, "hotArchiveBuckets": levels(hot)}
    if passphrase is not None:
        state["networkPassphrase"] = passphrase
    return json.dumps(state, indent=4).encode()


def header_entry(sequence: int, bucket_list_hash: bytes) -> xdr.LedgerHeaderHistoryEntry:
    made = xdr.LedgerCloseMeta.from_xdr_bytes(ledger(sequence=sequence)).v1
    assert made is not None
    header = made.ledger_header.header
    header.bucket_list_hash = xdr.Hash(bucket_list_hash)
    made.ledger_header.hash = xdr.Hash(sha256(header.to_xdr_bytes()).digest())
    return made.ledger_header


def write_archive(
    folder: Path,
    buckets: Sequence[Bucket | bytes],
    *,
    sequence: int = CHECKPOINT,
    hot: Sequence[bytes] | None = None,
    passphrase: str | None = PASSPHRASE,
) -> Path:
    """Write an archive of one checkpoint: its buckets newest first, the rest of the 22 are empty.

    Args:
        folder: where to write it.
        buckets: entries, or a file's uncompressed bytes.
        sequence: the checkpoint's ledger.
        hot: the buckets of evicted entries, None for a protocol without them.
        passphrase: the passphrase in the state files.
    """
    contents = [some if isinstance(some, bytes) else bucket_bytes(some) for some in buckets]
    hashes = [write_bucket(folder, content) for content in contents] + [NO_BUCKET] * (22 - len(buckets))
    whole, hot_hashes = list_hash(hashes), None
    if hot is not None:
        hot_hashes = [write_bucket(folder, content) for content in hot] + [NO_BUCKET] * (22 - len(hot))
        whole = sha256(whole + list_hash(hot_hashes)).digest()
    state = state_json(hashes, hot_hashes, sequence, passphrase)
    write(folder / ".well-known" / "stellar-history.json", state)
    write(path_of(folder, "history", f"{sequence:08x}", "json"), state)
    # The lists of the other ledgers are unknown.
    entries = [header_entry(one, whole if one == sequence else bytes(32)) for one in range(sequence - 63, sequence + 1)]
    headers = b"".join(record(entry.to_xdr_bytes()) for entry in entries)
    write(path_of(folder, "ledger", f"{sequence:08x}"), gzip.compress(headers))
    return folder


# Entries of each type -------------------------------------------------------------------------------------------


def _entry(kind: str, **content: Any) -> xdr.LedgerEntry:
    data = xdr.LedgerEntryData(xdr.LedgerEntryType[kind], **content)
    return xdr.LedgerEntry(xdr.Uint32(90), data, xdr.LedgerEntryExt(0))


def contract_data(number: int, key: xdr.SCVal | None = None) -> xdr.LedgerEntry:
    address = xdr.SCAddress(xdr.SCAddressType.SC_ADDRESS_TYPE_CONTRACT, contract_id=xdr.ContractID(xdr.Hash(bytes(32))))
    content = xdr.ContractDataEntry(
        NO_EXTENSION,
        address,
        key or scval.to_symbol("key"),
        xdr.ContractDataDurability.PERSISTENT,
        scval.to_uint32(number),
    )
    return _entry("CONTRACT_DATA", contract_data=content)


def contract_code(number: int, size: int = 8) -> xdr.LedgerEntry:
    hash_ = xdr.Hash(number.to_bytes(32, "big"))
    return _entry("CONTRACT_CODE", contract_code=xdr.ContractCodeEntry(xdr.ContractCodeEntryExt(0), hash_, bytes(size)))


def setting(size: int) -> xdr.LedgerEntry:
    kind = xdr.ConfigSettingID.CONFIG_SETTING_CONTRACT_MAX_SIZE_BYTES
    return _entry(
        "CONFIG_SETTING",
        config_setting=xdr.ConfigSettingEntry(kind, contract_max_size_bytes=xdr.Uint32(size)),
    )


NONCE = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_NONCE, nonce_key=xdr.SCNonceKey(xdr.Int64(5)))

EVERY_TYPE = [
    account(ALICE, 5 * 10**7, signers=[(SignerKey.ed25519_public_key(BOB).to_xdr_object(), 3, CAROL)]),
    account(BOB, 6 * 10**7, master=0),
    trust_line(ALICE, USD, 70, sponsor=BOB),
    trust_line(BOB, bytes([9]) * 32, 71),
    offer(ALICE, 12, USD, NATIVE, 100, 1, 3),
    pool(4, 5, 6),
    claimable_balance(7),
    contract_data(8),
    contract_data(8, NONCE),
    contract_code(9),
    setting(65536),
    ttl(3, 90),  # expired, and not evicted yet
    data("name", b"value"),
]
"""Entries of all types, and two without a table."""
