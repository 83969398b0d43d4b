"""Several changes of one entry in one ledger, signers, and contracts' records of assets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import Asset, BumpSequence, SignerKey, StrKey, scval, xdr

from stellar_etl.transforms.registry import STATE
from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    CLOSED_AT,
    DAVE,
    LONG,
    NATIVE,
    NO_EXTENSION,
    PASSPHRASE,
    SEQUENCE,
    USD,
    Tx,
    account,
    change,
    contract_of,
    data,
    ledger,
    ledger_key,
    restored,
    ttl,
)
from tests.stellar_etl.program import Row

Changes = Sequence[xdr.LedgerEntryChange]
CREATED, UPDATED, REMOVED, RESTORED = 0, 1, 2, 4


def acting(*each: Changes, **more: Any) -> Tx:
    """Return a transaction with an operation per list of changes."""
    return Tx([BumpSequence(1)] * max(len(each), 1), changes=each or [[]], **more)


def exported(folder: Path, *ledgers: bytes, strict: bool = True) -> dict[str, list[Row]]:
    """Return the rows of ledgers, also of ledgers with modified results."""
    return export(folder, ledgers, PASSPHRASE, *STATE, strict=strict, verify=False).rows


def altered(made: bytes, **fields: Any) -> bytes:
    """Return a ledger with changed fields in its meta."""
    meta = xdr.LedgerCloseMeta.from_xdr_bytes(made)
    close = meta.v2 or meta.v1
    for name, value in fields.items():
        setattr(close, name, value)
    return meta.to_xdr_bytes()


def became(rows: Sequence[Row], column: str) -> list[tuple[int, Any]]:
    return [(row["ledger_entry_change"], row[column]) for row in rows]


def alice(stroops: int) -> xdr.LedgerEntry:
    return account(ALICE, stroops * 10**7)


# Several changes of one entry --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(None, 1)], [(CREATED, 1)]),
        ([(1, 2)], [(UPDATED, 2)]),
        ([(1, None)], [(REMOVED, 1)]),
        ([(None, 1), (1, 2), (2, 3)], [(CREATED, 3)]),
        ([(None, 1), (1, None)], []),
        ([(None, 1), (1, None), (None, 2)], [(CREATED, 2)]),
        ([(1, 2), (2, 3)], [(UPDATED, 3)]),
        # The row of a removed entry shows the state before the ledger, not before the removal.
        ([(1, 2), (2, None)], [(REMOVED, 1)]),
        ([(1, None), (None, 2)], [(UPDATED, 2)]),
        ([(1, None), (None, 2), (2, None)], [(REMOVED, 1)]),
    ],
)
def test_changes_of_one_entry_become_one_row(
    tmp_path: Path, steps: list[tuple[int | None, int | None]], expected: list[tuple[int, int]]
) -> None:
    def entry(units: int | None) -> xdr.LedgerEntry | None:
        return None if units is None else alice(units)

    together = [change(entry(before), entry(after)) for before, after in steps]
    found = exported(tmp_path, ledger(acting(*together)))["accounts"]
    assert became(found, "balance") == expected
    assert [row["deleted"] for row in found] == [kind == REMOVED for kind, _ in expected]


def test_each_ledger_has_its_own_rows(tmp_path: Path) -> None:
    first, second = ledger(acting(change(None, alice(1)))), ledger(acting(change(alice(1), alice(2))), sequence=101)
    found = exported(tmp_path, first, second)["accounts"]
    assert became(found, "balance") == [(CREATED, 1), (UPDATED, 2)]
    assert [row["ledger_sequence"] for row in found] == [100, 101]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("the second's fee", "the first's operation"),
        ("the first's operation", "the first's end"),
        ("the first's end", "the second's operation"),
        ("the second's end", "the first's refund"),
        ("the second's refund", "an upgrade"),
    ],
)
def test_changes_are_ordered_by_fees_transactions_refunds_and_upgrades(
    tmp_path: Path, earlier: str, later: str
) -> None:
    steps = {earlier: change(alice(1), alice(2)), later: change(alice(2), alice(3))}

    def step(name: str) -> list[xdr.LedgerEntryChange]:
        return steps.get(name, [])

    transactions = [
        acting(step(f"{which}'s operation"), fee_changes=step(f"{which}'s fee"), after=step(f"{which}'s end"))
        for which in ("the first", "the second")
    ]
    meta = xdr.LedgerCloseMeta.from_xdr_bytes(ledger(*transactions, version=2))
    assert meta.v2 is not None
    for processed, which in zip(meta.v2.tx_processing, ("the first", "the second"), strict=True):
        processed.post_tx_apply_fee_processing = xdr.LedgerEntryChanges(step(f"{which}'s refund"))
    upgrade = xdr.LedgerUpgrade(xdr.LedgerUpgradeType.LEDGER_UPGRADE_VERSION, new_ledger_version=xdr.Uint32(24))
    meta.v2.upgrades_processing = [xdr.UpgradeEntryMeta(upgrade, xdr.LedgerEntryChanges(step("an upgrade")))]
    assert became(exported(tmp_path, meta.to_xdr_bytes())["accounts"], "balance") == [(UPDATED, 3)]


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4])
def test_every_version_of_meta_has_rows(tmp_path: Path, version: int) -> None:
    after = change(alice(3), alice(4)) if version > 1 else []
    tx = acting(change(alice(2), alice(3)), fee_changes=change(alice(1), alice(2)), meta=version, after=after)
    for close in (0, 1, 2):
        found = exported(tmp_path / str(close), ledger(tx, version=close))["accounts"]
        assert became(found, "balance") == [(UPDATED, 4 if version > 1 else 3)]


@pytest.mark.parametrize(("protocol", "left"), [(12, 2), (13, 4)])
def test_internal_errors_of_old_protocols_undo_their_changes(tmp_path: Path, protocol: int, left: int) -> None:
    tx = acting(change(alice(2), alice(3)), fee_changes=change(alice(1), alice(2)), after=change(alice(3), alice(4)))
    meta = xdr.LedgerCloseMeta.from_xdr_bytes(ledger(tx, protocol=protocol))
    assert meta.v1 is not None
    error = xdr.TransactionResultResult(xdr.TransactionResultCode.txINTERNAL_ERROR)
    meta.v1.tx_processing[0].result.result.result = error
    assert became(exported(tmp_path, meta.to_xdr_bytes())["accounts"], "balance") == [(UPDATED, left)]


def test_data_entries_have_no_table(tmp_path: Path) -> None:
    assert not any(exported(tmp_path, ledger(acting(change(None, data("name", b"value"))))).values())


# Archive -----------------------------------------------------------------------------------------------------------


def stored(value: xdr.SCVal, key: xdr.SCVal | None = None, contract: bytes = bytes(32)) -> xdr.LedgerEntry:
    """Return an entry of a contract."""
    address = xdr.SCAddress(xdr.SCAddressType.SC_ADDRESS_TYPE_CONTRACT, contract_id=xdr.ContractID(xdr.Hash(contract)))
    persistent = xdr.ContractDataDurability.PERSISTENT
    content = xdr.ContractDataEntry(NO_EXTENSION, address, key or scval.to_symbol("key"), persistent, value)
    data = xdr.LedgerEntryData(xdr.LedgerEntryType.CONTRACT_DATA, contract_data=content)
    return xdr.LedgerEntry(xdr.Uint32(SEQUENCE), data, xdr.LedgerEntryExt(0))


ONE, TWO, THREE = (stored(scval.to_uint32(number)) for number in (1, 2, 3))
STATE_OF_ONE = change(ONE, TWO)[:1]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([restored(ONE)], [(RESTORED, 1)]),
        ([[*STATE_OF_ONE, *restored(TWO)]], [(RESTORED, 2)]),
        ([restored(ONE), change(ONE, TWO)], [(RESTORED, 2)]),
        ([change(ONE, TWO), [*change(TWO, THREE)[:1], *restored(THREE)]], [(RESTORED, 3)]),
        ([change(ONE, None), restored(TWO)], [(RESTORED, 2)]),
        ([restored(ONE), change(ONE, TWO), change(TWO, None)], [(REMOVED, 2)]),
        ([[*STATE_OF_ONE, *restored(TWO)], change(TWO, None)], [(REMOVED, 1)]),
        ([change(None, ONE), [*STATE_OF_ONE, *restored(TWO)]], [(CREATED, 2)]),
    ],
)
def test_restored_entries_have_rows(tmp_path: Path, steps: list[Changes], expected: list[tuple[int, int]]) -> None:
    found = exported(tmp_path, ledger(acting(*steps)))
    assert [(kind, shown["u32"]) for kind, shown in became(found["contract_data"], "val_decoded")] == expected
    key = ledger_key(ONE).to_xdr()
    restored = [
        {
            "ledger_key_hash": key,
            "ledger_entry_type": "LedgerEntryTypeContractData",
            "last_modified_ledger": SEQUENCE,
            "closed_at": CLOSED_AT,
            "ledger_sequence": SEQUENCE,
        }
    ]
    assert found["restored_key"] == (restored if expected[0][0] == RESTORED else [])


def test_the_longest_of_several_extensions_counts(tmp_path: Path) -> None:
    # Transactions that run in parallel begin with the same state.
    tx = acting(change(ttl(1, 500), ttl(1, 900)), change(ttl(1, 500), ttl(1, 700)), change(ttl(2, 5), ttl(2, 6)))
    found = exported(tmp_path, ledger(tx))["ttl"]
    assert became(found, "live_until_ledger_seq") == [(UPDATED, 900), (UPDATED, 6)]


def test_evicted_entries_are_removed_and_only_their_keys_are_known(tmp_path: Path) -> None:
    code = xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_CODE, contract_code=xdr.LedgerKeyContractCode(xdr.Hash(bytes([9]) * 32))
    )
    keys = [ledger_key(ONE), ledger_key(ttl(3, 1)), code]
    for version in (1, 2):
        made = altered(ledger(acting(), version=version), evicted_keys=keys)
        found = exported(tmp_path / str(version), made)
        (row,) = found["contract_data"]
        assert row["ledger_key_hash_base_64"] == ledger_key(ONE).to_xdr()
        assert row["contract_id"] == StrKey.encode_contract(bytes(32))
        assert (row["key"], row["key_decoded"]) == (scval.to_symbol("key").to_xdr(), {"symbol": "key"})
        assert (row["ledger_entry_change"], row["deleted"], row["ledger_sequence"]) == (REMOVED, True, SEQUENCE)
        unknown = ("val", "val_decoded", "contract_data_xdr", "last_modified_ledger")
        assert {row[column] for column in unknown} == {None}
        assert became(found["ttl"], "key_hash") == [(REMOVED, "03" * 32)]
        assert became(found["contract_code"], "contract_code_hash") == [(REMOVED, "09" * 32)]
        assert {found["ttl"][0]["live_until_ledger_seq"], found["contract_code"][0]["n_functions"]} == {None}


def test_an_evicted_entry_that_the_ledger_changed_shows_its_state_before(tmp_path: Path) -> None:
    made = altered(ledger(acting(change(ONE, TWO))), evicted_keys=[ledger_key(ONE)])
    assert became(exported(tmp_path, made)["contract_data"], "val_decoded") == [(REMOVED, {"u32": 1})]


# Signers -----------------------------------------------------------------------------------------------------------


def signed(*signers: tuple[str, int, str | None], master: int = 1) -> xdr.LedgerEntry:
    keys = [(SignerKey.ed25519_public_key(key).to_xdr_object(), weight, by) for key, weight, by in signers]
    return account(ALICE, 1, signers=keys, master=master)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, signed(), [(CREATED, ALICE, 1, None)]),
        (signed(), signed(), []),
        (signed(), signed(master=0), [(REMOVED, ALICE, 0, None)]),
        (signed(), signed(master=5), [(UPDATED, ALICE, 5, None)]),
        (signed(), signed((BOB, 2, CAROL)), [(UPDATED, ALICE, 1, None), (UPDATED, BOB, 2, CAROL)]),
        (signed((BOB, 2, None)), signed((BOB, 2, DAVE)), [(UPDATED, ALICE, 1, None), (UPDATED, BOB, 2, DAVE)]),
        (signed((BOB, 2, CAROL)), signed(), [(UPDATED, ALICE, 1, None), (REMOVED, BOB, 0, CAROL)]),
        (signed((BOB, 2, CAROL)), None, [(REMOVED, ALICE, 1, None), (REMOVED, BOB, 2, CAROL)]),
    ],
)
def test_signers_have_rows_if_one_of_them_changes(
    tmp_path: Path,
    before: xdr.LedgerEntry | None,
    after: xdr.LedgerEntry | None,
    expected: list[tuple[int, str, int, str | None]],
) -> None:
    found = exported(tmp_path, ledger(acting(change(before, after))))
    rows = found["signers"]
    assert [(row["ledger_entry_change"], row["signer"], row["weight"], row["sponsor"]) for row in rows] == expected
    assert [row["deleted"] for row in rows] == [kind == REMOVED for kind, *_ in expected]
    assert {row["account_id"] for row in rows} <= {ALICE}
    assert len(found["accounts"]) == 1


# Contracts ---------------------------------------------------------------------------------------------------------


def instance(name: str, code: str, issuer: str) -> xdr.SCVal:
    """Return the instance data of an asset's own contract."""
    info = {
        scval.to_symbol("asset_code"): scval.to_string(code),
        scval.to_symbol("issuer"): scval.to_bytes(StrKey.decode_ed25519_public_key(issuer)),
    }
    entries = [xdr.SCMapEntry(key, value) for key, value in info.items()]
    asset_info = scval.to_vec([scval.to_symbol(name), xdr.SCVal(xdr.SCValType.SCV_MAP, map=xdr.SCMap(entries))])
    return itself({"AssetInfo": asset_info})


def itself(storage: dict[str, xdr.SCVal]) -> xdr.SCVal:
    entries = [xdr.SCMapEntry(scval.to_vec([scval.to_symbol(key)]), value) for key, value in storage.items()]
    executable = xdr.ContractExecutable(xdr.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET)
    return xdr.SCVal(
        xdr.SCValType.SCV_CONTRACT_INSTANCE, instance=xdr.SCContractInstance(executable, xdr.SCMap(entries))
    )


INSTANCE = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)
NO_ASSET = ("", "", "")


@pytest.mark.parametrize(
    ("contract", "value", "expected"),
    [
        (USD, instance("AlphaNum4", "USD", USD.issuer), ("credit_alphanum4", "USD", USD.issuer)),
        (LONG, instance("AlphaNum12", "LONGCODE", LONG.issuer), ("credit_alphanum12", "LONGCODE", LONG.issuer)),
        # Any contract can claim this.
        (LONG, instance("AlphaNum4", "USD", USD.issuer), NO_ASSET),
        (USD, instance("AlphaNum5", "USD", USD.issuer), NO_ASSET),
        (USD, itself({"AssetInfo": scval.to_vec([scval.to_map({}), scval.to_map({})])}), NO_ASSET),
        (USD, itself({}), NO_ASSET),
        (NATIVE, itself({"AssetInfo": scval.to_vec([scval.to_symbol("Native")])}), NO_ASSET),
    ],
)
def test_an_assets_own_contract_is_recognized(
    tmp_path: Path, contract: Asset, value: xdr.SCVal, expected: tuple[str, str, str]
) -> None:
    entry = stored(value, INSTANCE, contract_of(contract))
    (row,) = exported(tmp_path, ledger(acting(change(None, entry))))["contract_data"]
    assert (row["asset_type"], row["asset_code"], row["asset_issuer"]) == expected
    assert row["contract_key_type"] == "ScValTypeScvLedgerKeyContractInstance"


def balance(amount: xdr.SCVal, **more: xdr.SCVal) -> xdr.SCVal:
    parts = {"amount": amount, "authorized": scval.to_bool(True), "clawback": scval.to_bool(False), **more}
    return scval.to_map({scval.to_symbol(key): value for key, value in parts.items()})


HOLDER = StrKey.encode_contract(bytes([7]) * 32)


@pytest.mark.parametrize(
    ("holder", "value", "expected"),
    [
        (HOLDER, balance(scval.to_int128(2**70 + 5)), (HOLDER, str(2**70 + 5))),
        (HOLDER, balance(scval.to_int128(0)), (HOLDER, "0")),
        (HOLDER, balance(scval.to_int128(-1)), ("", "")),
        (HOLDER, balance(scval.to_uint32(1)), ("", "")),
        (HOLDER, balance(scval.to_int128(1), more=scval.to_bool(True)), ("", "")),
        (HOLDER, scval.to_int128(1), ("", "")),
        (ALICE, balance(scval.to_int128(1)), ("", "")),
    ],
)
def test_a_contracts_balance_has_a_row(
    tmp_path: Path, holder: str, value: xdr.SCVal, expected: tuple[str, str]
) -> None:
    key = scval.to_vec([scval.to_symbol("Balance"), scval.to_address(holder)])
    entry = stored(value, key, contract_of(USD))
    (row,) = exported(tmp_path, ledger(acting(change(None, entry))))["contract_data"]
    assert (row["balance_holder"], row["balance"]) == expected


def test_nonces_have_no_row(tmp_path: Path) -> None:
    nonce = xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_NONCE, nonce_key=xdr.SCNonceKey(xdr.Int64(5)))
    changes = [change(None, stored(scval.to_void(), nonce)), change(None, ONE)]
    found = exported(tmp_path, ledger(acting(*changes)))
    assert [row["key_decoded"] for row in found["contract_data"]] == [{"symbol": "key"}]


def test_an_invalid_contract_entry_is_counted_as_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = stored(scval.to_void())
    assert entry.data.contract_data is not None
    entry.data.contract_data.contract = scval.from_address(scval.to_address(ALICE)).to_xdr_sc_address()
    made = export(tmp_path, [ledger(acting(change(None, entry)))], PASSPHRASE, "contract_data", strict=False)
    assert made.rows["contract_data"] == []
    assert made.statistics.as_dict() == {
        "attempted_transforms": 1,
        "failed_transforms": 1,
        "successful_transforms": 0,
    }
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "left out" in line)
    assert f"contract_data of ledger {SEQUENCE}, ledger key {ledger_key(entry).to_xdr()}" in line
    assert "SC_ADDRESS_TYPE_ACCOUNT, not a contract" in line
