"""Numbers and amounts of rows agree with the SDK's own decoder in all available ledgers."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import zstandard
from stellar_sdk import Asset, StrKey, xdr
from stellar_sdk.utils import sha256

from stellar_etl.transforms.registry import HISTORY
from tests.shared import SHARED, needs_shared
from tests.stellar_etl.lakes import export, records, write_lake
from tests.stellar_etl.program import Row, rows, run, succeed

pytestmark = needs_shared

LEDGERS = SHARED / "ledgers"
PUBNET = "Public Global Stellar Network ; September 2015"
WITHOUT_UNIFIED_EVENTS = [type_ for type_ in HISTORY if type_ != "token_transfers"]
"""The types that can be exported without unified events."""

Balances = Counter[tuple[str, str]]
"""The gain of each asset per holder: accounts, claimable balances and pools; contracts have separate balances."""


@dataclass
class Transaction:
    """One transaction as the SDK decodes it."""

    envelope: xdr.TransactionEnvelope
    outcome: Any

    @property
    def hash(self) -> str:
        return self.outcome.result.transaction_hash.hash.hex()

    @property
    def result(self) -> xdr.TransactionResult:
        return self.outcome.result.result

    @cached_property
    def operation_results(self) -> list[xdr.OperationResult]:
        result: Any = self.result.result
        if result.inner_result_pair is not None:
            result = result.inner_result_pair.result.result
        return result.results or []

    @property
    def successful(self) -> bool:
        return self.result.result.code.name in ("txSUCCESS", "txFEE_BUMP_INNER_SUCCESS")

    @property
    def operations(self) -> list[xdr.Operation]:
        envelope: Any = self.envelope
        if envelope.fee_bump is not None:
            envelope = envelope.fee_bump.tx.inner_tx
        return (envelope.v1 or envelope.v0).tx.operations

    @property
    def meta(self) -> Any:
        meta = self.outcome.tx_apply_processing
        return meta.v4 or meta.v3 or meta.v2 or meta.v1

    @property
    def has_unified_events(self) -> bool:
        """Return whether the fee has an event: then all movements have one."""
        return any(event.event.body.v0.topics[0].sym is not None for event in self.meta.events)

    def claims(self) -> Iterator[Any]:
        """Return the content of each claim atom that exchanges an amount."""
        for result in self.operation_results if self.successful else ():
            tr = result.tr
            offered = tr.manage_sell_offer_result or tr.manage_buy_offer_result or tr.create_passive_sell_offer_result
            paid = tr.path_payment_strict_receive_result or tr.path_payment_strict_send_result
            atoms = offered.success.offers_claimed if offered else paid.success.offers if paid else []
            for atom in atoms:
                claim = atom.v0 or atom.order_book or atom.liquidity_pool
                if claim.amount_sold.int64 or claim.amount_bought.int64:
                    yield claim

    def events(self) -> int:
        """Return the number of its meta's events, of all kinds."""
        meta = self.outcome.tx_apply_processing
        if meta.v == 3:
            soroban = meta.v3.soroban_meta
            return len(soroban.events) + len(soroban.diagnostic_events) if soroban else 0
        if meta.v == 4:
            of_operations = sum(len(operation.events) for operation in meta.v4.operations)
            return len(meta.v4.events) + of_operations + len(meta.v4.diagnostic_events)
        return 0

    def changes(self) -> Iterator[xdr.LedgerEntryChange]:
        """Yield all changes: the fee's, the transaction's, its operations', the refund's."""
        meta = self.meta
        lists = [self.outcome.fee_processing, meta.tx_changes_before]
        lists += [operation.changes for operation in meta.operations]
        lists += [meta.tx_changes_after]
        lists += [getattr(self.outcome, "post_tx_apply_fee_processing", xdr.LedgerEntryChanges([]))]
        for some in lists:
            yield from some.ledger_entry_changes

    def balances(self) -> Balances:
        """Return the effect of its changes on balances."""
        found: Balances = Counter()
        last = None
        for change in self.changes():
            entry = change.created or change.updated or change.state or change.restored
            if change.state is not None:
                found.subtract(holdings(entry))
            elif entry is not None:
                found.update(holdings(entry))
            assert change.removed is None or last is not None, "a removal needs a state before it"
            last = change.state
        return nonzero(found)


def nonzero(balances: Balances) -> Balances:
    return Counter({key: amount for key, amount in balances.items() if amount})


def canonical(asset: Any) -> str:
    found = Asset.from_xdr_object(asset)
    return "native" if found.is_native() else f"{found.type}:{found.code}:{found.issuer}"


def holdings(entry: xdr.LedgerEntry) -> dict[tuple[str, str], int]:
    """Return the holdings by ledger entry."""
    content = entry.data
    if content.account is not None:
        key = content.account.account_id.account_id.ed25519.uint256
        return {(StrKey.encode_ed25519_public_key(key), "native"): content.account.balance.int64}
    if content.trust_line is not None and content.trust_line.asset.liquidity_pool_id is None:
        key = content.trust_line.account_id.account_id.ed25519.uint256
        asset = canonical(content.trust_line.asset)
        return {(StrKey.encode_ed25519_public_key(key), asset): content.trust_line.balance.int64}
    if content.claimable_balance is not None:
        balance = content.claimable_balance
        holder = StrKey.encode_claimable_balance(b"\0" + balance.balance_id.v0.hash)
        return {(holder, canonical(balance.asset)): balance.amount.int64}
    if content.liquidity_pool is not None:
        holder = StrKey.encode_liquidity_pool(content.liquidity_pool.liquidity_pool_id.pool_id.hash)
        pool = content.liquidity_pool.body.constant_product
        return {
            (holder, canonical(pool.params.asset_a)): pool.reserve_a.int64,
            (holder, canonical(pool.params.asset_b)): pool.reserve_b.int64,
        }
    return {}


def transactions(ledger: bytes, passphrase: str) -> list[Transaction]:
    """Yield a ledger's transactions as the SDK reads them, in the order of application."""
    meta = xdr.LedgerCloseMeta.from_xdr_bytes(ledger)
    close = meta.v0 or meta.v1 or meta.v2
    by_hash = {}
    for envelope in envelopes(close.tx_set):
        content = envelope.fee_bump or envelope.v1 or envelope.v0
        tagged = {0: b"\0\0\0\2\0\0\0\0", 2: b"\0\0\0\2", 5: b"\0\0\0\5"}[envelope.type.value]
        by_hash[sha256(sha256(passphrase.encode()) + tagged + content.tx.to_xdr_bytes())] = envelope
    assert len(by_hash) == len(close.tx_processing)
    return [Transaction(by_hash[one.result.transaction_hash.hash], one) for one in close.tx_processing]


def envelopes(tx_set: Any) -> Iterator[xdr.TransactionEnvelope]:
    if isinstance(tx_set, xdr.TransactionSet):
        yield from tx_set.txs
        return
    for phase in tx_set.v1_tx_set.phases:
        for component in phase.v0_components or []:
            yield from component.txs_maybe_discounted_fee.txs
        if phase.parallel_txs_component is not None:
            for stage in phase.parallel_txs_component.execution_stages:
                for cluster in stage.parallel_tx_execution_stage:
                    yield from cluster.dependent_tx_cluster


def changes_by_transaction(transfers: Iterable[dict[str, Any]]) -> dict[str, Balances]:
    """Return the effect of token transfers on balances, by transaction."""
    found: dict[str, Balances] = {}
    for transfer in transfers:
        balances = found.setdefault(transfer["transaction_hash"], Counter())
        for way, party in ((-1, transfer["from"]), (1, transfer["to"])):
            if party is not None and party[0] != "C" and transfer["asset"]:
                balances[party, transfer["asset"]] += way * int(transfer["amount_raw"])
    return {key: nonzero(balances) for key, balances in found.items()}


def check(made: dict[str, list[Row]], found: list[Transaction]) -> Counter[str]:
    """Compare an export's rows with the SDK's results; return the counts."""
    assert [row["transaction_hash"] for row in made["transactions"]] == [one.hash for one in found]
    assert [row["successful"] for row in made["transactions"]] == [one.successful for one in found]
    assert len(made["ledger_transaction"]) == len(found)
    assert len(made["operations"]) == sum(len(one.operations) for one in found)
    claims = [claim for one in found for claim in one.claims()]
    assert [round(row["selling_amount"] * 10**7) for row in made["trades"]] == [one.amount_sold.int64 for one in claims]
    assert [round(row["buying_amount"] * 10**7) for row in made["trades"]] == [
        one.amount_bought.int64 for one in claims
    ]
    events = {one.hash: one.events() for one in found if one.events()}
    assert Counter(row["transaction_hash"] for row in made["contract_events"]) == events
    movements = changes_by_transaction(made["token_transfers"])
    unified = [one for one in found if one.has_unified_events]
    for one in unified:
        assert movements.get(one.hash, Counter()) == one.balances(), one.hash
    return Counter(
        transactions=len(found),
        operations=len(made["operations"]),
        trades=len(claims),
        events=sum(events.values()),
        balanced=len(unified),
    )


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Switch the collector off: the SDK creates millions of objects, which it would visit repeatedly."""
    gc.disable()
    yield
    gc.enable()


def decompressed(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())


def batches(folder: Path) -> list[bytes]:
    """Yield the ledgers of a recorded lake with one ledger per object, oldest first."""
    found = []
    for path in sorted(folder.rglob("*.zst"), reverse=True):
        (meta,) = xdr.LedgerCloseMetaBatch.from_xdr_bytes(decompressed(path)).ledger_close_metas
        found.append(meta.to_xdr_bytes())
    return found


def test_counts_agree_for_mainnet_ledgers(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    alone, *following = batches(LEDGERS / "pubnet")
    for number, ledgers in enumerate(([alone], following)):
        made = export(tmp_path / str(number), ledgers, PUBNET)
        assert made.statistics.failed == 0
        counts += check(made.rows, [one for ledger in ledgers for one in transactions(ledger, PUBNET)])
    # Each transaction of the public lake has unified events with the right sum.
    assert counts["balanced"] == counts["transactions"] == 341


CORE = "(V) (;,,;) (V)"


def cases() -> list[Path]:
    return sorted((LEDGERS / "core-tests").rglob("*.xdr*"))


def ledgers_of(case: Path) -> list[bytes]:
    return list(records(case.read_bytes() if case.suffix == ".xdr" else decompressed(case)))


@pytest.mark.slow
def test_counts_agree_for_cores_own_tests(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for number, case in enumerate(cases()):
        ledgers = ledgers_of(case)
        found = [one for ledger in ledgers for one in transactions(ledger, CORE)]
        made = export(tmp_path / f"{number}", ledgers, CORE, *WITHOUT_UNIFIED_EVENTS)
        transfers = export(tmp_path / f"{number}-transfers", ledgers, CORE, "token_transfers", strict=False)
        # Most of these tests ran a node without unified events: such a transaction's fee is missing, and reported.
        # Nothing else is omitted.
        assert transfers.statistics.failed == sum(not one.has_unified_events for one in found), case
        counts += check(made.rows | transfers.rows, found)
        counts["ledgers"] += len(ledgers)
    assert counts == {
        "ledgers": 1685,
        "transactions": 1416,
        "operations": 1421,
        "trades": 29,
        "events": 9636,
        "balanced": 23,
    }


@pytest.mark.slow
def test_the_program_exports_cores_own_tests(tmp_path: Path) -> None:
    by_folder = {case.parent.name: case for case in cases()}
    assert len(by_folder) > 5
    for name, case in by_folder.items():
        first, last = write_lake(tmp_path / name, ledgers_of(case), CORE)
        arguments = ("-s", first, "-e", last, "--datastore-path", tmp_path / name)
        types = ",".join(WITHOUT_UNIFIED_EVENTS)
        output = tmp_path / f"{name}-rows"
        succeed("export_all_history", *arguments, "-o", output, "--types", types, "--strict-export")
        assert rows(output / f"{first}-{last}-transactions.txt")
        transfers = tmp_path / f"{name}-transfers.txt"
        succeed("export_token_transfer", *arguments, "-o", transfers)
        if not rows(transfers):
            done = run("export_token_transfer", *arguments, "-o", transfers, "--strict-export")
            assert done.returncode == 1
            assert "its meta, of version 4, holds no unified events" in done.stderr


@pytest.mark.parametrize(
    ("count", "in_all"), [(4, 1968), pytest.param(30, 14760, marks=pytest.mark.slow)], ids=["four", "all"]
)
def test_counts_agree_for_a_load_test(tmp_path: Path, count: int, in_all: int) -> None:
    ledgers = ledgers_of(LEDGERS / "load-test-ledgers-v27.xdr.zstd")[:count]
    # These ledgers have no unified events either.
    made = export(tmp_path, ledgers, "Apply Load", *WITHOUT_UNIFIED_EVENTS)
    assert len(made.rows["ledgers"]) == len(ledgers) == count
    headers = made.rows["ledgers"]
    in_sets = sum(row["successful_transaction_count"] + row["failed_transaction_count"] for row in headers)
    assert len(made.rows["transactions"]) == in_sets == in_all
    assert len(made.rows["operations"]) == sum(int(row["tx_set_operation_count"]) for row in headers)
    # The ledgers are large and similar: the SDK reads a few of them.
    last = made.rows["ledgers"][3]["sequence"]
    some = {
        type_: [row for row in of_type if "ledger_sequence" not in row or row["ledger_sequence"] <= last]
        for type_, of_type in made.rows.items()
    }
    counts = check(
        {**some, "token_transfers": []},
        [one for ledger in ledgers[:4] for one in transactions(ledger, "Apply Load")],
    )
    assert counts == {"transactions": 1968, "operations": 1968, "trades": 0, "events": 9640, "balanced": 0}
