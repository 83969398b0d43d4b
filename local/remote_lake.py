"""A remote lake: the ledgers that a job needs, and a local copy of them in the same layout.

Each DAG reads a range in its own pods. They read the copy, so that an object is downloaded only once, also for
repeated jobs.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.plan import PlanError
from local.stack import StackError
from stellar_etl.errors import ExportError
from stellar_etl.sources.lake import CONFIG, Lake, open_lake
from stellar_etl.sources.layout import Span
from stellar_etl.sources.ledger_range import ledger_range

NETWORK = "pubnet"
"""The network of a lake without a configuration, and its subfolder."""
THREADS = 8
"""Concurrent downloads: a request to the public lake waits for about 100 ms."""
SAMPLES = 5
"""Sampled objects for the estimated size of a download: stores need a request per object to return sizes."""

Progress = Callable[[int, int, int], None]
"""Called with the number of local objects, of all objects, and the downloaded bytes."""


def open_remote(address: str) -> Lake:
    """Open a lake at an address.

    Raises:
        PlanError: the lake does not exist or can't be read.
    """
    with _as_plan_error(address):
        lake = open_lake(address, NETWORK)
        _ = lake.newest
    return lake


def newest_interval(lake: Lake, minutes: int) -> tuple[datetime, datetime]:
    """Return the start and end of the newest complete interval of a schedule, of at most a day.

    Raises:
        PlanError: the lake can't be read.
    """
    with _as_plan_error(lake.store.location):
        closed = datetime.fromtimestamp(lake.load(lake.newest)[-1].close_time, UTC)
    midnight, step = closed.replace(hour=0, minute=0, second=0), timedelta(minutes=minutes)
    end = midnight + (closed - midnight) // step * step
    return end - step, end


@dataclass(frozen=True)
class Download:
    """The part of a lake that a job needs.

    Attributes:
        lake: the lake.
        folder: the folder of the copy.
        first: the first ledger.
        last: the last one: the first ledger beyond the range, by which the end of the range is found.
        missing: the objects that the copy lacks.
        size: their estimated size in bytes.
    """

    lake: Lake
    folder: Path
    first: int
    last: int
    missing: Sequence[Span]
    size: int

    def __str__(self) -> str:
        ledgers = f"ledgers {self.first} to {self.last} of {self.lake.store.location}"
        if not self.missing:
            return f"{ledgers}: all are in {self.folder}"
        return f"{ledgers}: {len(self.missing)} objects to download, about {megabytes(self.size)} MB"


def megabytes(size: int) -> str:
    """Return bytes in megabytes, with one decimal."""
    return f"{size / 1e6:.1f}"


def folder_of(root: Path, address: str) -> Path:
    """Return the folder of a lake's copy, below a stack's folder."""
    name = re.sub(r"\W+", "-", address.rstrip("/").rsplit("/", 1)[-1])
    return root / "lakes" / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"


def plan_download(lake: Lake, folder: Path, start: datetime, end: datetime) -> Download:
    """Find the ledgers that closed between two times, and estimate the size of the download.

    Args:
        lake: the lake.
        folder: the folder of the copy; some of the missing objects are written into it, as samples.
        start: the first close time.
        end: the end, excluded.

    Raises:
        StackError: the lake lacks ledgers of the range, has not reached its end, or can't be read; or the disk is too
            full.
    """
    with _as_stack_error():
        found = ledger_range(lake, start, end)
        spans = list(lake.spans(found["start"], found["end"]))
        _write(folder / CONFIG, lake.store.read(CONFIG))
        missing = [span for span in spans if not (folder / span.name).exists()]
        samples = missing[:: max(len(missing) // SAMPLES, 1)][:SAMPLES]
        sizes = [_copy(lake, span, folder) for span in samples]
    left = [span for span in missing if span not in samples]
    size = sum(sizes) * len(left) // len(sizes) if sizes else 0
    if size > (free := shutil.disk_usage(folder).free):
        raise StackError(f"{folder} has room for {megabytes(free)} MB, and the ledgers are about {megabytes(size)} MB")
    return Download(lake, folder, found["start"], found["end"], left, size)


def download(needed: Download, progress: Progress) -> None:
    """Copy the missing objects; finished copies stay if it fails or is interrupted.

    Raises:
        StackError: an object can't be read.
    """
    downloaded, total = 0, len(needed.missing)
    pool = ThreadPoolExecutor(THREADS)
    try:
        with _as_stack_error():
            sizes = pool.map(lambda span: _copy(needed.lake, span, needed.folder), needed.missing)
            for done, size in enumerate(sizes, 1):
                downloaded += size
                progress(done, total, downloaded)
    finally:
        pool.shutdown(cancel_futures=True)


def _copy(lake: Lake, span: Span, folder: Path) -> int:
    data = lake.store.read(span.name)
    _write(folder / span.name, data)
    return len(data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    aside.write_bytes(data)
    aside.replace(path)


@contextmanager
def _as_plan_error(address: str) -> Iterator[None]:
    try:
        yield
    except (ExportError, FileNotFoundError) as error:
        raise PlanError(f"--lake {address}: {error}") from None


@contextmanager
def _as_stack_error() -> Iterator[None]:
    try:
        yield
    except (ExportError, FileNotFoundError) as error:
        raise StackError(f"the ledgers can't be downloaded: {error}") from None
