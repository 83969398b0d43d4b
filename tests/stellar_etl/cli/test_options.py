"""Values of options that need care: CSV records, times at the edges of the calendar, and their error lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stellar_etl.cli.options import ENTRY_OPTIONS, entry_options
from stellar_etl.transforms.registry import STATE
from tests.stellar_etl.program import fail, rows, succeed

NOT_YET = 75


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b=c,d=", {"a": "b=c", "d": ""}),
        ('"a=1,2","b=3"', {"a": "1,2", "b": "3"}),
        ("number=7,flag=true,nothing=null", {"number": "7", "flag": "true", "nothing": "null"}),
        ('html=<&>,word="quoted"', {"html": "<&>", "word": '"quoted"'}),
        ("name=Zoë 🚀", {"name": "Zoë 🚀"}),
        ("", {}),
    ],
)
def test_extra_fields_are_written_as_text(lake: Path, tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    export = ("export_transactions", "-s", 5, "-e", 6, "--datastore-path", lake, "-o")
    succeed(*export, tmp_path / "plain.txt")
    succeed(*export, tmp_path / "more.txt", "-u", text)
    assert rows(tmp_path / "plain.txt")
    assert rows(tmp_path / "more.txt") == [row | expected for row in rows(tmp_path / "plain.txt")]


def test_keys_are_sorted_and_markup_is_escaped(lake: Path, tmp_path: Path) -> None:
    export = ("export_ledgers", "-s", 5, "-e", 5, "--datastore-path", lake, "-o", tmp_path / "l.txt")
    succeed(*export, "-u", "aaa=<a href='x'>&</a>,zzz=1")
    line = (tmp_path / "l.txt").read_text()
    assert r"\u003ca href='x'\u003e\u0026\u003c/a\u003e" in line
    keys = [key for key, _ in json.loads(line, object_pairs_hook=list)]
    assert keys == sorted(keys)
    assert (keys[0], keys[-1]) == ("aaa", "zzz")


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("-u", '"a=b', "is not one CSV record"),
        ("-u", "a=b\nc=d", "is not one CSV record"),
        ("-u", '"a=b"c', "is not one CSV record"),
        ("-u", "=b", "must look like key=value"),
        ("-u", "a=b,c", "'c' must look like key=value"),
        ("--file-names", '"ledgers=l', "is not one CSV record"),
        ("--file-names", "planets=p.txt", "unknown type 'planets'"),
        ("--types", "", "at least one type"),
        ("--limit", "few", "-l/--limit"),
        ("--cloud-provider", "acme", "--cloud-provider"),
        ("--num-workers", "many", "--num-workers"),
    ],
)
def test_an_invalid_value_is_reported_in_one_line(
    lake: Path, tmp_path: Path, option: str, text: str | None, words: str
) -> None:
    output = tmp_path / "out"
    arguments = (option,) if text is None else (option, text)
    line = fail("export_all_history", "-s", 5, "-e", 6, "--datastore-path", lake, "-o", output, *arguments)
    assert words in line
    assert not output.exists()


@pytest.mark.parametrize("option", ["--start-time", "--end-time"])
@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-02-30T00:00:00Z", "1767225600", ""]
)
def test_an_invalid_time_is_reported_in_one_line(lake: Path, tmp_path: Path, option: str, text: str) -> None:
    times = {"--start-time": "2026-01-01T00:00:00Z", "--end-time": "2026-01-01T00:01:00Z"} | {option: text}
    given = [part for pair in times.items() for part in pair]
    output = tmp_path / "out" / "range.txt"
    line = fail("get_ledger_range_from_times", *given, "--datastore-path", lake, "-o", output)
    assert option in line
    assert not output.parent.exists()


def test_both_times_past_the_network_head_are_not_reached_yet(lake: Path) -> None:
    times = ("-s", "2030-01-01T00:00:00Z", "-e", "2030-01-01T00:10:00Z")
    line = fail("get_ledger_range_from_times", *times, "--datastore-path", lake, "-o", "", status=NOT_YET)
    assert "--start-time" in line


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", {"start": 3, "end": 3}),
        # Ledgers close at whole seconds: a time with a fraction is after them.
        ("2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:05.5Z", {"start": 4, "end": 5}),
        ("2025-12-31T19:00:05-05:00", "2026-01-01T05:30:10+05:30", {"start": 4, "end": 5}),
    ],
)
def test_times_are_read_in_every_form(lake: Path, start: str, end: str, expected: dict[str, int]) -> None:
    done = succeed("get_ledger_range_from_times", "-s", start, "-e", end, "--datastore-path", lake, "-o", "")
    assert done.stdout.endswith("}\n")
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize(
    "command", ["export_effect", "export_token_transfers", "export_everything", "export", "ledgers", "export_ledger"]
)
def test_an_unknown_command_is_reported_in_one_line_with_the_known_ones(command: str) -> None:
    line = fail(command, "-s", 5, "-e", 6)
    assert repr(command) in line
    assert "export_ledgers" in line
    assert "get_ledger_range_from_times" in line


def test_the_options_of_the_go_program_are_accepted(lake: Path, tmp_path: Path) -> None:
    succeed(
        *("export_ledgers", "--start-ledger", 5, "--end-ledger", 6, "--output", tmp_path / "l.txt"),
        *("--datastore-path", lake, "--captive-core", "--buffer-size", 1, "--num-workers", 2, "--retry-limit", 3),
        *("--retry-wait", 4, "--strict-export", "--cloud-storage-bucket", "", "--cloud-provider", ""),
        *("--limit", -1, "--extra-fields", "batch_id=x"),
    )
    assert [row["sequence"] for row in rows(tmp_path / "l.txt")] == [5, 6]


def test_an_option_cannot_be_abbreviated(lake: Path, tmp_path: Path) -> None:
    """An abbreviation would change its meaning when another option is added."""
    arguments = ("--end-ledger", 6, "--datastore-path", lake, "-o", tmp_path / "l.txt")
    assert "--start 5" in fail("export_ledgers", "--start", 5, *arguments)


def test_a_type_of_entries_that_the_go_program_lacks_has_an_option_with_its_name() -> None:
    assert entry_options([*STATE, "soroban_nonces"]) == {**ENTRY_OPTIONS, "export-soroban-nonces": ("soroban_nonces",)}
    assert sorted(type_ for types in ENTRY_OPTIONS.values() for type_ in types) == sorted(STATE)
