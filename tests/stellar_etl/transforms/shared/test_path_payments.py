"""The amount that a strict receive took from its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stellar_etl.transforms.shared.path_payments import amount_sent
from stellar_etl.transforms.shared.values import amount, amount_text
from tests.conformance import streams
from tests.shared import needs_shared
from tests.stellar_etl.lakes import export


def success(*claims: tuple[str, int], received: int = 1) -> dict[str, Any]:
    """Return a result whose claims bought these amounts of each asset from the path payment."""
    offers = [(1, {"assetBought": asset, "amountBought": stroops}) for asset, stroops in claims]
    return {"offers": offers, "last": {"amount": received}}


@pytest.mark.parametrize(
    ("result", "sent"),
    [
        (success(received=7), 7),
        (success(("A", 3)), 3),
        (success(("A", 3), ("A", 4), ("B", 5)), 7),
        (success(("A", 3), ("B", 5), ("A", 2)), 3),
    ],
    ids=["no hop", "one claim", "several claims of the first hop", "a later hop buys the asset again"],
)
def test_the_claims_of_the_first_hop_are_the_sent_amount(result: dict[str, Any], sent: int) -> None:
    assert amount_sent(result) == sent


@needs_shared
def test_operations_and_effects_agree_on_a_path_that_returns_to_the_sent_asset(tmp_path: Path) -> None:
    """The source's balance fell by 160 stroops; the fourth hop buys the sent asset again, for 20."""
    (stream,) = (stream for stream in streams.cases() if stream.name == "path_receive_loop")
    made = export(tmp_path, stream.ledgers, stream.passphrase, "operations", "effects", verify=False)
    (details,) = (
        row["details"] for row in made.rows["operations"] if row["type_string"] == "path_payment_strict_receive"
    )
    debited = [row["details"]["amount"] for row in made.rows["effects"] if row["type_string"] == "account_debited"]
    assert (details["source_amount"], debited) == (amount(160), [amount_text(160)])
