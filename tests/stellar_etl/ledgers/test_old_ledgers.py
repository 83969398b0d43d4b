"""Ledgers and transactions in every historical form give the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from stellar_sdk import Payment

from stellar_etl.errors import ExportError
from stellar_etl.transforms.registry import HISTORY
from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import ALICE, BOB, CAROL, CLOSED_AT, PASSPHRASE, SEQUENCE, USD, Tx, account, change, ledger

OTHERS = [type_ for type_ in HISTORY if type_ != "token_transfers"]
FEE = change(account(ALICE, 1000), account(ALICE, 900))


def paying(**attributes: object) -> Tx:
    return Tx([Payment(BOB, USD, "5")], fee_changes=FEE, **attributes)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("meta", [0, 1, 2, 3])
def test_all_types_except_token_transfers_can_be_read_from_older_meta(tmp_path: Path, version: int, meta: int) -> None:
    old = export(tmp_path / "old", [ledger(paying(meta=meta), version=version)], PASSPHRASE, *OTHERS).rows
    new = export(tmp_path / "new", [ledger(paying(meta=4), version=1)], PASSPHRASE, *OTHERS).rows
    assert [(row["type_string"], row["details"]["amount"]) for row in old["effects"]] == [
        ("account_credited", "5.0000000"),
        ("account_debited", "5.0000000"),
    ]
    assert old["effects"] == new["effects"]
    assert old["operations"] == new["operations"]
    assert old["assets"] == new["assets"]
    assert old["contract_events"] == []
    (row,), (same,) = old["transactions"], new["transactions"]
    assert {**row, "tx_meta": None} == {**same, "tx_meta": None}
    assert old["ledgers"][0]["closed_at"] == CLOSED_AT
    assert old["ledgers"][0]["sequence"] == SEQUENCE
    assert len(old["ledger_transaction"]) == 1


@pytest.mark.parametrize("meta", [0, 1, 2, 3])
def test_token_transfers_of_older_meta_are_missing_and_reported(
    tmp_path: Path, meta: int, capsys: pytest.CaptureFixture[str]
) -> None:
    made = export(tmp_path / "counted", [ledger(paying(meta=meta))], PASSPHRASE, "token_transfers", strict=False)
    assert made.rows["token_transfers"] == []
    assert made.statistics.failed == 1
    assert f"its meta, of version {meta}, holds no unified events" in capsys.readouterr().err
    with pytest.raises(ExportError, match="holds no unified events"):
        export(tmp_path / "strict", [ledger(paying(meta=meta))], PASSPHRASE, "token_transfers")


def test_token_transfers_are_missing_if_a_node_records_no_classic_events(tmp_path: Path) -> None:
    made = export(tmp_path, [ledger(paying(fees=[]))], PASSPHRASE, "token_transfers", strict=False)
    assert made.rows["token_transfers"] == []
    assert made.statistics.failed == 1


@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_oldest_envelopes_have_rows(tmp_path: Path, version: int) -> None:
    made = export(tmp_path, [ledger(paying(envelope_v0=True, meta=2), version=version)], PASSPHRASE, *OTHERS).rows
    assert [row["account"] for row in made["transactions"]] == [ALICE]
    assert made["transactions"][0]["successful"] is True
    assert [(row["source_account"], row["type_string"]) for row in made["operations"]] == [(ALICE, "payment")]
    assert [row["address"] for row in made["effects"]] == [BOB, ALICE]


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("version", [0, 1, 2])
def test_fee_bumps_have_rows(tmp_path: Path, version: int, failed: bool) -> None:
    bumped = ledger(paying(fee_source=CAROL, failed=failed), version=version)
    made = export(tmp_path, [bumped], PASSPHRASE).rows
    (row,) = made["transactions"]
    assert (row["account"], row["fee_account"], row["successful"]) == (ALICE, CAROL, not failed)
    assert row["new_max_fee"] == 400
    assert row["inner_transaction_hash"] not in ("", row["transaction_hash"])
    assert len(made["operations"]) == 1
    assert len(made["effects"]) == (0 if failed else 2)
    assert made["operations"][0]["operation_trace_code"] == "PaymentResultCodePaymentSuccess"


def test_a_ledger_without_transactions_has_no_transaction_rows(tmp_path: Path) -> None:
    made = export(tmp_path, [ledger(version=0)], PASSPHRASE).rows
    assert {type_: len(rows) for type_, rows in made.items() if rows} == {"ledgers": 1}
