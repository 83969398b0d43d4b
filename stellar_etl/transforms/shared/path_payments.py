"""Amounts of path payments."""

from __future__ import annotations

from typing import Any


def amount_sent(success: Any) -> int:
    """Return the stroops that a strict receive took from its source.

    They are the sum of the claims of the first hop, which end at the first claim that bought another asset: a later hop
    of the path may buy the sent asset again. A payment without a hop sent its amount.

    Args:
        success: the operation's `PathPaymentStrictReceiveResult`.
    """
    claims, total = success["offers"], 0
    if not claims:
        return int(success["last"]["amount"])
    for _, claim in claims:
        if claim["assetBought"] != claims[0][1]["assetBought"]:
            break
        total += claim["amountBought"]
    return total
