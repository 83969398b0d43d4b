"""Effects of smart contract operations."""

from __future__ import annotations

from pathlib import Path

import pytest
from stellar_sdk import (
    ExtendFootprintTTL,
    InvokeHostFunction,
    RestoreFootprint,
    StrKey,
    scval,
    xdr,
)

from tests.stellar_etl.made import (
    ALICE,
    BOB,
    CAROL,
    ISSUER,
    NATIVE,
    account,
    change,
    event,
    restored,
    token_event,
    ttl,
)
from tests.stellar_etl.transforms.effects.making import (
    ALICE_7,
    USD_PARTS,
    Effects,
    one,
)

effects = Effects()
FAMILY = frozenset(
    (
        "account_credited",
        "account_debited",
        "contract_credited",
        "contract_debited",
        "extend_footprint_ttl",
        "restore_footprint",
    )
)
"""The types of effects that the tests of this file see."""


CONTRACT = StrKey.encode_contract(b"\5" * 32)


INVOKE = InvokeHostFunction(
    xdr.HostFunction(
        xdr.HostFunctionType.HOST_FUNCTION_TYPE_INVOKE_CONTRACT,
        invoke_contract=xdr.InvokeContractArgs(
            scval.to_address(CONTRACT).address, xdr.SCSymbol(b"call"), [scval.to_uint32(1)]
        ),
    ),
    [],
)


@pytest.mark.parametrize("meta", [3, 4])
def test_events_of_an_assets_own_contract_have_effects(tmp_path: Path, meta: int) -> None:
    events = [
        token_event("transfer", BOB, CONTRACT, amount=1),
        token_event("transfer", CONTRACT, BOB, amount=2, asset=NATIVE),
        token_event("mint", ISSUER, BOB, amount=3),
        token_event("clawback", ISSUER, BOB, amount=4),
        token_event("burn", CONTRACT, amount=5),
        # Another contract may name an asset, but it is not the asset's contract; and approval moves nothing.
        event(b"\5" * 32, token_event("burn", BOB, amount=9).body.v0.topics, scval.to_int128(9)),
        token_event("approve", BOB, CONTRACT, amount=6),
    ]
    tx = one(INVOKE, content=xdr.Hash(bytes(32)), events=[events], meta=meta, soroban=True, source=ALICE_7)

    def money(amount: int, name: str, **more: str) -> dict[str, str]:
        return {"amount": f"0.000000{amount}", **USD_PARTS, "contract_event_type": name, **more}

    lumens = {"amount": "0.0000002", "asset_type": "native", "contract_event_type": "transfer"}
    assert effects(tmp_path, tx) == [
        (BOB, "account_debited", money(1, "transfer")),
        (ALICE_7, "contract_credited", money(1, "transfer", contract=CONTRACT)),
        (ALICE_7, "contract_debited", {**lumens, "contract": CONTRACT}),
        (BOB, "account_credited", lumens),
        (BOB, "account_credited", money(3, "mint")),
        (BOB, "account_debited", money(4, "clawback")),
        (ALICE_7, "contract_debited", money(5, "burn", contract=CONTRACT)),
    ]


def test_events_in_the_form_since_protocol_23_have_effects(tmp_path: Path) -> None:
    def to_muxed(amount: int) -> xdr.SCVal:
        memo = {scval.to_symbol("to_muxed_id"): scval.to_uint64(7)}
        return scval.to_map({scval.to_symbol("amount"): scval.to_int128(amount), **memo})

    events = [
        token_event("mint", BOB, amount=1),
        token_event("mint", BOB, amount=to_muxed(2)),
        token_event("transfer", BOB, CAROL, amount=to_muxed(3)),
        token_event("clawback", CONTRACT, amount=4),
        # Neither has a form of an asset's own contract.
        token_event("transfer", BOB, amount=5),
        token_event("mint", BOB, amount=scval.to_uint64(6)),
    ]
    tx = one(INVOKE, content=xdr.Hash(bytes(32)), events=[events], soroban=True, source=ALICE_7)

    def money(amount: int, name: str, **more: str) -> dict[str, str]:
        return {"amount": f"0.000000{amount}", **USD_PARTS, "contract_event_type": name, **more}

    assert effects(tmp_path, tx) == [
        (BOB, "account_credited", money(1, "mint")),
        (BOB, "account_credited", money(2, "mint")),
        (BOB, "account_debited", money(3, "transfer")),
        (CAROL, "account_credited", money(3, "transfer")),
        (ALICE_7, "contract_debited", money(4, "clawback", contract=CONTRACT)),
    ]


def test_footprint_operations_have_effects(tmp_path: Path) -> None:
    def key(number: int) -> str:
        key_ttl = xdr.LedgerKeyTtl(xdr.Hash(bytes([number]) * 32))
        return xdr.LedgerKey(xdr.LedgerEntryType.TTL, ttl=key_ttl).to_xdr()

    lived = [change(ttl(2, 10), ttl(2, 90)), change(account(), account()), change(ttl(1, 10), ttl(1, 90))]
    extend = one(ExtendFootprintTTL(90), *lived, soroban=True, meta=3, source=ALICE_7)
    assert effects(tmp_path / "extend", extend) == [
        (ALICE_7, "extend_footprint_ttl", {"entries": [key(1), key(2)], "extend_to": 90})
    ]
    restore = one(RestoreFootprint(), restored(ttl(3, 90)), change(None, ttl(1, 90)), soroban=True)
    assert effects(tmp_path / "restore", restore, version=2) == [
        (ALICE, "restore_footprint", {"entries": [key(1), key(3)]})
    ]


def test_every_type_of_the_family_was_seen(request: pytest.FixtureRequest) -> None:
    effects.assert_seen(FAMILY, request)
