"""Make the conformance kit from the ledgers and rows beside the project: `python -m tests.conformance.make`.

The kit has all mainnet ledgers and all crafted ones. Of stellar-core's tests it has streams that together show every
feature of their rows: each kind of operation with each of its results, each effect, each kind of change.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import zstandard

from tests.conformance import streams
from tests.conformance.streams import DATA, Row, Stream

LEVEL = 19
MARK = 1 << 31
"""The bit that marks a record as complete."""

SHOWN = {
    "operations": ("type_string", "operation_result_code", "operation_trace_code"),
    "effects": ("type_string",),
    "transactions": ("transaction_result_code", "memo_type", "successful"),
    "trades": ("trade_type", "seller_is_exact"),
    "contract_events": ("type_string", "successful", "in_successful_contract_call"),
    "token_transfers": ("event_topic", "asset_type"),
    "config_settings": ("config_setting_id",),
    "contract_data": ("ledger_entry_change", "contract_key_type", "contract_durability", "asset_type"),
    "restored_key": ("ledger_entry_type",),
}
"""The columns of which the kit shows all values; of other types it shows each kind of change."""


def features(stream: Stream) -> set[Hashable]:
    """Return the features of a stream."""
    found: set[Hashable] = {("unread", bool(stream.unread))}
    for type_, rows in stream.rows.items():
        for row in rows:
            found.add((type_, *(str(row.get(column)) for column in SHOWN.get(type_, ("ledger_entry_change",)))))
            found.add((type_, *sorted(row.keys()), *sorted(row.get("details") or {})))
    return found


def chosen(all_: Iterable[Stream]) -> list[Stream]:
    """Return streams that together show all features, the most informative for their size first."""
    waiting = [(stream, features(stream), len(encoded(stream)[1])) for stream in all_]
    missing = set(chain.from_iterable(shown for _, shown, _ in waiting))
    found = []
    while missing:
        best = max(waiting, key=lambda one: len(one[1] & missing) / one[2])
        waiting.remove(best)
        missing -= best[1]
        found.append(best[0])
    return found


def lines(stream: Stream) -> Iterator[Row]:
    """Yield a stream's head, its rows and its facts."""
    yield {"passphrase": stream.passphrase, "types": sorted(stream.types)}
    for type_, rows in stream.rows.items():
        yield from ({"table": type_, "row": row} for row in rows)
    for type_, rows in stream.right.items():
        yield from ({"table": type_, "right": row} for row in rows)
    yield from ({"failed": ledger} for ledger in sorted(stream.unread))
    yield from ({"lacks": type_} for type_ in sorted(stream.lacks))


def encoded(stream: Stream) -> tuple[bytes, bytes]:
    """Return a stream's two files: its ledgers and its lines."""
    records = b"".join((len(data) | MARK).to_bytes(4, "big") + data for data in stream.ledgers)
    text = "".join(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n" for line in lines(stream))
    compress = zstandard.ZstdCompressor(level=LEVEL).compress
    return compress(records), compress(text.encode())


def write(folder: Path, some: Sequence[Stream]) -> int:
    """Write streams into a folder, and return their size in bytes."""
    size = 0
    for stream in some:
        path = folder / stream.name
        path.parent.mkdir(parents=True, exist_ok=True)
        for content, suffix in zip(encoded(stream), (".xdr.zst", ".jsonl.zst"), strict=True):
            path.with_name(path.name + suffix).write_bytes(content)
            size += len(content)
    return size


def replace(folder: Path, some: Sequence[Stream]) -> int:
    """Replace a folder's streams, and return their size in bytes. The folder is unchanged if writing fails."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as place:
        new, old = Path(place) / "new", Path(place) / "old"
        size = write(new, some)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    return size


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the kit again.

    Raises:
        SystemExit: the ledgers or rows beside the project are missing; the kit is unchanged.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    missing = [str(folder) for name in streams.SOURCES if not (folder := streams.SHARED / name).is_dir()]
    if missing:
        parser.exit(1, f"these folders with ledgers and rows are missing; the kit is unchanged: {', '.join(missing)}\n")
    sources = {
        "mainnet": list(streams.mainnet()),
        "cases": list(streams.cases()),
        "core-tests": chosen(streams.core_tests()),
    }
    for folder, some in sources.items():
        print(f"{folder}: {len(some)} streams, {replace(DATA / folder, some)} bytes")


if __name__ == "__main__":
    main()
