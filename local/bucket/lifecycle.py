"""Lifecycle rules, which Cloud Storage applies once a day: old objects are deleted."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.bucket.folder import FolderStorage

DAY = 86_400
APPLY_SECONDS = 3600
"""Cloud Storage needs up to a day (https://cloud.google.com/storage/docs/lifecycle#behavior)."""


def delete_after(folder: FolderStorage, bucket: str, days: int) -> None:
    """Give a bucket one rule, which deletes its objects after some days."""
    resource = folder.buckets[bucket]
    resource["lifecycle"] = {"rule": [{"action": {"type": "Delete"}, "condition": {"age": days}}]}
    folder.create_bucket(bucket, resource)


def apply(folder: FolderStorage, now: float) -> list[Path]:
    """Delete the files that match rules with only an age; return them. Rules with other conditions are ignored.

    Args:
        folder: the buckets.
        now: the time in seconds since 1970.
    """
    deleted = []
    for bucket, resource in list(folder.buckets.items()):
        for rule in resource.get("lifecycle", {}).get("rule", ()):
            if rule["action"]["type"] == "Delete" and rule["condition"].keys() == {"age"}:
                deleted += _delete_older(folder.folder / bucket, now - int(rule["condition"]["age"]) * DAY)
    return deleted


def _delete_older(top: Path, moment: float) -> list[Path]:
    deleted = []
    for path in top.rglob("*"):
        with suppress(FileNotFoundError):  # a client has deleted it
            if path.is_file() and path.stat().st_mtime < moment:
                path.unlink()
                deleted.append(path)
    return deleted


def apply_in_background(folder: FolderStorage) -> None:
    """Apply the rules now, and periodically as long as the process runs."""

    def work() -> Any:
        while True:
            apply(folder, time.time())
            time.sleep(APPLY_SECONDS)

    threading.Thread(target=work, daemon=True, name="lifecycle").start()
