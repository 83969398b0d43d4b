"""The sample network is a valid network: chained, signed, conserved, and the same for the same arguments."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from stellar_sdk import FeeBumpTransactionEnvelope, Keypair, TransactionEnvelope, xdr

from tests.shared import REPO

LARGEST_SUM = 9 * 10**15
"""Stroops; sums up to here are exact in FLOAT columns."""


def generate(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.sample_network", *map(str, arguments)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network") / "lake"
    done = generate("--out", folder, "--ledgers", 120, "--transactions-per-ledger", 6, "--seed", 5)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def passphrase(network: Path) -> str:
    return str(json.loads((network / ".config.json").read_text())["networkPassphrase"])


@pytest.fixture(scope="module")
def ledgers(network: Path) -> list[xdr.LedgerCloseMetaV2]:
    """All ledgers, oldest first, as the SDK decodes them."""
    found = []
    for path in network.rglob("*.xdr.zst"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        batch = xdr.LedgerCloseMetaBatch.from_xdr_bytes(data)
        assert batch.to_xdr_bytes() == data
        found += batch.ledger_close_metas
    metas = [close.v2 or close.v1 for close in found]
    return sorted(metas, key=lambda meta: meta.ledger_header.header.ledger_seq.uint32)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def envelopes(meta: Any) -> list[xdr.TransactionEnvelope]:
    phases = meta.tx_set.v1_tx_set.phases
    components = [component for phase in phases for component in phase.v0_components or []]
    return [tx for component in components for tx in component.txs_maybe_discounted_fee.txs]


def test_the_passphrase_says_that_it_is_generated(passphrase: str) -> None:
    assert "generated" in passphrase


def test_the_layout_is_the_public_lakes(network: Path) -> None:
    names = sorted(path.relative_to(network).as_posix() for path in network.rglob("*.zst"))
    assert len(names) == 120
    assert names[-1] == "FFFFFFFF--0-63999/FFFFFFFC--3.xdr.zst"
    config = json.loads((network / ".config.json").read_text())
    assert (config["ledgersPerBatch"], config["batchesPerPartition"], config["compression"]) == (1, 64000, "zstd")


def test_the_same_arguments_make_the_same_bytes_and_others_do_not(network: Path, tmp_path: Path) -> None:
    arguments = ("--ledgers", 120, "--transactions-per-ledger", 6)
    assert generate("--out", tmp_path / "same", *arguments, "--seed", 5).returncode == 0
    assert generate("--out", tmp_path / "other", *arguments, "--seed", 6).returncode == 0
    assert files(tmp_path / "same") == files(network)
    assert files(tmp_path / "other") != files(network)


def test_ledgers_are_chained_and_their_hashes_true(ledgers: list[Any]) -> None:
    previous = None
    for meta in ledgers:
        entry = meta.ledger_header
        assert sha256(entry.header.to_xdr_bytes()) == entry.hash.hash
        assert sha256(meta.tx_set.to_xdr_bytes()) == entry.header.scp_value.tx_set_hash.hash
        results = xdr.TransactionResultSet([processing.result for processing in meta.tx_processing])
        assert sha256(results.to_xdr_bytes()) == entry.header.tx_set_result_hash.hash
        if previous is not None:
            assert entry.header.previous_ledger_hash.hash == previous.hash.hash
            assert entry.header.ledger_seq.uint32 == previous.header.ledger_seq.uint32 + 1
            closed = entry.header.scp_value.close_time.time_point.uint64
            assert closed == previous.header.scp_value.close_time.time_point.uint64 + 5
        previous = entry


def test_every_transaction_is_signed_and_has_its_result(ledgers: list[Any], passphrase: str) -> None:
    for meta in ledgers:
        hashes = set()
        for envelope in envelopes(meta):
            is_fee_bump = envelope.type == xdr.EnvelopeType.ENVELOPE_TYPE_TX_FEE_BUMP
            kind: Any = FeeBumpTransactionEnvelope if is_fee_bump else TransactionEnvelope
            made = kind.from_xdr(envelope.to_xdr(), passphrase)
            source = made.transaction.fee_source if is_fee_bump else made.transaction.source
            Keypair.from_public_key(source.account_id).verify(made.hash(), made.signatures[0].signature)
            hashes.add(made.hash())
        assert hashes == {processing.result.transaction_hash.hash for processing in meta.tx_processing}


def test_there_are_successes_and_failures_of_several_operations(ledgers: list[Any]) -> None:
    kinds: Counter[tuple[Any, bool]] = Counter()
    for meta in ledgers:
        codes = {
            processing.result.transaction_hash.hash: processing.result.result.result.code
            for processing in meta.tx_processing
        }
        for code in codes.values():
            kinds["transaction", code == xdr.TransactionResultCode.txSUCCESS] += 1
        for envelope in envelopes(meta):
            for operation in envelope.v1.tx.operations:
                kinds[operation.body.type, True] += 1
    operations = (xdr.OperationType.CREATE_ACCOUNT, xdr.OperationType.PAYMENT, xdr.OperationType.CHANGE_TRUST)
    assert all(kinds[operation, True] for operation in operations)
    assert kinds["transaction", True] > kinds["transaction", False] > 5


def changes(meta: Any) -> Iterator[Any]:
    """Entry changes in the order in which a network applies them."""
    for processing in meta.tx_processing:
        yield from processing.fee_processing.ledger_entry_changes
    for processing in meta.tx_processing:
        applied = processing.tx_apply_processing.v4
        yield from applied.tx_changes_before.ledger_entry_changes
        for operation in applied.operations:
            yield from operation.changes.ledger_entry_changes
        yield from applied.tx_changes_after.ledger_entry_changes
        yield from processing.post_tx_apply_fee_processing.ledger_entry_changes


def key_of(data: Any) -> bytes:
    if data.account is not None:
        return bytes(data.account.account_id.to_xdr_bytes())
    return bytes(data.trust_line.account_id.to_xdr_bytes() + data.trust_line.asset.to_xdr_bytes())


def test_each_change_begins_where_the_last_one_ended_and_lumens_are_conserved(ledgers: list[Any]) -> None:
    state: dict[bytes, Any] = {}
    seen = Counter()
    for meta in ledgers:
        before = None
        for change in changes(meta):
            if change.state is not None:
                before = change.state
                known = state.get(key_of(before.data))
                if known is not None:
                    assert known.to_xdr_bytes() == before.to_xdr_bytes()
                seen["known" if known is not None else "first"] += 1
                state[key_of(before.data)] = before
            elif change.created is not None:
                assert key_of(change.created.data) not in state
                state[key_of(change.created.data)] = change.created
            elif change.updated is not None:
                assert before is not None
                assert key_of(before.data) == key_of(change.updated.data)
                state[key_of(change.updated.data)] = change.updated
            elif change.removed is not None:
                assert before is not None
                del state[key_of(before.data)]
        header = meta.ledger_header.header
        accounts = [entry.data.account.balance.int64 for entry in state.values() if entry.data.account is not None]
        if len(ledgers) and meta is not ledgers[0]:
            assert sum(accounts) + header.fee_pool.int64 == header.total_coins.int64
        assert header.total_coins.int64 < LARGEST_SUM
    assert seen["known"] > 500
    lines = [entry.data.trust_line for entry in state.values() if entry.data.trust_line is not None]
    assert lines
    assert all(0 <= line.balance.int64 <= line.limit.int64 for line in lines)
    assert sum(line.balance.int64 for line in lines) < LARGEST_SUM


def test_start_time_and_first_ledger_are_the_users(tmp_path: Path) -> None:
    arguments = ("--ledgers", 2, "--start-time", "2030-05-05T00:00:00+02:00", "--first-ledger", 70000)
    assert generate("--out", tmp_path / "lake", *arguments).returncode == 0
    names = sorted(path.name for path in (tmp_path / "lake").rglob("*.zst"))
    assert names == ["FFFEEE8E--70001.xdr.zst", "FFFEEE8F--70000.xdr.zst"]
    data = (
        zstandard.ZstdDecompressor()
        .decompressobj()
        .decompress(next((tmp_path / "lake").rglob("*--70000.xdr.zst")).read_bytes())
    )
    meta = xdr.LedgerCloseMetaBatch.from_xdr_bytes(data).ledger_close_metas[0]
    header = (meta.v2 or meta.v1).ledger_header.header
    assert header.scp_value.close_time.time_point.uint64 == 1904162400


def test_a_lake_that_is_there_is_kept_and_another_is_not_written_over(network: Path, tmp_path: Path) -> None:
    before = files(network)
    again = generate("--out", network, "--ledgers", 120, "--transactions-per-ledger", 6, "--seed", 5)
    assert again.returncode == 0
    assert "already" in again.stdout
    other = generate("--out", network, "--ledgers", 5)
    assert other.returncode == 1
    assert "--seed 5" in other.stderr
    assert files(network) == before
    (tmp_path / "note").write_text("mine")
    assert generate("--out", tmp_path).returncode == 1
    assert (tmp_path / "note").read_text() == "mine"
