"""Command lines of the Go program's newest release: batches of history, repeated options, switches with a value."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.stellar_etl.program import PROGRAM, as_set, rows, run, succeed


def test_history_is_written_in_batches_into_a_folder(lake: Path, tmp_path: Path) -> None:
    arguments = ("-s", 3, "-e", 42, "--datastore-path", lake)
    succeed("export_operations", *arguments, "-o", tmp_path / "one.txt")
    succeed("export_operations", *arguments, "-o", tmp_path / "folder", "-b", 16)
    names = {path.name for path in (tmp_path / "folder").iterdir()}
    assert names == {*(f"{span}-operations.txt" for span in ("3-18", "19-34", "35-42")), "3-42-manifest.json"}
    batched = [row for path in (tmp_path / "folder").glob("*.txt") for row in rows(path)]
    assert as_set(batched) == as_set(rows(tmp_path / "one.txt"))
    manifest = json.loads((tmp_path / "folder" / "3-42-manifest.json").read_text())
    assert [(file["start_ledger"], file["end_ledger"]) for file in manifest["files"]] == [(3, 18), (19, 34), (35, 42)]


def test_batches_of_token_transfers_have_the_go_programs_name(lake: Path, tmp_path: Path) -> None:
    succeed("export_token_transfer", "-s", 3, "-e", 4, "--datastore-path", lake, "-o", tmp_path, "--batch-size", 9)
    assert {path.name for path in tmp_path.iterdir()} == {"3-4-token_transfer.txt", "3-4-manifest.json"}


def test_extra_fields_of_repeated_options_are_merged(lake: Path, tmp_path: Path) -> None:
    arguments = ("-s", 3, "-e", 3, "--datastore-path", lake, "-o", tmp_path / "rows.txt")
    succeed("export_ledgers", *arguments, "-u", "a=1,b=2", "--extra-fields", "b=3", "-u", "c=4")
    (row,) = rows(tmp_path / "rows.txt")
    assert {name: row[name] for name in "abc"} == {"a": "1", "b": "3", "c": "4"}


@pytest.mark.parametrize(
    ("switches", "written"),
    [
        (("--write-parquet=true",), True),
        (("--write-parquet=false",), False),
        (("--write-parquet", "--write-parquet=F"), False),
        (("--write-parquet=0", "--write-parquet"), True),
    ],
)
def test_a_switch_may_have_a_value(lake: Path, tmp_path: Path, switches: tuple[str, ...], written: bool) -> None:
    arguments = ("-s", 3, "-e", 3, "--datastore-path", lake, "-o", tmp_path / "rows.txt")
    succeed("export_ledgers", *arguments, *switches, "--testnet=false", "--captive-core=f")
    assert (tmp_path / "exported_ledgers.parquet").exists() == written


def test_a_short_switch_may_have_a_value_too(lake: Path, tmp_path: Path) -> None:
    arguments = ("-s", 20, "-e", 20, "--datastore-path", lake, "-o", tmp_path)
    succeed("export_ledger_entry_changes", *arguments, "-a=false", "-f=true", "--export-ttl=true")
    assert {path.name for path in tmp_path.glob("*.txt")} == {"20-20-offers.txt", "20-20-ttl.txt"}


def test_a_switch_with_an_invalid_value_is_refused(lake: Path, tmp_path: Path) -> None:
    arguments = ("-s", 3, "-e", 3, "--datastore-path", lake, "-o", tmp_path / "rows.txt")
    done = run("export_ledgers", *arguments, "--testnet=perhaps")
    assert done.returncode == 1
    assert "--testnet: ignored explicit argument 'perhaps'" in done.stderr


def test_options_for_unused_outputs_have_no_effect(lake: Path, tmp_path: Path) -> None:
    arguments = ("-s", 3, "-e", 3, "--datastore-path", lake, "-o", tmp_path / "rows.txt")
    succeed("export_ledgers", *arguments, "--parquet-output", tmp_path / "p", "--cloud-storage-bucket", "a-bucket")
    assert {path.name for path in tmp_path.iterdir()} == {"rows.txt", "rows.txt.manifest.json"}


def test_changes_without_an_end_follow_the_network(lake: Path, tmp_path: Path) -> None:
    arguments = ("-s", "27", "-b", "8", "--datastore-path", str(lake), "-o", str(tmp_path), "-f")
    followed = subprocess.Popen([PROGRAM, "export_ledger_entry_changes", *arguments], stderr=subprocess.PIPE, text=True)
    try:
        # The lake ends with ledger 42: the export waits for the next batch, which begins at 43.
        wanted = {f"{span}-{name}" for span in ("27-34", "35-42") for name in ("offers.txt", "manifest.json")}
        deadline = time.monotonic() + 90
        while {path.name for path in tmp_path.iterdir()} != wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        assert {path.name for path in tmp_path.iterdir()} == wanted
        assert followed.poll() is None
    finally:
        followed.terminate()
        followed.communicate(timeout=60)
    assert followed.returncode == 128 + 15


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_shell_completes_commands_and_options(shell: str) -> None:
    script = succeed("completion", shell).stdout
    assert "export_ledger_entry_changes" in script
    assert "--extra-fields" in script


def test_bash_accepts_the_script(tmp_path: Path) -> None:
    script = succeed("completion", "bash").stdout
    (tmp_path / "completion").write_text(script)
    words = 'COMP_WORDS=(stellar-etl export_ledgers --strict); COMP_CWORD=2; _stellar_etl; echo "${COMPREPLY[*]}"'
    done = subprocess.run(
        ["bash", "-c", f"source {tmp_path / 'completion'}; {words}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "--strict-export\n"


def test_the_version_names_the_xdr_definitions() -> None:
    program, definitions = succeed("version").stdout.splitlines()
    assert program.startswith("stellar-etl ")
    assert definitions.startswith("stellar-sdk ")
