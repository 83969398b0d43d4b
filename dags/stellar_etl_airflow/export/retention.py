"""How long exported files stay in the bucket: what its lifecycle rules say, and what they should say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

UNDERSTOOD = frozenset({"age", "matchesPrefix"})
"""Conditions that are compared; each other one may leave out some of the exported files
(https://cloud.google.com/storage/docs/lifecycle#conditions)."""


def deleted_after(rules: Sequence[Mapping[str, Any]], prefix: str) -> int | None:
    """Return after how many days a bucket deletes all objects below a prefix; None if it keeps some for ever.

    Args:
        rules: its lifecycle rules, as Cloud Storage's API gives them.
        prefix: what the objects' names begin with.
    """
    days = [
        int(rule["condition"]["age"])
        for rule in rules
        if rule["action"]["type"] == "Delete"
        and "age" in rule["condition"]
        and rule["condition"].keys() <= UNDERSTOOD
        and any(prefix.startswith(one) for one in rule["condition"].get("matchesPrefix", [""]))
    ]
    return min(days, default=None)


def retention_problem(bucket: str, prefix: str, rules: Sequence[Mapping[str, Any]], days: int) -> str | None:
    """Return what is wrong with the lifecycle rules of the bucket of exports; None if they are as they should be.

    Args:
        bucket: its name.
        prefix: what the names of exported files begin with.
        rules: its lifecycle rules, as Cloud Storage's API gives them.
        days: after how many days the Variable `export_days` says that files are deleted.
    """
    found = deleted_after(rules, prefix)
    if found == days:
        return None
    what = "deletes no old exports, so that they are kept and paid for"
    if found is not None:
        what = f"deletes exports after {found} days"
    return (
        f"bucket gs://{bucket} {what}, and Airflow Variable 'export_days' says {days}: run scripts/bootstrap_gcp.sh "
        "with --export-days, which sets both, or correct the Variable"
    )
