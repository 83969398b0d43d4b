"""The generated decoder returns the values of the SDK's own decoder."""

from __future__ import annotations

import subprocess
import sys
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zstandard
from stellar_sdk import xdr as sdk

from stellar_etl.xdr import XdrError, decode_batch, decode_ledger
from tests.shared import REPO, SHARED, needs_shared
from tests.stellar_etl.lakes import records

CORE_TESTS = SHARED / "ledgers" / "core-tests"
LOAD_TEST = SHARED / "ledgers" / "load-test-ledgers-v27.xdr.zstd"


def test_the_decoder_equals_its_generators_output() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stellar_etl.xdr.generate", "--check"], cwd=REPO, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


@cache
def fields(kind: type) -> list[str]:
    """Return a struct's fields, in the order of its XDR definition."""
    names = kind.__init__.__code__.co_varnames
    return list(names[1 : kind.__init__.__code__.co_argcount])


def assert_same(ours: Any, theirs: Any, place: str) -> None:
    """Compare a decoded value with the SDK's object, field by field down to the leaves."""
    if theirs is None:
        assert ours is None, place
    elif isinstance(theirs, (bool, int, bytes)):
        assert ours == theirs, place
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), place
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{place}[{index}]")
    elif isinstance(theirs, Enum):
        assert ours == theirs.value, place
    else:
        assert_same_object(ours, theirs, place)


def assert_same_object(ours: Any, theirs: Any, place: str) -> None:
    names = fields(type(theirs))
    first = getattr(theirs, names[0])
    if isinstance(ours, dict):
        # The decoder's `nodeID` is the SDK's `node_id`; the SDK has no counterpart of the bytes kept beside the values.
        values = {key: value for key, value in ours.items() if key != "raw" and not key.endswith("_raw")}
        kept = {key.replace("_", "").lower(): value for key, value in values.items()}
        by_name = {name.replace("_", "").lower(): name for name in names}
        assert kept.keys() == by_name.keys(), f"{place}: {kept.keys() ^ by_name.keys()}"
        for key, name in by_name.items():
            assert_same(kept[key], getattr(theirs, name), f"{place}.{name}")
    elif len(names) == 1 and not isinstance(first, (int, Enum)):  # a typedef around one value
        assert_same(ours, first, place)
    elif isinstance(ours, tuple):  # a union: its discriminant, then the arm that is set
        assert_same(ours[0], first, f"{place}.{names[0]}")
        held = [arm for arm in (getattr(theirs, name) for name in names[1:]) if arm is not None]
        assert_same(ours[1], held[0] if held else None, f"{place}.{ours[0]}")
    else:
        assert_same(ours, first, place)


def decompressed(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())


def recorded_streams() -> dict[str, tuple[str, list[bytes]]]:
    """Return passphrase and ledgers of each recorded stream, by its name."""
    found = {"load test": ("Apply Load", list(records(decompressed(LOAD_TEST))))}
    for path in sorted(CORE_TESTS.rglob("*.xdr*")):
        data = path.read_bytes() if path.suffix == ".xdr" else decompressed(path)
        found[path.relative_to(CORE_TESTS).as_posix()] = ("(V) (;,,;) (V)", list(records(data)))
    return found


@needs_shared
@pytest.mark.parametrize("each", [5, pytest.param(1, marks=pytest.mark.slow)], ids=["every fifth", "all"])
def test_core_and_load_test_ledgers_decode_as_in_the_sdk(each: int) -> None:
    count = 0
    for name, (_, ledgers) in recorded_streams().items():
        # The load test's ledgers are large and similar: the SDK would take half a minute for all of them.
        for ledger in ledgers[:3:each] if name == "load test" else ledgers[::each]:
            assert_same(decode_ledger(ledger), sdk.LedgerCloseMeta.from_xdr_bytes(ledger), name)
            count += 1
    assert count > 1600 / each


@needs_shared
def test_mainnet_batches_decode_as_in_the_sdk() -> None:
    paths = sorted((SHARED / "ledgers" / "pubnet").rglob("*.zst"))
    assert len(paths) == 6
    for path in paths:
        data = decompressed(path)
        assert_same(decode_batch(data), sdk.LedgerCloseMetaBatch.from_xdr_bytes(data), path.name)


def test_sample_batches_decode_as_in_the_sdk(lake: Path) -> None:
    for path in sorted(lake.rglob("*.zst")):
        data = decompressed(path)
        assert_same(decode_batch(data), sdk.LedgerCloseMetaBatch.from_xdr_bytes(data), path.name)


def test_a_difference_is_detected(lake: Path) -> None:
    data = decompressed(next(lake.rglob("*.zst")))
    decoded = decode_batch(data)
    header = decoded["ledgerCloseMetas"][0][1]["ledgerHeader"]["header"]
    header["feePool"] += 1
    with pytest.raises(AssertionError, match="fee_pool"):
        assert_same(decoded, sdk.LedgerCloseMetaBatch.from_xdr_bytes(data), "batch")


def test_truncated_and_longer_bytes_are_refused(lake: Path) -> None:
    data = decompressed(next(lake.rglob("*.zst")))
    for size in (0, 3, len(data) // 2, len(data) - 4):
        with pytest.raises(XdrError):
            decode_batch(data[:size])
    with pytest.raises(XdrError, match="truncated or damaged"):
        decode_batch(data + b"\0\0\0\0")
