"""The check of the watermark's claims finds false ones, and names their table and ledgers."""

from __future__ import annotations

import pytest

from tests.faults.claims import Claim, false_claims

LOADED = (3, 42)
EXPECTED = {"ledgers": dict.fromkeys(range(3, 43), 1), "assets": {5: 2, 20: 1}}
COMPLETE = [("", 3, 42), ("assets", 3, 42), ("ledgers", 3, 42)]


def test_true_claims_pass() -> None:
    assert false_claims(COMPLETE, LOADED, EXPECTED, EXPECTED) == []
    without = EXPECTED | {"ledgers": {ledger: 1 for ledger in range(3, 43) if not 13 <= ledger <= 22}}
    claims = [("", 3, 12), ("", 23, 42), ("assets", 3, 42), ("ledgers", 3, 12), ("ledgers", 23, 42)]
    assert false_claims(claims, LOADED, EXPECTED, without) == []


@pytest.mark.parametrize(
    ("claim", "present", "messages"),
    [
        (
            ("ledgers", 3, 42),
            {"ledgers": {ledger: 1 for ledger in range(3, 43) if ledger not in (13, 14, 15, 20)}},
            ["the watermark of ledgers claims ledgers 3 to 42, and ledgers has 0 of 4 rows of ledgers 13 to 15, 20"],
        ),
        (
            ("", 3, 42),
            {"assets": {5: 1}},
            ["the watermark of the dataset claims ledgers 3 to 42, and assets has 1 of 3 rows of ledgers 5, 20"],
        ),
        (
            ("assets", 5, 5),
            {"assets": {5: 4}},
            ["the watermark of assets claims ledgers 5 to 5, and assets has 4 of 2 rows of ledgers 5"],
        ),
        (
            ("ledgers", 3, 62),
            {},
            ["the watermark of ledgers claims ledgers 3 to 62, and only 3 to 42 are loaded"],
        ),
    ],
    ids=["missing", "dataset", "doubled", "beyond"],
)
def test_a_false_claim_names_the_table_and_the_ledgers(
    claim: Claim, present: dict[str, dict[int, int]], messages: list[str]
) -> None:
    assert false_claims([claim], LOADED, EXPECTED, EXPECTED | present) == messages
