"""Events and calls of smart contracts: each version of meta, and each type of value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import InvokeHostFunction, Payment, StrKey, scval, xdr

from tests.stellar_etl.lakes import export
from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    CLOSED_AT,
    ISSUER,
    NATIVE,
    PASSPHRASE,
    SEQUENCE,
    USD,
    Tx,
    event,
    fee_event,
    ledger,
    succeeded,
    token_event,
)
from tests.stellar_etl.program import Row

OWN = b"\5" * 32
CONTRACT = StrKey.encode_contract(OWN)
TRANSACTION_ID = SEQUENCE << 32 | 1 << 12
NOTHING = scval.to_void()


def invoke(*arguments: xdr.SCVal) -> InvokeHostFunction:
    called = xdr.InvokeContractArgs(scval.to_address(CONTRACT).address, xdr.SCSymbol(b"call"), list(arguments))
    kind = xdr.HostFunctionType.HOST_FUNCTION_TYPE_INVOKE_CONTRACT
    return InvokeHostFunction(xdr.HostFunction(kind, invoke_contract=called), [])


def calling(*arguments: xdr.SCVal, **attributes: Any) -> Tx:
    """Return a transaction that calls a contract."""
    operation = invoke(*arguments)
    result = succeeded(operation.to_xdr_object(), xdr.Hash(bytes(32)))
    return Tx([operation], results=[result], soroban=True, **attributes)


def rows(folder: Path, type_: str, *transactions: Tx) -> list[Row]:
    return export(folder, [ledger(*transactions)], PASSPHRASE, type_).rows[type_]


def named(name: str, kind: int = 1, contract: bytes | None = OWN) -> xdr.ContractEvent:
    return event(contract, [scval.to_symbol(name)], NOTHING, kind)


def diagnostic(one: xdr.ContractEvent, *, in_successful_call: bool = True) -> xdr.DiagnosticEvent:
    return xdr.DiagnosticEvent(in_successful_call, one)


DIAGNOSTIC = [
    diagnostic(named("done", 2, None), in_successful_call=False),
    diagnostic(named("own")),
]


def test_events_of_meta_v3_belong_to_the_first_operation(tmp_path: Path) -> None:
    made = rows(
        tmp_path, "contract_events", calling(meta=3, events=[[named("own"), named("sys", 0)]], diagnostic=DIAGNOSTIC)
    )
    assert [(row["topics_decoded"], row["operation_id"], row["in_successful_contract_call"]) for row in made] == [
        ([{"symbol": "own"}], TRANSACTION_ID | 1, True),
        ([{"symbol": "sys"}], TRANSACTION_ID | 1, True),
        ([{"symbol": "done"}], None, False),
        ([{"symbol": "own"}], None, True),
    ]
    assert [row["type_string"] for row in made] == [
        "ContractEventTypeContract",
        "ContractEventTypeSystem",
        "ContractEventTypeDiagnostic",
        "ContractEventTypeContract",
    ]
    assert [row["contract_id"] for row in made] == [CONTRACT, CONTRACT, "", CONTRACT]


def test_events_of_meta_v4_are_ordered_by_transaction_operations_and_diagnostics(tmp_path: Path) -> None:
    payment = Payment(BOB, USD, "1")
    events = [[token_event("transfer", ALICE, BOB, amount=1)], [], [token_event("mint", BOB, amount=2)]]
    fees = [fee_event(ALICE, 300), fee_event(ALICE, -1)]
    made = rows(
        tmp_path,
        "contract_events",
        Tx([payment] * 3, events=events, changes=[[], [], []], fees=fees, diagnostic=DIAGNOSTIC[:1]),
    )
    assert [(row["topics_decoded"][0]["symbol"], row["operation_id"]) for row in made] == [
        ("fee", None),
        ("fee", None),
        ("transfer", TRANSACTION_ID | 1),
        ("mint", TRANSACTION_ID | 3),
        ("done", None),
    ]
    assert {(row["closed_at"], row["ledger_sequence"], row["transaction_id"]) for row in made} == {
        (CLOSED_AT, SEQUENCE, TRANSACTION_ID)
    }


def test_events_of_failed_transactions_have_rows_with_a_mark(tmp_path: Path) -> None:
    made = rows(tmp_path, "contract_events", calling(failed=True, diagnostic=DIAGNOSTIC))
    assert [(row["topics_decoded"][0]["symbol"], row["successful"]) for row in made] == [
        ("fee", False),
        ("done", False),
        ("own", False),
    ]
    # A failed transaction undid its calls; the meta records them for diagnostic events only.
    assert [row["in_successful_contract_call"] for row in made] == [
        False,
        *(one.in_successful_contract_call for one in DIAGNOSTIC),
    ]


@pytest.mark.parametrize("meta", [3, 4])
def test_every_event_of_a_transaction_has_a_unique_index(tmp_path: Path, meta: int) -> None:
    transfer = token_event("transfer", ALICE, BOB, amount=1, asset=NATIVE)
    copies = [diagnostic(transfer), diagnostic(transfer)]
    tx = calling(meta=meta, events=[[transfer, transfer]], diagnostic=copies, fees=[fee_event(ALICE, 1)])
    made = export(tmp_path, [ledger(tx, tx)], PASSPHRASE, "contract_events", "token_transfers", strict=False).rows
    own = ["transaction"] if meta == 4 else []
    expected = list(enumerate([*own, "operation", "operation", "diagnostic", "diagnostic"]))
    each = [(row["event_index"], row["event_source"]) for row in made["contract_events"]]
    assert each == expected * 2
    # A token transfer's row has the index of its event.
    by_index = {(row["transaction_id"], row["event_index"]): row for row in made["contract_events"]}
    for row in made["token_transfers"]:
        same = by_index[row["transaction_id"], row["event_index"]]
        assert same["event_source"] == ("operation" if row["operation_id"] else "transaction")
        assert same["topics_decoded"][0] == {"symbol": row["event_topic"]}
    assert len(made["token_transfers"]) == (6 if meta == 4 else 0)


def pairs(**values: xdr.SCVal) -> xdr.SCVal:
    return scval.to_map({scval.to_symbol(key): value for key, value in values.items()})


def error(kind: str, code: Any) -> xdr.SCVal:
    if kind == "SCE_CONTRACT":
        sc_error = xdr.SCError(xdr.SCErrorType.SCE_CONTRACT, contract_code=xdr.Uint32(code))
    else:
        sc_error = xdr.SCError(xdr.SCErrorType[kind], code=xdr.SCErrorCode[code])
    return xdr.SCVal(xdr.SCValType.SCV_ERROR, error=sc_error)


def instance(executable: xdr.ContractExecutable, storage: list[xdr.SCMapEntry] | None) -> xdr.SCVal:
    sc_instance = xdr.SCContractInstance(executable, None if storage is None else xdr.SCMap(storage))
    return xdr.SCVal(xdr.SCValType.SCV_CONTRACT_INSTANCE, instance=sc_instance)


KINDS = xdr.ContractExecutableType
WASM = xdr.ContractExecutable(KINDS.CONTRACT_EXECUTABLE_WASM, xdr.Hash(b"\1" * 32))
ASSET = xdr.ContractExecutable(KINDS.CONTRACT_EXECUTABLE_STELLAR_ASSET)
POOL_ADDRESS, BALANCE_ADDRESS = StrKey.encode_liquidity_pool(b"\7" * 32), StrKey.encode_claimable_balance(bytes(33))

VALUES: list[tuple[xdr.SCVal, str, str]] = [
    (scval.to_bool(True), "B", "true"),
    (scval.to_bool(False), "B", "false"),
    (scval.to_void(), "", "(void)"),
    (error("SCE_CONTRACT", 7), "Error", "ScErrorTypeSceContract(7)"),
    (error("SCE_WASM_VM", "SCEC_INVALID_ACTION"), "Error", "ScErrorTypeSceWasmVm(ScErrorCodeScecInvalidAction)"),
    (scval.to_uint32(2**32 - 1), "U32", "4294967295"),
    (scval.to_int32(-1), "I32", "-1"),
    (scval.to_uint64(2**64 - 1), "U64", "18446744073709551615"),
    (scval.to_int64(-(2**63)), "I64", "-9223372036854775808"),
    (scval.to_timepoint(1714979289), "Timepoint", "2024-05-06 07:08:09 +0000 UTC"),
    # After the end of the calendar Go continues to count; a value beyond its 63 bits is before 1970.
    (scval.to_timepoint(253402300800), "Timepoint", "10000-01-01 00:00:00 +0000 UTC"),
    (scval.to_timepoint(2**63 - 1), "Timepoint", "292277026596-12-04 15:30:07 +0000 UTC"),
    (scval.to_timepoint(2**64 - 1), "Timepoint", "1969-12-31 23:59:59 +0000 UTC"),
    (scval.to_duration(60), "Duration", "60"),
    (scval.to_uint128(2**128 - 1), "U128", str(2**128 - 1)),
    (scval.to_int128(-1), "I128", "-1"),
    (scval.to_uint256(2**255), "U256", str(2**255)),
    (scval.to_int256(-(2**200)), "I256", str(-(2**200))),
    (scval.to_bytes(b"\0\xff"), "Bytes", "00ff"),
    (scval.to_string('say "\t"'), "Str", 'say "\t"'),
    (scval.to_symbol("name"), "Sym", "name"),
    (scval.to_vec([scval.to_uint32(1), scval.to_vec([])]), "Vec", "[1 []]"),
    (xdr.SCVal(xdr.SCValType.SCV_VEC), "Vec", "nil"),
    (pairs(a=scval.to_bool(True), b=pairs()), "Map", "[{a true} {b []}]"),
    (xdr.SCVal(xdr.SCValType.SCV_MAP), "Map", "nil"),
    (scval.to_address(ALICE), "Address", ALICE),
    (scval.to_address(POOL_ADDRESS), "Address", POOL_ADDRESS),
    (scval.to_address(BALANCE_ADDRESS), "Address", BALANCE_ADDRESS),
    (instance(ASSET, None), "Instance", "(StellarAssetContract)"),
    (
        instance(WASM, [xdr.SCMapEntry(scval.to_symbol("a"), scval.to_uint32(1))]),
        "Instance",
        "01" * 32 + ": [{a 1}]",
    ),
    (xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE), "", "(LedgerKeyContractInstance)"),
    (
        xdr.SCVal(xdr.SCValType.SCV_LEDGER_KEY_NONCE, nonce_key=xdr.SCNonceKey(xdr.Int64(-255))),
        "NonceKey",
        "{-FF}",
    ),
    (
        xdr.SCVal(xdr.SCValType.SCV_EXECUTABLE_TAG, executable_tag=xdr.SCString(b"tag")),
        "ExecutableTag",
        "tag",
    ),
]


def as_json(value: xdr.SCVal) -> Any:
    """Return the SDK's JSON; the SDK refuses an absent vector or map, which SEP-51 writes as null."""
    if value.type == xdr.SCValType.SCV_VEC and value.vec is None:
        return {"vec": None}
    if value.type == xdr.SCValType.SCV_MAP and value.map is None:
        return {"map": None}
    return value.to_json_dict()


def test_values_of_every_type_equal_the_sdks_json(tmp_path: Path) -> None:
    assert {value.type for value, _, _ in VALUES} == set(xdr.SCValType)
    values = [value for value, _, _ in VALUES]
    published = event(OWN, values, scval.to_vec(values))
    _, row = rows(tmp_path / "events", "contract_events", calling(events=[[published]]))
    assert row["topics"] == [value.to_xdr() for value in values]
    assert row["topics_decoded"] == [as_json(value) for value in values]
    assert row["data"] == scval.to_vec(values).to_xdr()
    assert row["data_decoded"] == {"vec": [as_json(value) for value in values]}
    assert row["contract_event_xdr"] == diagnostic(published).to_xdr()
    (operation,) = rows(tmp_path / "calls", "operations", calling(*values))
    details = operation["details"]
    # The contract and its function are first.
    assert details["parameters"][2:] == [{"type": arm, "value": value.to_xdr()} for value, arm, _ in VALUES]
    assert details["parameters_decoded"][2:] == [{"type": arm, "value": text} for _, arm, text in VALUES]
    assert details["parameters_json"][2:] == [value.to_xdr() for value in values]
    assert details["parameters_json_decoded"][2:] == [as_json(value) for value in values]


@pytest.mark.parametrize("meta", [3, 4])
def test_a_calls_balance_changes_come_from_the_diagnostic_events(tmp_path: Path, meta: int) -> None:
    published = [
        token_event("transfer", ALICE, CONTRACT, amount=1, asset=NATIVE),
        token_event("mint", ISSUER, BOB, amount=2),
        token_event("clawback", ISSUER, BOB, amount=3),
        token_event("burn", BOB, amount=4),
        token_event("approve", ALICE, BOB, amount=5),
        event(OWN, token_event("burn", BOB, amount=6).body.v0.topics, scval.to_int128(6)),
    ]
    undone = diagnostic(token_event("burn", CAROL, amount=7), in_successful_call=False)
    tx = calling(meta=meta, events=[published], diagnostic=[*map(diagnostic, published), undone])
    usd = {"asset_type": "credit_alphanum4", "asset_code": "USD", "asset_issuer": ISSUER}
    (row,) = rows(tmp_path / "told", "operations", tx)
    assert row["details"]["asset_balance_changes"] == [
        {"from": ALICE, "to": CONTRACT, "type": "transfer", "amount": "0.0000001", "asset_type": "native"},
        {"to": BOB, "type": "mint", "amount": "0.0000002", **usd},
        {"from": BOB, "type": "clawback", "amount": "0.0000003", **usd},
        {"from": BOB, "type": "burn", "amount": "0.0000004", **usd},
    ]
    (row,) = rows(tmp_path / "untold", "operations", calling(meta=meta, events=[published]))
    assert row["details"]["asset_balance_changes"] == []
