"""Ratios of processor time on the same ledgers, with tolerance for a busy machine.

`benchmarks/` has the figures; these tests only detect code that became several times slower.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks.decode import decode
from benchmarks.measure import processor_seconds
from benchmarks.sdk import decode_by_sdk
from stellar_etl.export import export_rows
from stellar_etl.plan import FileSet
from stellar_etl.sources.lake import decompress, open_lake
from stellar_etl.transforms.registry import HISTORY, STATE

pytestmark = pytest.mark.slow

FIRST, LAST = 18, 42


@pytest.fixture(scope="module")
def objects(lake: Path) -> list[bytes]:
    opened = open_lake(str(lake), "pubnet")
    return [decompress(opened.store.read(span.name)) for span in opened.spans(FIRST, LAST)]


def times_as_fast(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """Measure in turns and return the ratio of the best of three: other work on the machine only adds time."""
    pairs = [(processor_seconds(ours), processor_seconds(theirs)) for _ in range(3)]
    return min(pair[1] for pair in pairs) / min(pair[0] for pair in pairs)


def export(lake: Path, folder: Path, *types: str) -> None:
    file_set = FileSet(FIRST, LAST, {type_: str(folder / f"{type_}.txt") for type_ in types})
    export_rows(open_lake(str(lake), "pubnet"), [file_set], str(folder / "manifest.json"))


def test_the_decoder_is_several_times_faster_than_the_sdk(objects: list[bytes]) -> None:
    assert times_as_fast(partial(decode, objects), partial(decode_by_sdk, objects)) > 4


@pytest.mark.parametrize(("types", "least"), [(HISTORY, 0.6), (STATE, 1.2)], ids=["history", "changes"])
def test_an_export_takes_about_as_long_as_the_sdks_decoding(
    lake: Path, tmp_path: Path, objects: list[bytes], types: dict[str, object], least: float
) -> None:
    """Python's cycle collector is off, as in the export; with the collector the SDK takes twice as long."""
    assert times_as_fast(partial(export, lake, tmp_path, *types), partial(decode_by_sdk, objects)) > least


def test_one_pass_takes_half_the_time_of_single_exports(lake: Path, tmp_path: Path) -> None:
    def singly() -> None:
        for type_ in HISTORY:
            export(lake, tmp_path, type_)

    assert times_as_fast(partial(export, lake, tmp_path, *HISTORY), singly) > 2
