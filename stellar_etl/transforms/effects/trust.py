"""Effects of operations on trust lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stellar_etl.transforms.effects.applied import AppliedOperation, flags_details, outcome
from stellar_etl.transforms.effects.effect import Details, Made
from stellar_etl.transforms.effects.liquidity_pools import revoked_pool
from stellar_etl.transforms.shared.asset_contracts import pool_id
from stellar_etl.transforms.shared.values import (
    account_id,
    amount_text,
    asset_details,
    pool_details,
    unmuxed,
)
from stellar_etl.xdr import names

# The second is misspelt in the reference exporter's rows.
_TRUSTLINE_FLAGS = {1: "authorized_flag", 2: "authorized_to_maintain_liabilites", 4: "clawback_enabled_flag"}


def change_trust(op: AppliedOperation) -> Iterator[Made]:
    """Yield the change of the trust line."""
    kind, line = op.body["line"]
    for change in op.of(names.TRUSTLINE):
        # A trust line for a pool's shares changes those for the pool's assets too.
        if change.content["asset"][0] == kind:
            details: Details = {"limit": amount_text(op.body["limit"])}
            if kind == names.ASSET_TYPE_POOL_SHARE:
                details |= {"asset_type": "liquidity_pool_shares", **pool_details(pool_id(line))}
            else:
                details |= asset_details(op.body["line"], with_id=False)
            yield op.source, f"trustline_{outcome(change)}", details
            return


def allow_trust(op: AppliedOperation) -> Iterator[Made]:
    """Yield the authorization, and the pool shares that it took away."""
    kind, code = op.body["asset"]
    asset = (kind, {"assetCode": code, "issuer": unmuxed(op.source)})
    allowed = op.body["authorize"]
    yield op.source, "trustline_flags_updated", _trusted(op, asset)
    if allowed & names.AUTHORIZED_FLAG:
        flags = flags_details(_TRUSTLINE_FLAGS, names.AUTHORIZED_FLAG, None)
    elif allowed & names.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG:
        flags = flags_details(_TRUSTLINE_FLAGS, names.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG, None)
    else:
        both = names.AUTHORIZED_FLAG | names.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG
        flags = flags_details(_TRUSTLINE_FLAGS, None, both)
    yield op.source, "trustline_flags_updated", _trusted(op, asset) | flags
    yield from revoked_pool(op)


def _trusted(op: AppliedOperation, asset: tuple[int, Any]) -> Details:
    return {"trustor": account_id(op.body["trustor"]), **asset_details(asset, with_id=False)}


def set_trust_line_flags(op: AppliedOperation) -> Iterator[Made]:
    """Yield the flags that changed, and the pool shares that this took away."""
    flags = flags_details(_TRUSTLINE_FLAGS, op.body["setFlags"], op.body["clearFlags"])
    yield op.source, "trustline_flags_updated", _trusted(op, op.body["asset"]) | flags
    yield from revoked_pool(op)
