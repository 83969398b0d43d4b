"""Progress lines of an export, its treatment of odd rows, and its end after an error."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import resource
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from stellar_sdk import ManageSellOffer, Payment, Price

from tests.stellar_etl.lakes import write_lake
from tests.stellar_etl.made import BOB, NATIVE, PASSPHRASE, SEQUENCE, USD, Tx, claim, ledger, offers_claimed, succeeded
from tests.stellar_etl.program import PROGRAM, fail, rows, succeed

LINE = re.compile(r'time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=(info|error) msg=(".*") pid=\d+')


def messages(text: str) -> list[tuple[str, str]]:
    """Return the level and the message of each line; all lines have this form."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [(match[1], json.loads(match[2])) for match in found if match]


# Progress -------------------------------------------------------------------------------------------------------


def test_progress_is_a_structured_line(lake: Path, tmp_path: Path) -> None:
    export = ("export_ledgers", "-s", 3, "-e", 42, "--datastore-path", lake, "-o", tmp_path / "l.txt")
    *reports, last = messages(succeed(*export, "--progress-seconds", 0).stderr)
    values = [json.loads(message) for _, message in reports]
    assert [(value["ledgers_done"], value["ledgers_total"]) for value in values] == [(n, 40) for n in range(1, 41)]
    assert all(value["ledgers_per_second"] > 0 and value["seconds_left"] >= 0 for value in values)
    assert values[-1]["seconds_left"] == 0
    assert json.loads(last[1])["attempted_transforms"] == 40


def test_a_short_export_reports_its_counts_only(lake: Path, tmp_path: Path) -> None:
    export = ("export_ledgers", "-s", 3, "-e", 42, "--datastore-path", lake, "-o", tmp_path / "l.txt")
    assert len(messages(succeed(*export, "--progress-seconds", 3600).stderr)) == 1


def on_a_terminal(*arguments: object) -> tuple[int, str]:
    """Run the program with a terminal as its standard error; return its status and the bytes sent to the terminal."""
    ours, its = pty.openpty()
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=its)
    os.close(its)
    text = b""
    with contextlib.suppress(OSError):  # a terminal ends like this
        while block := os.read(ours, 1 << 16):
            text += block
    os.close(ours)
    return process.wait(60), text.decode().replace("\r\n", "\n")


def visible(text: str) -> list[str]:
    """Return the visible text: a carriage return goes back to the start of the line."""
    lines = []
    for line in text.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


def test_progress_on_a_terminal_updates_one_line(lake: Path, tmp_path: Path) -> None:
    status, text = on_a_terminal(
        *("export_ledgers", "-s", 3, "-e", 42, "--datastore-path", lake, "-o", tmp_path / "l.txt"),
        *("--progress-seconds", 0),
    )
    assert status == 0
    assert re.search(r"\r7 of 40 ledgers, [0-9.]+ a second, [0-9]+ s left", text)
    assert re.search(r"\r40 of 40 ledgers, [0-9.]+ a second, 0 s left", text)
    counts, end = visible(text)
    assert LINE.fullmatch(counts)
    assert end == ""


def test_an_error_on_a_terminal_has_a_separate_line(lake: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, text = on_a_terminal(
        *("export_ledgers", "-s", 3, "-e", 42, "--datastore-path", lake, "-o", "/dev/full", "--progress-seconds", 0),
    )
    assert status == 1
    assert "40 of 40 ledgers" in text
    assert visible(text) == ["stellar-etl: /dev/full can't be written: No space left on device", ""]


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
def test_an_invalid_pace_is_named(lake: Path, tmp_path: Path, seconds: str) -> None:
    export = ("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", tmp_path / "l.txt")
    assert "--progress-seconds" in fail(*export, "--progress-seconds", seconds)


# Rows that cannot be created ------------------------------------------------------------------------------------


def odd_ledger(sequence: int = SEQUENCE) -> bytes:
    """Return a payment, then an offer with a negative bought amount, twice."""
    sell = ManageSellOffer(NATIVE, USD, "1", Price(2, 1))
    claims = [claim(BOB, 77, USD, amount, NATIVE, 6) for amount in (-3, -4)]
    result = succeeded(sell.to_xdr_object(), offers_claimed(claims))
    payment = Payment(BOB, NATIVE, "1")
    paid = succeeded(payment.to_xdr_object())
    odd = Tx([payment, sell], results=[paid, result], changes=[[], []])
    return ledger(Tx([payment]), odd, sequence=sequence)


@pytest.fixture
def odd_lake(tmp_path: Path) -> Path:
    write_lake(tmp_path / "lake", [odd_ledger()], PASSPHRASE)
    return tmp_path / "lake"


def test_a_row_that_cannot_be_created_is_named_and_counted(odd_lake: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    export = ("export_all_history", "-s", SEQUENCE, "-e", SEQUENCE, "--datastore-path", odd_lake, "-o", output)
    types = ("--types", "transactions,trades,operations", "--write-parquet")
    *problems, counts = messages(succeed(*export, *types).stderr)
    hashes = [row["transaction_hash"] for row in rows(output / f"{SEQUENCE}-{SEQUENCE}-transactions.txt")]
    assert [level for level, _ in problems] == ["error", "error"]
    for number, (_, problem) in enumerate(problems):
        place = f"ledger {SEQUENCE}, transaction {hashes[1]}, operation 2"
        assert problem.startswith(f"left out: trades of {place}: ")
        assert f"claim {number} has a negative amount" in problem
    assert json.loads(counts[1]) == {"attempted_transforms": 7, "failed_transforms": 2, "successful_transforms": 5}
    manifest = json.loads((output / f"{SEQUENCE}-{SEQUENCE}-manifest.json").read_text())
    assert manifest["failed_transforms"] == 2
    assert manifest["left_out"] == [{"type": "trades", "ledger": SEQUENCE, "rows": 2}]
    for files in (manifest["files"], manifest["parquet_files"]):
        assert {file["type"]: file["rows"] for file in files} == {"transactions": 2, "operations": 3, "trades": 0}


def test_an_omitted_row_has_a_separate_line_on_a_terminal(tmp_path: Path) -> None:
    write_lake(tmp_path / "lake", [odd_ledger(), odd_ledger(SEQUENCE + 1)], PASSPHRASE)
    status, text = on_a_terminal(
        *("export_trades", "-s", SEQUENCE, "-e", SEQUENCE + 1, "--datastore-path", tmp_path / "lake", "--no-verify"),
        *("-o", tmp_path / "out" / "t.txt", "--progress-seconds", 0),
    )
    assert status == 0
    assert "1 of 2 ledgers" in text
    assert [level for level, _ in messages("\n".join(visible(text)).rstrip())] == ["error"] * 4 + ["info"]


def test_a_strict_export_stops_at_a_row_that_cannot_be_created(odd_lake: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    export = ("export_all_history", "-s", SEQUENCE, "-e", SEQUENCE, "--datastore-path", odd_lake, "-o", output)
    line = fail(*export, "--strict-export")
    assert f"trades of ledger {SEQUENCE}, transaction " in line
    assert ", operation 2: " in line
    assert not list(output.iterdir())


def test_rows_beyond_the_limit_are_not_transformed(odd_lake: Path, tmp_path: Path) -> None:
    export = ("export_trades", "-s", SEQUENCE, "-e", SEQUENCE, "--datastore-path", odd_lake, "-o", tmp_path / "t.txt")
    (counts,) = messages(succeed(*export, "--limit", 0).stderr)
    assert json.loads(counts[1])["attempted_transforms"] == 0


# Errors that stop an export -------------------------------------------------------------------------------------


def fail_on_a_small_disk(size: int, *arguments: object) -> str:
    """Run the program with a limit on the size of files; return its one line."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        check=False,
    )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("size", "types", "file"),
    [
        # The ledgers would fit, but are not published either.
        (100_000, ("--types", "ledgers,transactions"), "3-42-transactions.txt"),
        # The size makes it fail before the end.
        (100_000, ("--types", "transactions", "-u", f"pad={'x' * 10_000}"), "3-42-transactions.txt"),
        # The first ledger has no trade: the text file is empty, and fits.
        (1_000, ("--types", "trades", "--write-parquet"), "3-3-trades.parquet"),
        (100, ("--types", "trades"), "3-3-manifest.json"),
    ],
    ids=["rows", "many", "parquet", "manifest"],
)
def test_a_full_disk_leaves_earlier_files_unchanged(
    lake: Path, tmp_path: Path, size: int, types: tuple[str, ...], file: str
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "3-42-ledgers.txt").write_text("before")
    last = file.split("-")[1]
    export = ("export_all_history", "-s", 3, "-e", last, "--datastore-path", lake, "-o", output)
    line = fail_on_a_small_disk(size, *export, *types)
    assert line == f"stellar-etl: {output / file} can't be written: File too large"
    assert [path.name for path in output.iterdir()] == ["3-42-ledgers.txt"]
    assert (output / "3-42-ledgers.txt").read_text() == "before"


class Refusing(BaseHTTPRequestHandler):
    """A bucket that refuses every request."""

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps({"error": {"code": 403, "message": "no access for this account"}}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _refuse  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_bucket_that_refuses_is_named(lake: Path, tmp_path: Path, refusing: str) -> None:
    line = fail(
        *("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", "run/l.txt"),
        *("--cloud-provider", "gcp", "--cloud-storage-bucket", "theirs"),
        STORAGE_EMULATOR_HOST=refusing,
        TMPDIR=str(tmp_path),
    )
    assert "gs://theirs/run/l.txt could not be written: 403" in line
    assert "no access for this account" in line
    assert not list(tmp_path.iterdir())


def test_an_unknown_option_is_named(lake: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "l.txt"
    arguments = ("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", output, "--planet", "Mars")
    assert "--planet" in fail(*arguments)
    assert not output.parent.exists()
