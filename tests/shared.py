"""The location of recorded ledgers and rows on a developer's machine, and the mark that skips tests without them."""

from __future__ import annotations

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
SHARED = REPO.parent / "shared"

PACKAGE = "stellar_etl_airflow"

MODULES = sorted(
    ".".join(path.relative_to(REPO / "dags").with_suffix("").parts)
    for path in (REPO / "dags" / PACKAGE).rglob("[a-z]*.py")
)
"""Every module of the DAGs' package."""

needs_shared = pytest.mark.skipif(
    not (SHARED / "golden").is_dir(),
    reason="needs the recorded ledgers and rows that lie beside the project, in ../shared",
)
