"""Rows compared with the reference exporter's: for crafted ledgers, stellar-core's tests, and the project's own kit.

A row is equal, or differs as `docs/differences.md` describes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from stellar_etl.transforms.registry import HISTORY, STATE
from tests.conformance import streams
from tests.conformance.compare import Result, compare
from tests.conformance.differences import MEANINGS, read
from tests.shared import REPO, SHARED, needs_shared
from tests.stellar_etl.lakes import export


def cases() -> list[str]:
    return [folder.name for folder in sorted((SHARED / "golden" / "cases").glob("*/"))]


@needs_shared
@pytest.mark.parametrize("name", cases())
def test_a_crafted_ledger_has_the_references_rows_or_the_right_ones(name: str) -> None:
    (stream,) = (stream for stream in streams.cases() if stream.name == name)
    result = compare(stream, read())
    assert result.compared
    assert not list(map(str, result.problems))


@pytest.mark.slow
@needs_shared
def test_ledgers_of_stellar_cores_tests_have_the_references_rows() -> None:
    differences, total = read(), Result()
    for _, some in groupby(streams.core_tests(), lambda stream: stream.name.split("/")[0]):
        for stream in some:
            total.add(compare(stream, differences))
    assert total.compared > 23_000
    assert not list(map(str, total.problems[:20]))


@needs_shared
def test_unified_events_of_an_assets_contract_have_effects(tmp_path: Path) -> None:
    (stream,) = (stream for stream in streams.cases() if stream.name == "sac_events_cap67")
    made = export(tmp_path, stream.ledgers, stream.passphrase, "effects", verify=False)
    giver, taker = (
        "GCFIRY65OQE7DFP5KLNS2PF2LVZMUZYJX4OZIEQ36N2IQANUB5XVYOJR",
        "GCATS5YOVB6ROX2WUNKGNQ2MP3GMXDMKSG2O4N5CLX3A6W4PZGZZI55U",
    )
    found = [
        (row["type_string"], row["address"], row["details"]["amount"], row["details"]["contract_event_type"])
        for row in made.rows["effects"]
    ]
    assert found == [
        ("account_debited", giver, "7.0000000", "transfer"),
        ("account_credited", taker, "7.0000000", "transfer"),
        # The same with a muxed receiver.
        ("account_debited", giver, "7.0000000", "transfer"),
        ("account_credited", taker, "7.0000000", "transfer"),
        ("account_credited", taker, "0.0000005", "mint"),
        ("account_debited", taker, "0.0000006", "burn"),
        ("account_debited", taker, "0.0000007", "clawback"),
        # The forms before protocol 23, which name the administrator.
        ("account_credited", taker, "0.0000008", "mint"),
        ("account_debited", taker, "0.0000009", "clawback"),
    ]


def test_the_projects_own_kit_has_no_other_difference() -> None:
    differences, total = read(), Result()
    for stream in streams.kit():
        total.add(compare(stream, differences))
    assert total.compared > 5_000
    assert total.equal > 4_000
    assert not list(map(str, total.problems[:20]))


def test_every_difference_has_a_definition_and_a_test() -> None:
    differences = read()
    assert {difference.id for difference in differences} == set(MEANINGS)
    for difference in differences:
        assert set(difference.types) <= {*HISTORY, *STATE}
        assert difference.columns
        assert (REPO / difference.test.strip("`")).is_file(), difference.id
        assert "http" in difference.report or "ledger" in difference.report.lower(), difference.id


@needs_shared
def test_every_difference_occurs_and_others_are_detected() -> None:
    differences, found = read(), Counter[str]()
    for stream in streams.cases():
        found += compare(stream, differences).used
    assert found.keys() >= {"text-memo", "unified-effects", "muxed-payer", "fee-before-protocol-21", "exact-amount"}
    (stream,) = (stream for stream in streams.cases() if stream.name == "trust_self")
    (row,) = stream.rows["transactions"]
    assert not compare(stream, differences).problems
    for changed in (row | {"memo": "another"}, row | {"id": 1}, {key: row[key] for key in row if key != "memo"}):
        other = replace(stream, rows={**stream.rows, "transactions": [changed]})
        result = compare(other, differences)
        assert result.problems
        assert result.different
