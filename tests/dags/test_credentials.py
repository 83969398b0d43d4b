"""Commands without Google credentials end with one line."""

from __future__ import annotations

import sys

import pytest

from stellar_etl_airflow import certify, take_over
from tests.shared import REPO

VARIABLES = ["--variables", str(REPO / "airflow_variables.json")]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [(certify, ["--ledgers", "3-9"]), (take_over, ["their-project.their_dataset"])],
    ids=["certify", "take_over"],
)
def test_a_command_without_a_login_states_the_error_in_one_line(command, arguments, tmp_path, monkeypatch, capsys):
    for name, value in {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path), "NO_GCE_CHECK": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setattr(sys, "argv", ["command", *arguments, *VARIABLES])
    assert command.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "credentials were not found" in line
