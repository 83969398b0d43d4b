"""One pass over a range of ledgers: each is read and decoded once, for all types that are asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from stellar_etl.errors import ExportError
from stellar_etl.lake import Lake
from stellar_etl.ledger import Ledger, LedgerError
from stellar_etl.manifest import manifest
from stellar_etl.output import Output, RowFile
from stellar_etl.transforms import HISTORY

PROGRESS_SECONDS = 5


class Statistics:
    """How many rows were tried, and how many could not be made."""

    def __init__(self) -> None:
        self.attempted = 0
        self.failed = 0

    def as_dict(self) -> dict[str, int]:
        """The counts by the names that the reference exporter prints."""
        return {
            "attempted_transforms": self.attempted,
            "failed_transforms": self.failed,
            "successful_transforms": self.attempted - self.failed,
        }


def export_history(
    lake: Lake,
    start: int,
    end: int,
    names: Mapping[str, str],
    manifest_name: str,
    *,
    bucket: str | None = None,
    extra_fields: Mapping[str, str] | None = None,
    strict: bool = False,
    limit: int | None = None,
    verify: bool = True,
) -> Statistics:
    """Writes a file of rows for each type, then the manifest.

    Args:
        lake: where the ledgers are.
        start: the first ledger.
        end: the last ledger.
        names: the file or object to write for each type.
        manifest_name: the file or object of the manifest.
        bucket: the bucket to upload to, None for this machine.
        extra_fields: added to every row, as text.
        strict: whether a row that can't be made ends the export; it is counted otherwise.
        limit: how many rows of a type to write at most, None for all.
        verify: whether hashes are checked.

    Raises:
        ExportError: nothing was exported.
    """
    statistics = Statistics()
    extra = dict(extra_fields or {})
    with Output(bucket) as output:
        files = {type_: output.open(name) for type_, name in names.items()}
        transforms = {type_: HISTORY[type_]() for type_ in names}
        first = last = None
        for ledger in _with_progress(lake.read(start, end, verify=verify), start, end):
            first, last = first or ledger, ledger
            try:
                for type_, transform in transforms.items():
                    for item in transform.items(ledger):
                        if limit is None or files[type_].rows < limit:
                            _write(ledger, type_, transform.row, item, files[type_], extra, statistics, strict)
            except LedgerError as error:
                raise ExportError(str(error)) from None
        assert first is not None and last is not None, "a range has at least one ledger"
        output.publish(manifest_name, manifest(lake.passphrase, start, end, first, last, files, statistics.failed))
    return statistics


def _write(
    ledger: Ledger,
    type_: str,
    make: Any,
    item: Any,
    file: RowFile,
    extra: Mapping[str, str],
    statistics: Statistics,
    strict: bool,
) -> None:
    statistics.attempted += 1
    try:
        row = make(ledger, item)
    except LedgerError:
        raise
    except Exception as error:
        statistics.failed += 1
        problem = f"{type_} of {_place(ledger, item)}: {error!r}"
        if strict:
            raise ExportError(f"a row can't be made: {problem}") from error
        print(f"left out: {problem}", file=sys.stderr)
        return
    if row is not None:
        file.write(row | extra if extra else row)


def _place(ledger: Ledger, item: Any) -> str:
    transaction = getattr(item, "transaction", item)
    place = f"ledger {ledger.sequence}"
    if hasattr(transaction, "hash") and transaction is not ledger:
        place += f", transaction {transaction.hash.hex()}"
    if hasattr(item, "transaction"):
        place += f", operation {item.index + 1}"
    return place


def _with_progress(ledgers: Iterator[Ledger], start: int, end: int) -> Iterator[Ledger]:
    """Passes ledgers on, with a line every few seconds."""
    total, begun, said = end - start + 1, time.monotonic(), time.monotonic()
    for count, ledger in enumerate(ledgers, start=1):
        yield ledger
        now = time.monotonic()
        if now - said >= PROGRESS_SECONDS:
            rate = count / (now - begun)
            left = (total - count) / rate
            print(f"{count} of {total} ledgers, {rate:.1f} a second, {left:.0f} s left", file=sys.stderr, flush=True)
            said = now
