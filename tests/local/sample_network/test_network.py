"""The sample network is valid: chained, signed, conserved, complete, and the same for the same arguments."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from stellar_sdk import Address, FeeBumpTransactionEnvelope, Keypair, StrKey, TransactionEnvelope, xdr
from stellar_sdk.exceptions import BadSignatureError

from tests import forked_programs
from tests.shared import REPO

LARGEST_SUM = 9 * 10**15
"""Stroops; sums up to this amount are exact in FLOAT columns."""

LEDGERS = 120
BASE_RESERVE = 5_000_000
PASSPHRASE = "Stellar Sample Network ; generated, not real ; 2026"


def generate(*arguments: object) -> subprocess.CompletedProcess[str]:
    return forked_programs.run("local.sample_network", list(map(str, arguments)), env=os.environ, cwd=REPO)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network") / "lake"
    done = generate("--out", folder, "--ledgers", LEDGERS, "--seed", 5)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def passphrase(network: Path) -> str:
    return str(json.loads((network / ".config.json").read_text())["networkPassphrase"])


@pytest.fixture(scope="module")
def state(network: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((network / "state.json").read_text())
    return read


@pytest.fixture(scope="module")
def ledgers(network: Path) -> list[xdr.LedgerCloseMetaV2]:
    """Return all ledgers, oldest first, as the SDK decodes them."""
    found = []
    for path in network.rglob("*.xdr.zst"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        batch = xdr.LedgerCloseMetaBatch.from_xdr_bytes(data)
        assert batch.to_xdr_bytes() == data
        found += [close.v2 for close in batch.ledger_close_metas]
    return sorted(found, key=lambda meta: meta.ledger_header.header.ledger_seq.uint32)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def classic_phase(meta: Any) -> list[xdr.TransactionEnvelope]:
    components = meta.tx_set.v1_tx_set.phases[0].v0_components
    return [tx for component in components for tx in component.txs_maybe_discounted_fee.txs]


def stages(meta: Any) -> list[list[list[xdr.TransactionEnvelope]]]:
    found = meta.tx_set.v1_tx_set.phases[1].parallel_txs_component.execution_stages
    return [[cluster.dependent_tx_cluster for cluster in stage.parallel_tx_execution_stage] for stage in found]


def envelopes(meta: Any) -> list[xdr.TransactionEnvelope]:
    return [*classic_phase(meta), *(tx for stage in stages(meta) for cluster in stage for tx in cluster)]


def opened(envelope: xdr.TransactionEnvelope, passphrase: str) -> TransactionEnvelope | FeeBumpTransactionEnvelope:
    bump = envelope.type == xdr.EnvelopeType.ENVELOPE_TYPE_TX_FEE_BUMP
    kind: Any = FeeBumpTransactionEnvelope if bump else TransactionEnvelope
    made: TransactionEnvelope | FeeBumpTransactionEnvelope = kind.from_xdr(envelope.to_xdr(), passphrase)
    return made


def inner(envelope: xdr.TransactionEnvelope) -> xdr.TransactionV1Envelope:
    return envelope.fee_bump.tx.inner_tx.v1 if envelope.fee_bump else envelope.v1


def operation_results(processing: Any) -> list[xdr.OperationResult]:
    result = processing.result.result.result
    if result.inner_result_pair is not None:
        result = result.inner_result_pair.result.result
    return result.results or []


def outcome_of(result: xdr.OperationResult) -> tuple[str, str]:
    """Return the type of an operation and its result code."""
    if result.tr is None:
        return "", result.code.name
    arm = next(value for name, value in vars(result.tr).items() if name != "type" and value is not None)
    return result.tr.type.name, arm.code.name


def successful(processing: Any) -> bool:
    code = processing.result.result.result.code
    codes = (xdr.TransactionResultCode.txSUCCESS, xdr.TransactionResultCode.txFEE_BUMP_INNER_SUCCESS)
    return code in codes


# Form -----------------------------------------------------------------------------------------------------------


def test_the_passphrase_shows_that_the_network_is_generated(passphrase: str) -> None:
    assert passphrase == PASSPHRASE


def test_the_layout_equals_the_public_lakes(network: Path) -> None:
    names = sorted(path.relative_to(network).as_posix() for path in network.rglob("*.zst"))
    assert len(names) == LEDGERS
    assert names[-1] == "FFFFFFFF--0-63999/FFFFFFFC--3.xdr.zst"
    config = json.loads((network / ".config.json").read_text())
    assert (config["ledgersPerBatch"], config["batchesPerPartition"], config["compression"]) == (1, 64000, "zstd")


def test_equal_arguments_give_equal_bytes_and_others_do_not(network: Path, tmp_path: Path) -> None:
    assert generate("--out", tmp_path / "same", "--ledgers", LEDGERS, "--seed", 5).returncode == 0
    assert generate("--out", tmp_path / "other", "--ledgers", LEDGERS, "--seed", 6).returncode == 0
    assert files(tmp_path / "same") == files(network)
    assert files(tmp_path / "other") != files(network)


@pytest.mark.parametrize("size", [0, 1, 3, 40])
def test_ledgers_have_the_requested_number_of_transactions(size: int, tmp_path: Path) -> None:
    done = generate("--out", tmp_path / "lake", "--ledgers", 40, "--transactions-per-ledger", size)
    assert done.returncode == 0, done.stderr
    counts = []
    for path in sorted((tmp_path / "lake").rglob("*.zst"), reverse=True):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        counts.append(len(xdr.LedgerCloseMetaBatch.from_xdr_bytes(data).ledger_close_metas[0].v2.tx_processing))
    # The first ledger creates the accounts; a story's step stays in one ledger.
    assert counts[0] == min(size, 1)
    assert all(min(size, 20) <= count <= size + 2 * bool(size) for count in counts[1:])


def test_ledgers_are_chained_and_their_hashes_are_correct(ledgers: list[Any]) -> None:
    previous = None
    for meta in ledgers:
        entry = meta.ledger_header
        assert sha256(entry.header.to_xdr_bytes()) == entry.hash.hash
        assert sha256(meta.tx_set.to_xdr_bytes()) == entry.header.scp_value.tx_set_hash.hash
        results = xdr.TransactionResultSet([processing.result for processing in meta.tx_processing])
        assert sha256(results.to_xdr_bytes()) == entry.header.tx_set_result_hash.hash
        if previous is not None:
            assert entry.header.previous_ledger_hash.hash == previous.hash.hash
            assert meta.tx_set.v1_tx_set.previous_ledger_hash.hash == previous.hash.hash
            assert entry.header.ledger_seq.uint32 == previous.header.ledger_seq.uint32 + 1
            assert entry.header.bucket_list_hash.hash != previous.header.bucket_list_hash.hash
            closed = entry.header.scp_value.close_time.time_point.uint64
            assert closed == previous.header.scp_value.close_time.time_point.uint64 + 5
        previous = entry


def test_sets_are_sorted_by_hash_and_applied_in_another_order(ledgers: list[Any], passphrase: str) -> None:
    shuffled = parallel = 0
    for meta in ledgers:
        places = [sha256(envelope.to_xdr_bytes()) for envelope in classic_phase(meta)]
        assert places == sorted(places)
        made = stages(meta)
        for stage in made:
            for cluster in stage:
                hashes = [sha256(envelope.to_xdr_bytes()) for envelope in cluster]
                assert hashes == sorted(hashes)
            assert_no_conflict(stage)
            parallel += len(stage) > 1
        in_set = [opened(envelope, passphrase).hash() for envelope in envelopes(meta)]
        applied = [processing.result.transaction_hash.hash for processing in meta.tx_processing]
        assert sorted(in_set) == sorted(applied)
        # Contract calls are last.
        calls = len([tx for stage in made for cluster in stage for tx in cluster])
        assert sorted(in_set[len(in_set) - calls :]) == sorted(applied[len(applied) - calls :])
        shuffled += in_set != applied
    assert shuffled > LEDGERS / 2
    assert parallel > 5


def assert_no_conflict(stage: list[list[Any]]) -> None:
    """Check that no cluster touches entries that another one writes."""
    written: set[bytes] = set()
    read: set[bytes] = set()
    for cluster in stage:
        prints = [inner(tx).tx.ext.soroban_data.resources.footprint for tx in cluster]
        writes = {key.to_xdr_bytes() for one in prints for key in one.read_write}
        reads = {key.to_xdr_bytes() for one in prints for key in one.read_only}
        assert not writes & (written | read)
        assert not reads & written
        written, read = written | writes, read | reads


# Signatures -----------------------------------------------------------------------------------------------------


def known_signers(ledgers: list[Any], passphrase: str) -> tuple[dict[bytes, Keypair], list[Any], set[bytes]]:
    """Return keys by hint, payload signers, and pre-authorized transactions, from all sources and options."""
    keys: dict[bytes, Keypair] = {}
    payloads: list[Any] = []
    agreed: set[bytes] = set()

    def know(raw: bytes) -> None:
        keys[raw[-4:]] = Keypair.from_raw_ed25519_public_key(raw)

    for meta in ledgers:
        for envelope in envelopes(meta):
            made: Any = opened(envelope, passphrase)
            wrapped = made.transaction.inner_transaction_envelope if envelope.fee_bump else made
            for source in (made.transaction.fee_source if envelope.fee_bump else None, wrapped.transaction.source):
                if source is not None:
                    know(StrKey.decode_ed25519_public_key(source.account_id))
            for operation in inner(envelope).tx.operations:
                if operation.source_account is not None:
                    account = operation.source_account.ed25519 or operation.source_account.med25519.ed25519
                    know(account.uint256)
                options = operation.body.set_options_op
                if options is not None and options.signer is not None:
                    key = options.signer.key
                    if key.ed25519 is not None:
                        know(key.ed25519.uint256)
                    elif key.pre_auth_tx is not None:
                        agreed.add(key.pre_auth_tx.uint256)
                    elif key.ed25519_signed_payload is not None:
                        payloads.append(key.ed25519_signed_payload)
    return keys, payloads, agreed


def signs(signature: xdr.DecoratedSignature, digest: bytes, keys: dict[bytes, Keypair], payloads: list[Any]) -> str:
    """Return what a signature signs: the transaction by a key, a secret, or a payload."""
    hint, value = signature.hint.signature_hint, signature.signature.signature
    if sha256(value)[-4:] == hint:
        return "secret"
    if hint in keys:
        keys[hint].verify(digest, value)
        return "key"
    for payload in payloads:
        try:
            Keypair.from_raw_ed25519_public_key(payload.ed25519.uint256).verify(payload.payload, value)
        except BadSignatureError:
            continue
        return "payload"
    raise AssertionError("a signature of nothing that is known")


def test_every_transaction_is_signed(ledgers: list[Any], passphrase: str) -> None:
    keys, payloads, agreed = known_signers(ledgers, passphrase)
    seen: Counter[str] = Counter()
    for meta in ledgers:
        for envelope in envelopes(meta):
            made: Any = opened(envelope, passphrase)
            if envelope.fee_bump:
                (outer,) = envelope.fee_bump.signatures
                fee_source = Keypair.from_public_key(made.transaction.fee_source.account_id)
                fee_source.verify(made.hash(), outer.signature.signature)
                made = made.transaction.inner_transaction_envelope
                seen["fee bump"] += 1
            for signature in inner(envelope).signatures:
                seen[signs(signature, made.hash(), keys, payloads)] += 1
            if not inner(envelope).signatures:
                assert made.hash() in agreed
                seen["agreed"] += 1
    assert set(seen) == {"key", "secret", "payload", "agreed", "fee bump"}


# Operations -----------------------------------------------------------------------------------------------------


def test_every_operation_type_succeeds_and_fails(ledgers: list[Any]) -> None:
    outcomes = {
        outcome_of(result) for meta in ledgers for one in meta.tx_processing for result in operation_results(one)
    }
    succeeded = {kind for kind, code in outcomes if code.endswith("_SUCCESS")}
    failed = {kind for kind, code in outcomes if kind and not code.endswith("_SUCCESS")}
    every = {kind.name for kind in xdr.OperationType}
    assert every - succeeded == {"INFLATION"}  # ended with protocol 12
    assert failed == every
    codes = {code for _, code in outcomes}
    assert codes >= {
        *("opBAD_AUTH", "opNO_ACCOUNT", "INFLATION_NOT_TIME", "PAYMENT_UNDERFUNDED", "PAYMENT_NOT_AUTHORIZED"),
        *("MANAGE_SELL_OFFER_CROSS_SELF", "MANAGE_BUY_OFFER_NOT_FOUND", "MANAGE_SELL_OFFER_LINE_FULL"),
        *("PATH_PAYMENT_STRICT_SEND_UNDER_DESTMIN", "PATH_PAYMENT_STRICT_RECEIVE_TOO_FEW_OFFERS"),
        *("CHANGE_TRUST_CANNOT_DELETE", "CHANGE_TRUST_TRUST_LINE_MISSING", "ACCOUNT_MERGE_IS_SPONSOR"),
        *("REVOKE_SPONSORSHIP_ONLY_TRANSFERABLE", "CLAIM_CLAIMABLE_BALANCE_CANNOT_CLAIM"),
        *("INVOKE_HOST_FUNCTION_TRAPPED", "INVOKE_HOST_FUNCTION_ENTRY_ARCHIVED"),
        *("INVOKE_HOST_FUNCTION_INSUFFICIENT_REFUNDABLE_FEE", "EXTEND_FOOTPRINT_TTL_INSUFFICIENT_REFUNDABLE_FEE"),
    }
    transactions = Counter(one.result.result.result.code.name for meta in ledgers for one in meta.tx_processing)
    assert set(transactions) == {
        *("txSUCCESS", "txFAILED", "txFEE_BUMP_INNER_SUCCESS", "txFEE_BUMP_INNER_FAILED"),
        *("txBAD_AUTH", "txBAD_AUTH_EXTRA", "txBAD_SEQ", "txBAD_SPONSORSHIP"),
    }
    assert transactions["txSUCCESS"] > transactions["txFAILED"]


def test_there_are_envelopes_of_every_kind(ledgers: list[Any]) -> None:
    transactions = [inner(envelope).tx for meta in ledgers for envelope in envelopes(meta)]
    operations = [operation for tx in transactions for operation in tx.operations]
    assert {tx.memo.type for tx in transactions} == set(xdr.MemoType)
    assert {tx.cond.type for tx in transactions} == set(xdr.PreconditionType)
    wide = [tx.cond.v2 for tx in transactions if tx.cond.v2 is not None]
    assert any(cond.extra_signers and cond.min_seq_num and cond.ledger_bounds for cond in wide)
    sources = [operation.source_account for operation in operations]
    assert any(source is not None and source.med25519 is not None for source in sources)
    calls = [operation.body.invoke_host_function_op for operation in operations]
    assert {call.host_function.type for call in calls if call is not None} == set(xdr.HostFunctionType)
    predicates = [
        claimant.v0.predicate.type
        for operation in operations
        if operation.body.create_claimable_balance_op is not None
        for claimant in operation.body.create_claimable_balance_op.claimants
    ]
    kinds = xdr.ClaimPredicateType
    assert set(predicates) == {
        *(kinds.CLAIM_PREDICATE_UNCONDITIONAL, kinds.CLAIM_PREDICATE_AND, kinds.CLAIM_PREDICATE_OR),
        *(kinds.CLAIM_PREDICATE_NOT, kinds.CLAIM_PREDICATE_BEFORE_RELATIVE_TIME),
    }


def test_trades_use_offers_and_pools(ledgers: list[Any]) -> None:
    effects: Counter[Any] = Counter()
    claims: Counter[Any] = Counter()
    for meta in ledgers:
        for processing in filter(successful, meta.tx_processing):
            for result in operation_results(processing):
                tr = result.tr
                offer = tr.manage_sell_offer_result or tr.manage_buy_offer_result or tr.create_passive_sell_offer_result
                if offer is not None:
                    effects[offer.success.offer.effect] += 1
                    claims.update(claim.type for claim in offer.success.offers_claimed)
                path = tr.path_payment_strict_receive_result or tr.path_payment_strict_send_result
                if path is not None:
                    claims.update(claim.type for claim in path.success.offers)
    assert set(effects) == set(xdr.ManageOfferEffect)
    assert claims[xdr.ClaimAtomType.CLAIM_ATOM_TYPE_ORDER_BOOK] > 20
    assert claims[xdr.ClaimAtomType.CLAIM_ATOM_TYPE_LIQUIDITY_POOL] > 5


def test_contract_calls_record_fees_refunds_and_results(ledgers: list[Any]) -> None:
    kinds: set[Any] = set()
    trapped = 0
    for meta in ledgers:
        for processing in meta.tx_processing:
            applied = processing.tx_apply_processing.v4
            if applied.soroban_meta is None:
                continue
            fees = applied.soroban_meta.ext.v1
            charged = fees.total_refundable_resource_fee_charged.int64
            assert 0 <= fees.rent_fee_charged.int64 <= charged
            assert len(processing.post_tx_apply_fee_processing.ledger_entry_changes) == 2
            (result,) = operation_results(processing) or [None]
            invoked = result.tr.invoke_host_function_result if result else None
            if invoked is not None and successful(processing):
                events = applied.operations[0].events
                returned = applied.soroban_meta.return_value
                preimage = xdr.InvokeHostFunctionSuccessPreImage(returned, events)
                assert invoked.success.hash == sha256(preimage.to_xdr_bytes())
                kinds.update(topic.type for event in events for topic in event.body.v0.topics)
                data = [event.body.v0.data for event in events]
                kinds.update(value.type for value in data)
                kinds.update(entry.val.type for value in data if value.map for entry in value.map.sc_map)
            else:
                assert not charged or successful(processing)
                trapped += bool(applied.diagnostic_events)
    assert len(kinds) >= 17
    assert trapped


def test_contract_calls_restore_their_entries_and_accept_other_signers(ledgers: list[Any]) -> None:
    restoring = 0
    nonces: set[int] = set()
    for meta in ledgers:
        for envelope in (tx for stage in stages(meta) for cluster in stage for tx in cluster):
            tx = inner(envelope).tx
            resources = tx.ext.soroban_data
            if resources.ext.resource_ext is not None:
                (index,) = resources.ext.resource_ext.archived_soroban_entries
                assert resources.resources.footprint.read_write[index.uint32].contract_data is not None
                restoring += 1
            call = tx.operations[0].body.invoke_host_function_op
            for allowed in call.auth if call is not None else ():
                if allowed.credentials.address is not None:
                    nonces.add(allowed.credentials.address.nonce.int64)
                    assert_authorized(allowed, meta)
    created = [change.created.data.contract_data for meta in ledgers for change in changes(meta) if change.created]
    marks = [
        entry.key.nonce_key.nonce.int64 for entry in created if entry is not None and entry.key.nonce_key is not None
    ]
    assert restoring
    assert nonces
    assert sorted(marks) == sorted(nonces)


def assert_authorized(allowed: xdr.SorobanAuthorizationEntry, meta: Any) -> None:
    """Check that the signature is the account's, for this call."""
    credentials = allowed.credentials.address
    assert credentials.signature_expiration_ledger.uint32 >= meta.ledger_header.header.ledger_seq.uint32
    preimage = xdr.HashIDPreimage(
        xdr.EnvelopeType.ENVELOPE_TYPE_SOROBAN_AUTHORIZATION,
        soroban_authorization=xdr.HashIDPreimageSorobanAuthorization(
            xdr.Hash(sha256(PASSPHRASE.encode())),
            credentials.nonce,
            credentials.signature_expiration_ledger,
            allowed.root_invocation,
        ),
    )
    key, signature = (entry.val.bytes.sc_bytes for entry in credentials.signature.vec.sc_vec[0].map.sc_map)
    assert credentials.address.account_id.account_id.ed25519.uint256 == key
    Keypair.from_raw_ed25519_public_key(key).verify(sha256(preimage.to_xdr_bytes()), signature)


def test_fees_equal_the_fee_events(ledgers: list[Any]) -> None:
    stages = xdr.TransactionEventStage
    for meta in ledgers:
        for processing in meta.tx_processing:
            taken, *returned = processing.tx_apply_processing.v4.events
            assert taken.stage == stages.TRANSACTION_EVENT_STAGE_BEFORE_ALL_TXS
            assert all(event.stage == stages.TRANSACTION_EVENT_STAGE_AFTER_ALL_TXS for event in returned)
            amounts = [amount_of(event.event) for event in (taken, *returned)]
            before, after = processing.fee_processing.ledger_entry_changes
            paid = before.state.data.account.balance.int64 - after.updated.data.account.balance.int64
            assert paid == amounts[0]
            assert sum(amounts) == processing.result.result.fee_charged.int64
            assert all(amount < 0 for amount in amounts[1:])


def test_upgrades_change_rules_and_settings_exist(ledgers: list[Any], state: dict[str, Any]) -> None:
    upgrades = [upgrade for meta in ledgers for upgrade in meta.upgrades_processing]
    kinds = xdr.LedgerUpgradeType
    assert {upgrade.upgrade.type for upgrade in upgrades} == {
        *(kinds.LEDGER_UPGRADE_VERSION, kinds.LEDGER_UPGRADE_BASE_FEE, kinds.LEDGER_UPGRADE_MAX_TX_SET_SIZE),
        *(kinds.LEDGER_UPGRADE_CONFIG, kinds.LEDGER_UPGRADE_MAX_SOROBAN_TX_SET_SIZE),
    }
    for meta in ledgers:
        named = [upgrade.upgrade_type for upgrade in meta.ledger_header.header.scp_value.upgrades]
        assert named == [upgrade.upgrade.to_xdr_bytes() for upgrade in meta.upgrades_processing]
    assert len({meta.ledger_header.header.base_fee.uint32 for meta in ledgers}) == 2
    assert [setting["config_setting_id"] for setting in state["entries"]["config_settings"]] == list(range(17))


# State ----------------------------------------------------------------------------------------------------------


def changes(meta: Any) -> Iterator[Any]:
    """Yield entry changes in the order in which a network applies them."""
    for processing in meta.tx_processing:
        yield from processing.fee_processing.ledger_entry_changes
    for processing in meta.tx_processing:
        applied = processing.tx_apply_processing.v4
        yield from applied.tx_changes_before.ledger_entry_changes
        for operation in applied.operations:
            yield from operation.changes.ledger_entry_changes
        yield from applied.tx_changes_after.ledger_entry_changes
    for processing in meta.tx_processing:
        yield from processing.post_tx_apply_fee_processing.ledger_entry_changes
    for upgrade in meta.upgrades_processing:
        yield from upgrade.changes.ledger_entry_changes


def key_of(data: xdr.LedgerEntryData) -> bytes:
    """Return the `LedgerKey`, by the SDK."""
    kind, value = data.type, next(value for name, value in vars(data).items() if name != "type" and value is not None)
    key: Any = {
        "account": lambda: xdr.LedgerKeyAccount(value.account_id),
        "trust_line": lambda: xdr.LedgerKeyTrustLine(value.account_id, value.asset),
        "offer": lambda: xdr.LedgerKeyOffer(value.seller_id, value.offer_id),
        "data": lambda: xdr.LedgerKeyData(value.account_id, value.data_name),
        "claimable_balance": lambda: xdr.LedgerKeyClaimableBalance(value.balance_id),
        "liquidity_pool": lambda: xdr.LedgerKeyLiquidityPool(value.liquidity_pool_id),
        "contract_data": lambda: xdr.LedgerKeyContractData(value.contract, value.key, value.durability),
        "contract_code": lambda: xdr.LedgerKeyContractCode(value.hash),
        "config_setting": lambda: xdr.LedgerKeyConfigSetting(value.config_setting_id),
        "ttl": lambda: xdr.LedgerKeyTtl(value.key_hash),
    }
    name = next(name for name, value in vars(data).items() if name != "type" and value is not None)
    return xdr.LedgerKey(kind, **{name: key[name]()}).to_xdr_bytes()


Entries = dict[bytes, xdr.LedgerEntry]


def replay(ledgers: list[Any]) -> Iterator[tuple[Any, Entries]]:
    """Yield the state after each ledger from the changes; check that each change begins at the previous state."""
    entries: Entries = {}
    for number, meta in enumerate(ledgers):
        sequence = meta.ledger_header.header.ledger_seq.uint32
        before = None
        for change in changes(meta):
            if change.state is not None:
                assert before is None
                before = change.state
                known = entries.get(key_of(before.data))
                if known is None:
                    # The lake begins after the network: its first account is older.
                    assert number == 0
                    entries[key_of(before.data)] = before
                else:
                    assert known.to_xdr_bytes() == before.to_xdr_bytes()
                continue
            if change.removed is not None:
                assert before is not None
                assert change.removed.to_xdr_bytes() == key_of(before.data)
                del entries[key_of(before.data)]
            else:
                entry = change.created or change.updated or change.restored
                key = key_of(entry.data)
                assert entry.last_modified_ledger_seq.uint32 == sequence
                assert (key_of(before.data) == key) if change.updated is not None else key not in entries
                entries[key] = entry
            before = None
        for key in meta.evicted_keys:
            del entries[key.to_xdr_bytes()]
        yield meta, entries


def test_changes_end_in_the_written_state(ledgers: list[Any], state: dict[str, Any]) -> None:
    entries: Entries = {}
    seen: Counter[Any] = Counter()
    for meta, now in replay(ledgers):
        entries = now
        seen.update(change.type for change in changes(meta))
    assert set(seen) == set(xdr.LedgerEntryChangeType)
    written = [entry for entries in state["entries"].values() for entry in entries]
    assert {base64.b64decode(one["ledger_key"]): base64.b64decode(one["ledger_entry"]) for one in written} == {
        key: entry.to_xdr_bytes() for key, entry in entries.items()
    }
    header = ledgers[-1].ledger_header.header
    assert (state["ledger"], state["fee_pool"]) == (header.ledger_seq.uint32, header.fee_pool.int64)
    assert all(state["entries"][kind] for kind in FIELDS)


FIELDS = {
    "accounts": lambda data: {
        "account_id": address(data.account.account_id.account_id.ed25519.uint256),
        "balance": data.account.balance.int64,
        "sequence_number": data.account.seq_num.sequence_number.int64,
        "num_subentries": data.account.num_sub_entries.uint32,
        "home_domain": data.account.home_domain.string32.decode(),
        "thresholds": list(data.account.thresholds.thresholds),
        "flags": data.account.flags.uint32,
    },
    "trustlines": lambda data: {
        "account_id": address(data.trust_line.account_id.account_id.ed25519.uint256),
        "balance": data.trust_line.balance.int64,
        "limit": data.trust_line.limit.int64,
        "flags": data.trust_line.flags.uint32,
    },
    "offers": lambda data: {
        "offer_id": data.offer.offer_id.int64,
        "amount": data.offer.amount.int64,
        "price_n": data.offer.price.n.int32,
        "price_d": data.offer.price.d.int32,
    },
    "data": lambda data: {"data_name": data.data.data_name.string64.decode()},
    "claimable_balances": lambda data: {
        "amount": data.claimable_balance.amount.int64,
        "balance_id": StrKey.encode_claimable_balance(b"\0" + data.claimable_balance.balance_id.v0.hash),
    },
    "liquidity_pools": lambda data: {
        "reserve_a": data.liquidity_pool.body.constant_product.reserve_a.int64,
        "reserve_b": data.liquidity_pool.body.constant_product.reserve_b.int64,
        "total_pool_shares": data.liquidity_pool.body.constant_product.total_pool_shares.int64,
    },
    "contract_data": lambda data: {
        "contract_id": Address.from_xdr_sc_address(data.contract_data.contract).address,
        "key": data.contract_data.key.to_xdr_bytes().hex(),
    },
    "contract_code": lambda data: {"contract_code_hash": data.contract_code.hash.hash.hex()},
    "ttl": lambda data: {"live_until_ledger_seq": data.ttl.live_until_ledger_seq.uint32},
    "config_settings": lambda data: {"config_setting_id": data.config_setting.config_setting_id.value},
}


def address(raw: bytes) -> str:
    return StrKey.encode_ed25519_public_key(raw)


def test_the_state_has_the_fields_of_its_entries(state: dict[str, Any]) -> None:
    for kind, read in FIELDS.items():
        for described in state["entries"][kind]:
            entry = xdr.LedgerEntry.from_xdr(described["ledger_entry"])
            assert described["last_modified_ledger"] == entry.last_modified_ledger_seq.uint32
            assert {name: described[name] for name in read(entry.data)} == read(entry.data)


NATIVE = xdr.Asset(xdr.AssetType.ASSET_TYPE_NATIVE).to_xdr_bytes()


def sac_balance(data: xdr.LedgerEntryData) -> tuple[bytes, int] | None:
    """Return the owner and amount of a balance in an asset's contract; None for any other entry."""
    content = data.contract_data
    if content is None or content.key.vec is None:
        return None
    name, *rest = content.key.vec.sc_vec
    if name.sym is None or name.sym.sc_symbol != b"Balance":
        return None
    amount = next(entry.val for entry in content.val.map.sc_map if entry.key.sym.sc_symbol == b"amount")
    return rest[0].address.contract_id.contract_id.hash, amount.i128.hi.int64 * 2**64 + amount.i128.lo.uint64


def asset_contract(asset: bytes, passphrase: str) -> bytes:
    preimage = (8).to_bytes(4, "big") + sha256(passphrase.encode()) + (1).to_bytes(4, "big") + asset
    return sha256(preimage)


def holdings(entries: Entries) -> Iterator[tuple[str, bytes, int]]:
    """Return the holdings by owner and asset. An asset is its contract's id or, outside contracts, its XDR."""
    for entry in entries.values():
        data = entry.data
        if data.account is not None:
            yield address(data.account.account_id.account_id.ed25519.uint256), NATIVE, data.account.balance.int64
        elif data.trust_line is not None and data.trust_line.asset.liquidity_pool_id is None:
            line = data.trust_line
            owner = address(line.account_id.account_id.ed25519.uint256)
            yield owner, line.asset.to_xdr_bytes(), line.balance.int64
        elif data.claimable_balance is not None:
            balance = data.claimable_balance
            name = StrKey.encode_claimable_balance(b"\0" + balance.balance_id.v0.hash)
            yield name, balance.asset.to_xdr_bytes(), balance.amount.int64
        elif data.liquidity_pool is not None:
            pool, name = data.liquidity_pool.body.constant_product, data.liquidity_pool.liquidity_pool_id.pool_id.hash
            yield StrKey.encode_liquidity_pool(name), pool.params.asset_a.to_xdr_bytes(), pool.reserve_a.int64
            yield StrKey.encode_liquidity_pool(name), pool.params.asset_b.to_xdr_bytes(), pool.reserve_b.int64
        elif (found := sac_balance(data)) is not None:
            contract, amount = found
            yield StrKey.encode_contract(contract), data.contract_data.contract.contract_id.contract_id.hash, amount


def test_lumens_are_conserved_and_sums_stay_exact(ledgers: list[Any], passphrase: str) -> None:
    native = (NATIVE, asset_contract(NATIVE, passphrase))
    in_contracts = 0
    for meta, entries in replay(ledgers):
        header = meta.ledger_header.header
        found = list(holdings(entries))
        lumens = sum(amount for _, asset, amount in found if asset in native)
        assert lumens + header.fee_pool.int64 == header.total_coins.int64
        assert all(amount >= 0 for _, _, amount in found)
        assert header.total_coins.int64 < LARGEST_SUM
        in_contracts += sum(amount for _, asset, amount in found if asset == native[1])
    assert in_contracts
    issued = sum(amount for _, asset, amount in found if asset not in native)
    assert 0 < issued < LARGEST_SUM


def amount_of(event: xdr.ContractEvent) -> int:
    data = event.body.v0.data
    if data.map is not None:
        data = next(entry.val for entry in data.map.sc_map if entry.key.sym.sc_symbol == b"amount")
    return int(data.i128.hi.int64 * 2**64 + data.i128.lo.uint64)


PARTIES = {b"transfer": (-1, 1), b"mint": (1,), b"burn": (-1,), b"clawback": (-1,), b"fee": (-1,)}


def test_the_events_determine_every_balance(ledgers: list[Any], passphrase: str) -> None:
    flows: dict[tuple[str, bytes], int] = defaultdict(int)
    entries: Entries = {}
    for meta, now in replay(ledgers):
        entries = now
        for processing in meta.tx_processing:
            applied = processing.tx_apply_processing.v4
            events = [event.event for event in applied.events]
            events += [event for operation in applied.operations for event in operation.events]
            for event in events:
                topics = event.body.v0.topics
                signs = PARTIES.get(topics[0].sym.sc_symbol) if topics and topics[0].sym is not None else None
                if signs is None:
                    continue
                for sign, topic in zip(signs, topics[1:], strict=False):
                    who = Address.from_xdr_sc_address(topic.address).address
                    flows[who, event.contract_id.contract_id.hash] += sign * amount_of(event)
    (root,) = {who for (who, _), amount in flows.items() if amount < -(10**12)}
    flows[root, asset_contract(NATIVE, passphrase)] += ledgers[0].ledger_header.header.total_coins.int64
    expected: dict[tuple[str, bytes], int] = defaultdict(int)
    for who, asset, amount in holdings(entries):
        expected[who, asset if len(asset) == 32 else asset_contract(asset, passphrase)] += amount
    assert {key: amount for key, amount in flows.items() if amount} == {
        key: amount for key, amount in expected.items() if amount
    }


def owner_of(data: xdr.LedgerEntryData) -> bytes | None:
    """Return the account that owns an entry as a subentry."""
    owned = data.trust_line or data.data
    account = data.offer.seller_id if data.offer is not None else owned.account_id if owned is not None else None
    return None if account is None else bytes(account.account_id.ed25519.uint256)


def units(data: xdr.LedgerEntryData) -> int:
    if data.claimable_balance is not None:
        return len(data.claimable_balance.claimants)
    pool = data.trust_line is not None and data.trust_line.asset.liquidity_pool_id is not None
    return 2 if data.account is not None or pool else 1


def test_subentries_sponsorships_liabilities_and_reserves_add_up(ledgers: list[Any]) -> None:
    """These are the invariants of stellar-core."""
    sponsored_at_all = promised_at_all = 0
    for meta, entries in replay(ledgers):
        if meta.ledger_header.header.ledger_seq.uint32 % 10:
            continue
        subentries: Counter[bytes] = Counter()
        sponsoring: Counter[bytes] = Counter()
        sponsored: Counter[bytes] = Counter()
        selling: Counter[tuple[bytes, bytes]] = Counter()
        lines: Counter[bytes] = Counter()
        for entry in entries.values():
            data = entry.data
            owner = owner_of(data)
            if owner is not None:
                subentries[owner] += units(data)
            sponsor = entry.ext.v1.sponsoring_id.sponsorship_descriptor if entry.ext.v1 is not None else None
            if sponsor is not None:
                sponsoring[sponsor.account_id.ed25519.uint256] += units(data)
                sponsee = data.account.account_id.account_id.ed25519.uint256 if data.account is not None else owner
                if sponsee is not None:
                    sponsored[sponsee] += units(data)
            if data.account is not None:
                account = data.account.account_id.account_id.ed25519.uint256
                subentries[account] += len(data.account.signers)
                extension = second_extension(data.account)
                for signer in extension.signer_sponsoring_i_ds if extension is not None else ():
                    if signer.sponsorship_descriptor is not None:
                        sponsoring[signer.sponsorship_descriptor.account_id.ed25519.uint256] += 1
                        sponsored[account] += 1
            if data.offer is not None:
                assert owner is not None
                selling[owner, data.offer.selling.to_xdr_bytes()] += data.offer.amount.int64
            if data.trust_line is not None and data.trust_line.asset.liquidity_pool_id is not None:
                lines[data.trust_line.asset.liquidity_pool_id.pool_id.hash] += 1
        for entry in entries.values():
            data = entry.data
            if data.account is not None:
                account = data.account.account_id.account_id.ed25519.uint256
                extension = second_extension(data.account)
                counts = (0, 0)
                if extension is not None:
                    counts = (extension.num_sponsoring.uint32, extension.num_sponsored.uint32)
                assert counts == (sponsoring[account], sponsored[account])
                assert data.account.num_sub_entries.uint32 == subentries[account]
                promised = data.account.ext.v1.liabilities.selling.int64 if data.account.ext.v1 is not None else 0
                assert promised == selling[account, NATIVE]
                reserve = (2 + subentries[account] + counts[0] - counts[1]) * BASE_RESERVE
                assert data.account.balance.int64 >= promised
                assert data.account.balance.int64 >= reserve - BASE_RESERVE / 50  # fees may use a part of it
                promised_at_all += promised
                sponsored_at_all += counts[0]
            elif data.trust_line is not None and data.trust_line.asset.liquidity_pool_id is None:
                line = data.trust_line
                owner = line.account_id.account_id.ed25519.uint256
                promised = line.ext.v1.liabilities.selling.int64 if line.ext.v1 is not None else 0
                assert promised == selling[owner, line.asset.to_xdr_bytes()]
                assert promised <= line.balance.int64 <= line.limit.int64
            elif data.liquidity_pool is not None:
                pool = data.liquidity_pool.body.constant_product
                assert (
                    pool.pool_shares_trust_line_count.int64 == lines[data.liquidity_pool.liquidity_pool_id.pool_id.hash]
                )
                # Rounding and fees only add to a pool: its shares never exceed its reserves.
                assert pool.total_pool_shares.int64**2 <= pool.reserve_a.int64 * pool.reserve_b.int64
    assert sponsored_at_all
    assert promised_at_all


def second_extension(account: xdr.AccountEntry) -> Any:
    return account.ext.v1.ext.v2 if account.ext.v1 is not None else None


def test_contract_entries_expire_are_evicted_and_restored(ledgers: list[Any], state: dict[str, Any]) -> None:
    evicted: set[bytes] = set()
    came_back: set[bytes] = set()
    for meta in ledgers:
        for change in changes(meta):
            if change.restored is not None:
                assert key_of(change.restored.data) in evicted
                came_back.add(key_of(change.restored.data))
        evicted.update(key.to_xdr_bytes() for key in meta.evicted_keys)
        data = [key for key in meta.evicted_keys if key.ttl is None]
        ended = {key.ttl.key_hash.hash for key in meta.evicted_keys if key.ttl is not None}
        assert ended == {sha256(key.to_xdr_bytes()) for key in data}
    keys = [xdr.LedgerKey.from_xdr_bytes(key) for key in evicted]
    durable = xdr.ContractDataDurability
    assert {key.contract_data.durability for key in keys if key.contract_data is not None} == set(durable)
    assert len(came_back) >= 2
    gone = {one["ledger_key"] for entries in state["archived"].values() for one in entries}
    assert gone
    assert not gone & {one["ledger_key"] for entries in state["entries"].values() for one in entries}


# Command line ---------------------------------------------------------------------------------------------------


def test_users_set_start_time_and_first_ledger(tmp_path: Path) -> None:
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
    header = meta.v2.ledger_header.header
    assert header.scp_value.close_time.time_point.uint64 == 1904162400


def test_an_existing_lake_is_kept_and_a_different_one_is_not_overwritten(network: Path, tmp_path: Path) -> None:
    before = files(network)
    again = generate("--out", network, "--ledgers", LEDGERS, "--seed", 5)
    assert again.returncode == 0
    assert "already" in again.stdout
    other = generate("--out", network, "--ledgers", 5)
    assert other.returncode == 1
    assert "--seed 5" in other.stderr
    assert files(network) == before
    (tmp_path / "note").write_text("mine")
    assert generate("--out", tmp_path).returncode == 1
    assert (tmp_path / "note").read_text() == "mine"


def test_a_lake_of_an_older_generator_counts_as_different(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    assert generate("--out", folder, "--ledgers", 3).returncode == 0
    record = json.loads((folder / ".sample.json").read_text())
    record.pop("generator")
    (folder / ".sample.json").write_text(json.dumps(record))
    refused = generate("--out", folder, "--ledgers", 3)
    assert refused.returncode == 1
    assert "older generator" in refused.stderr
