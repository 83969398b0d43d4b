"""Retention of exported files: the lifecycle rules of the bucket, and what they should be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

UNDERSTOOD = frozenset({"age", "matchesPrefix"})
"""Conditions that are compared. Any other condition may exclude some of the exported files
(https://cloud.google.com/storage/docs/lifecycle#conditions)."""


def deleted_after(rules: Sequence[Mapping[str, Any]], prefix: str) -> int | None:
    """Return the days after which a bucket deletes all objects below a prefix; None if it keeps some forever.

    Args:
        rules: its lifecycle rules, in the format of Cloud Storage's API.
        prefix: the prefix of the objects' names.
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
    """Return the problem of the lifecycle rules of the bucket of exports; None if they are correct.

    Args:
        bucket: its name.
        prefix: the prefix of the names of exported files.
        rules: its lifecycle rules, in the format of Cloud Storage's API.
        days: the Variable `export_days`.
    """
    found = deleted_after(rules, prefix)
    if found == days:
        return None
    what = "deletes no old exports, which cost storage"
    if found is not None:
        what = f"deletes exports after {found} days"
    return (
        f"bucket gs://{bucket} {what}, but Airflow Variable 'export_days' is {days}: run scripts/bootstrap_gcp.sh "
        "with --export-days, which sets both, or correct the Variable"
    )
