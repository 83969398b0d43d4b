"""Rows of ledger entries, compared with a second computation by the SDK's own decoder.

For all available ledgers: exactly these rows exist, with the entry's content; a state that the network records before a
change is the last known one; the total of lumens is constant.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import xdr

from stellar_etl.transforms.registry import STATE
from tests.shared import REPO, SHARED, needs_shared
from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import ledger_key
from tests.stellar_etl.program import Row, rows, succeed
from tests.stellar_etl.replay import Replay, by_id, compare, expected, gained, id_of, identity, is_exported, values
from tests.stellar_etl.transforms.test_counts import PUBNET, batches
from tests.stellar_etl.xdr.test_decoder import decompressed, recorded_streams


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Switch the collector off: the SDK creates millions of objects, which it would visit repeatedly."""
    gc.disable()
    yield
    gc.enable()


def check(made: dict[str, list[Row]], ledgers: Sequence[bytes], passphrase: str, name: str) -> Counter[str]:
    """Compare the rows of some ledgers; return the counts."""
    counts: Counter[str] = Counter()
    replay = Replay()
    moved = []
    for data in ledgers:
        touched = replay.ledger(data)
        head = replay.header
        sequence = head.ledger_seq.uint32
        for type_, wanted in expected(touched).items():
            found = [row for row in made[type_] if row["ledger_sequence"] == sequence]
            compare(by_id(type_, found), wanted, f"{name}, ledger {sequence}, {type_}")
            counts[type_] += len(found)
        moved.append((head.total_coins.int64 - head.fee_pool.int64, gained(touched, passphrase), sequence))
    assert not replay.contradictions
    for (before, *_), (after, more, sequence) in pairwise(moved):
        assert more == after - before, f"{name}, ledger {sequence}"
    assert sum(counts.values()) == sum(map(len, made.values()))
    return counts


@pytest.mark.slow
@needs_shared
def test_rows_agree_for_cores_own_tests_and_a_load_test(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for number, (name, (passphrase, recorded)) in enumerate(recorded_streams().items()):
        # The load test's ledgers are large and similar: the SDK reads a few of them.
        ledgers = recorded[:2] if name == "load test" else recorded
        made = export(tmp_path / str(number), ledgers, passphrase, *STATE)
        counts += check(made.rows, ledgers, passphrase, name)
        if name == "load test":
            assert [len(made.rows[type_]) for type_ in ("contract_data", "restored_key", "ttl")] == [1928, 3856, 1928]
    assert {type_ for type_, number in counts.items() if number} == set(STATE)
    assert counts["config_settings"] > 1000


@needs_shared
def test_rows_agree_for_mainnet_ledgers(tmp_path: Path) -> None:
    alone, *following = batches(SHARED / "ledgers" / "pubnet")
    for number, ledgers in enumerate(([alone], following)):
        made = export(tmp_path / str(number), ledgers, PUBNET, *STATE)
        counts = check(made.rows, ledgers, PUBNET, "mainnet")
        assert counts["accounts"] > 50
        assert counts["offers"]


# The sample network, whose final state is known, too ----------------------------------------------------------------


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ledgers 3 to 122 of the sample network, which contain all its kinds of changes."""
    folder = tmp_path_factory.mktemp("wide") / "lake"
    arguments = ("--out", str(folder), "--ledgers", "120")
    subprocess.run([sys.executable, "-m", "local.sample_network", *arguments], cwd=REPO, check=True)
    return folder


@pytest.fixture(scope="module")
def exported(wide: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    """Its rows by type, in the order of their batches."""
    folder = tmp_path_factory.mktemp("rows")
    succeed("export_ledger_entry_changes", "-s", 3, "-e", 122, "--datastore-path", wide, "-o", folder)
    files = sorted(folder.glob("*.txt"), key=lambda path: int(path.name.split("-")[0]))
    return {
        type_: [row for path in files if path.name.endswith(f"-{type_}.txt") for row in rows(path)] for type_ in STATE
    }


@pytest.mark.slow
def test_rows_agree_for_the_sample_network(wide: Path, exported: dict[str, list[Row]]) -> None:
    ledgers = []
    for path in sorted(wide.rglob("*.zst"), reverse=True):
        (meta,) = xdr.LedgerCloseMetaBatch.from_xdr_bytes(decompressed(path)).ledger_close_metas
        ledgers.append(meta.to_xdr_bytes())
    assert len(ledgers) == 120
    passphrase = json.loads((wide / ".config.json").read_text())["networkPassphrase"]
    counts = check(exported, ledgers, passphrase, "sample")
    assert all(counts[type_] for type_ in STATE)
    # The sample network has every kind of change.
    kinds = {(type_, row["ledger_entry_change"]) for type_ in ("contract_data", "ttl") for row in exported[type_]}
    assert kinds == {(type_, kind) for type_ in ("contract_data", "ttl") for kind in (0, 1, 2, 4)}


def test_replayed_rows_equal_the_sample_networks_final_state(wide: Path, exported: dict[str, list[Row]]) -> None:
    final: dict[str, dict[Any, Row]] = {type_: {} for type_ in STATE}
    for group in json.loads((wide / "state.json").read_text())["entries"].values():
        for one in group:
            entry = xdr.LedgerEntry.from_xdr(one["ledger_entry"])
            if is_exported(key := ledger_key(entry)):
                type_, id_ = identity(key)
                final[type_][id_] = values(entry)
    for type_ in set(STATE) - {"signers", "restored_key"}:
        last = {id_of(type_, row): row for row in exported[type_]}
        assert final[type_], type_
        compare({id_: row for id_, row in last.items() if not row["deleted"]}, final[type_], type_)


def test_replayed_signers_equal_those_of_the_sample_networks_accounts(
    wide: Path, exported: dict[str, list[Row]]
) -> None:
    # The network's first account is older than its first ledger here, and its signers never change.
    made = {row["account_id"] for row in exported["accounts"] if row["ledger_entry_change"] == 0}
    wanted = {}
    for account in json.loads((wide / "state.json").read_text())["entries"]["accounts"]:
        owner, master = account["account_id"], account["thresholds"][0]
        own = [{"signer": owner, "weight": master, "sponsor": None}] if master and owner in made else []
        wanted |= {(owner, one["signer"]): (one["weight"], one["sponsor"]) for one in (*own, *account["signers"])}
    last = {id_of("signers", row): row for row in exported["signers"]}
    found = {id_: (row["weight"], row["sponsor"]) for id_, row in last.items() if not row["deleted"]}
    assert found == wanted
