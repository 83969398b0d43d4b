"""Several processes write the files of one process, fail with the same errors, and all end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stellar_etl import workers
from stellar_etl.export import export_rows
from stellar_etl.ledgers.ledger import Ledger
from stellar_etl.plan import FileSet
from stellar_etl.sources.lake import Lake, open_lake
from tests.stellar_etl.program import PROGRAM, fail, succeed
from tests.waiting import PATIENCE, wait_until

COMMANDS = {"export_all_history": (), "export_ledger_entry_changes": ("--batch-size", 9)}


@pytest.fixture
def own_lake(lake: Path, tmp_path: Path) -> Path:
    """A copy of the lake, for damage."""
    return Path(shutil.copytree(lake, tmp_path / "lake"))


def object_of(lake: Path, sequence: int) -> Path:
    return next(lake.rglob(f"*--{sequence}.xdr.zst"))


def written(folder: Path) -> dict[str, Any]:
    """Return every file's bytes; of manifests the content without the folder."""
    return {
        path.name: json.loads(path.read_text().replace(f"{folder}/", ""))
        if "manifest" in path.name
        else path.read_bytes()
        for path in folder.iterdir()
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_several_processes_write_the_files_of_one(lake: Path, tmp_path: Path, command: str) -> None:
    made = {}
    for count in (1, 2, 3):
        folder = tmp_path / str(count)
        arguments = ("-s", 3, "-e", 42, "--datastore-path", lake, "-u", "batch_id=a", *COMMANDS[command])
        succeed(command, *arguments, "-o", folder, "--processes", count)
        made[count] = written(folder)
    assert made[1] == made[2] == made[3]
    assert len(made[1]) > 9


def test_several_processes_count_and_report_as_one(lake: Path, tmp_path: Path) -> None:
    texts = []
    for count in (1, 2):
        arguments = ("export_all_history", "-s", 3, "-e", 42, "--datastore-path", lake, "-o", tmp_path / str(count))
        done = succeed(*arguments, "--processes", count, "--progress-seconds", 0)
        lines = done.stderr.splitlines()
        assert [f'\\"ledgers_done\\":{number},' in line for number, line in enumerate(lines[:-1], start=1)] == [
            True
        ] * 40
        texts.append(lines[-1].partition("msg=")[2].partition(" pid=")[0])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("sequence", [3, 12, 13, 42])
def test_several_processes_name_the_first_damaged_ledger(own_lake: Path, tmp_path: Path, sequence: int) -> None:
    for later in {sequence, min(sequence + 1, 42)}:
        path = object_of(own_lake, later)
        path.write_bytes(path.read_bytes()[:-20])
    arguments = ("export_all_history", "-s", 3, "-e", 42, "--datastore-path", own_lake, "-o", tmp_path / "out")
    assert fail(*arguments, "--processes", 2) == fail(*arguments, "--processes", 1)
    assert not list((tmp_path / "out").glob("*"))


def test_several_processes_detect_two_chains(own_lake: Path, lake: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(
        [
            *(os.fspath(Path(PROGRAM).with_name("python")), "-m", "local.sample_network", "--out", str(other)),
            *("--ledgers", "12", "--transactions-per-ledger", "4", "--seed", "2"),
        ],
        check=True,
        capture_output=True,
    )
    shutil.copy(object_of(other, 10), object_of(own_lake, 10))
    arguments = ("export_all_history", "-s", 3, "-e", 42, "--datastore-path", own_lake, "-o", tmp_path / "out")
    line = fail(*arguments, "--processes", 2)
    assert "ledger 10 follows" in line
    assert line == fail(*arguments, "--processes", 1)


def test_missing_ledgers_are_named(own_lake: Path, tmp_path: Path) -> None:
    for sequence in (11, 12, 20):
        object_of(own_lake, sequence).unlink()
    arguments = ("export_all_history", "-s", 3, "-e", 42, "--datastore-path", own_lake, "-o", tmp_path / "out")
    assert "lacks ledgers 11-12, 20" in fail(*arguments, "--processes", 2)


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def gone(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(") ")[2].startswith("Z")


@pytest.fixture
def stuck(own_lake: Path, tmp_path: Path) -> subprocess.Popen[str]:
    """Start an export whose two processes wait for a ledger that never arrives."""
    for sequence in (30, 31):
        path = object_of(own_lake, sequence)
        path.unlink()
        os.mkfifo(path)
    process = subprocess.Popen(
        [
            *(PROGRAM, "export_all_history", "-s", "3", "-e", "42", "--datastore-path", str(own_lake)),
            *("-o", str(tmp_path / "out"), "--processes", "2"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(
        lambda: len(children(process.pid)) == 2 and list((tmp_path / "out").glob(".stellar-etl-*/*")),
        "no two processes",
    )
    return process


def test_a_killed_process_ends_the_export(stuck: subprocess.Popen[str], tmp_path: Path) -> None:
    of_both = children(stuck.pid)
    os.kill(of_both[1], signal.SIGKILL)
    _, text = stuck.communicate(timeout=PATIENCE)
    assert stuck.returncode == 1
    assert "processes ended with status -9" in text.splitlines()[-1]
    assert not list((tmp_path / "out").iterdir())
    wait_until(lambda: all(map(gone, of_both)), "a process is left")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_export_leaves_no_process(
    stuck: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    of_both = children(stuck.pid)
    stuck.send_signal(number)
    assert stuck.wait(PATIENCE) == 128 + number
    assert not list((tmp_path / "out").iterdir())
    wait_until(lambda: all(map(gone, of_both)), "a process is left")


def test_the_processes_end_with_their_parent(lake: Path, tmp_path: Path) -> None:
    """They end even if the parent is killed without warning."""
    process = subprocess.Popen(
        [
            *(PROGRAM, "export_all_history", "-s", "3", "-e", "42", "--datastore-path", str(lake)),
            *("-o", str(tmp_path / "out"), "--processes", "2"),
        ],
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(children(process.pid)) == 2, "no two processes")
    of_both = children(process.pid)
    process.kill()
    process.wait()
    wait_until(lambda: all(map(gone, of_both)), "a process is left")


@pytest.mark.parametrize(
    ("quota", "allowed"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None), ("", None)]
)
def test_the_number_of_processes_follows_the_containers_cpu_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, allowed: int | None
) -> None:
    path = tmp_path / "cpu.max"
    path.write_text(quota)
    monkeypatch.setattr(workers, "_QUOTA", path)
    assert workers.processors() == (allowed or len(os.sched_getaffinity(0)))


def test_one_process_is_used_for_a_row_limit_or_two_files(lake: Path, tmp_path: Path) -> None:
    arguments = ("export_all_history", "-s", 3, "-e", 42, "--datastore-path", lake, "--limit", 5, "--write-parquet")
    for count in (1, 2):
        succeed(*arguments, "-o", tmp_path / str(count), "--processes", count)
    assert written(tmp_path / "1") == written(tmp_path / "2")
    assert (tmp_path / "2" / "3-42-operations.txt").read_bytes().count(b"\n") == 5


class Watched(Lake):
    """A lake that records whether a ledger is still in memory when the next one is requested."""

    def __init__(self, path: Path) -> None:
        lake = open_lake(str(path), "pubnet")
        super().__init__(lake.store, lake.passphrase)
        self.still_there: list[bool] = []

    def read(self, first: int, last: int, *, verify: bool = True, step: int = 1) -> Iterator[Ledger]:
        ledgers = super().read(first, last, verify=verify, step=step)
        while found := [ledger] if (ledger := next(ledgers, None)) else []:
            reference = weakref.ref(found[0])
            del ledger
            yield found.pop()
            self.still_there.append(reference() is not None)


@pytest.mark.parametrize("command", COMMANDS)
def test_one_process_has_one_ledger_in_memory_at_a_time(lake: Path, tmp_path: Path, command: str) -> None:
    """A ledger of the public network is 10 MB in memory."""
    source = Watched(lake)
    types = ("operations", "effects") if command == "export_all_history" else ("accounts", "trustlines")
    file_sets = [
        FileSet(first, last, {type_: str(tmp_path / f"{first}-{type_}.txt") for type_ in types})
        for first, last in ((3, 9), (10, 12))
    ]
    export_rows(source, file_sets, str(tmp_path / "manifest.json"))
    assert source.still_there == [False] * 10
