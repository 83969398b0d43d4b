"""The store at a path, by the path's scheme."""

from __future__ import annotations

import re
from pathlib import Path

from stellar_etl.errors import ExportError
from stellar_etl.sources.stores.base import Store
from stellar_etl.sources.stores.folder import FolderStore


def open_store(path: str, option: str = "--datastore-path") -> Store:
    """The store at a path: a folder, `file://…`, `gs://bucket/prefix` or `https://bucket's host/prefix`.

    Args:
        path: its location.
        option: the option that sets the path, for messages.

    Raises:
        ExportError: the path has an unknown scheme.
    """
    scheme = re.match(r"([a-z][a-z0-9+]*)://", path)
    if scheme is None or scheme[1] == "file":
        return FolderStore(Path(path.removeprefix("file://")))
    # The client libraries take a second to load.
    if scheme[1] == "gs":
        from stellar_etl.sources.stores.bucket import BucketStore

        return BucketStore(path)
    if scheme[1] in ("https", "http"):
        from stellar_etl.sources.stores.web import WebStore

        return WebStore(path, option)
    raise ExportError(f"{option} {path}: write a folder, gs://bucket/prefix or https://…")
