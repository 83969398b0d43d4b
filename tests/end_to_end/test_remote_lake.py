"""The main job over the newest ledgers of a lake on a web server with the public lake's layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.stack import Stack
from tests.end_to_end.conftest import run_local
from tests.stellar_etl.web_lake import Files, served

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

LEDGERS_PER_MINUTE = 12


def test_the_newest_interval_of_a_remote_lake_is_loaded(lake: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with served(Files(lake)) as server:
        done = run_local(
            tmp_path / "stack",
            *("--lake", server.url, "--interval", "1", "--json", str(report)),
            *("--dags", "history_archive_without_captive_core,history_archive_with_captive_core"),
        )
        read = server.ledger_reads
    assert done.returncode == 0, done.stdout + done.stderr
    assert "objects to download, about" in done.stdout
    found = json.loads(report.read_text())
    assert found["lake"] == server.url
    (ledgers,) = (table for table in found["tables"] if table["table"] == "history_ledgers")
    assert ledgers["rows"] == LEDGERS_PER_MINUTE
    assert read < 3 * LEDGERS_PER_MINUTE, "the pods of both DAGs read the copy"
    assert Stack(tmp_path / "stack").supervisor() is None
