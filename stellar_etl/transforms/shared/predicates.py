"""The conditions of a claimant of a claimable balance."""

from __future__ import annotations

from typing import Any

from stellar_etl.transforms.shared.go_times import rfc3339
from stellar_etl.xdr import names


def predicate(value: tuple[int, Any]) -> dict[str, Any]:
    """Return a `ClaimPredicate` in the form of the Go code's JSON."""
    kind, content = value
    if kind == names.CLAIM_PREDICATE_UNCONDITIONAL:
        return {"unconditional": True}
    if kind == names.CLAIM_PREDICATE_AND:
        return {"and": [predicate(part) for part in content]}
    if kind == names.CLAIM_PREDICATE_OR:
        return {"or": [predicate(part) for part in content]}
    if kind == names.CLAIM_PREDICATE_NOT:
        return {"not": predicate(content)} if content is not None else {}
    if kind == names.CLAIM_PREDICATE_BEFORE_RELATIVE_TIME:
        return {"rel_before": str(content)}
    return {"abs_before": rfc3339(content), "abs_before_epoch": str(content)}
