"""The laptop stack's interface without its services; tests/end_to_end/test_stack.py uses one that runs."""

from __future__ import annotations

from pathlib import Path

from local.stack import Stack
from tests.local.stack.processes import command


def test_query_without_a_stack_shows_how_to_start_one(tmp_path: Path) -> None:
    done = command(tmp_path, "query", "SELECT 1")
    assert done.returncode == 1
    assert "python -m local up" in done.stderr


def test_clients_use_a_proxy_in_place_of_a_service(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.configure(proxies={"warehouse": 1})
    environment, ports = stack.environment(), stack.state().ports
    assert environment["BIGQUERY_EMULATOR_HOST"] == "http://127.0.0.1:1"
    assert environment["STORAGE_EMULATOR_HOST"] == f"http://127.0.0.1:{ports['bucket']}"
    (warehouse,) = (service for service in stack.services() if service.name == "warehouse")
    assert str(ports["warehouse"]) in warehouse.argv
