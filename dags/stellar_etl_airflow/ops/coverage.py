"""A picture of the loaded ledgers: one bar per table, with gaps marked; as text, and as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from stellar_etl_airflow.model.ranges import LedgerRange, joined, without
from stellar_etl_airflow.model.tables import BATCH_STATS_TABLE_ID, LEDGERS, PUBLISHED
from stellar_etl_airflow.sql.coverage import header_islands, noted_ranges

Query = Callable[[str], list[dict[str, Any]]]

NEEDED = frozenset({LEDGERS.table_id, BATCH_STATS_TABLE_ID})
"""The tables with the loaded ledgers. The first load creates them."""

WIDTH = 60
"""Width of a bar in characters."""

LOADED, GAP, PART = "█", "·", "▒"
"""The characters for ledgers that are all, not at all, or partly loaded."""

ROW, LABEL, BAR = 22, 230, 640
"""The SVG's sizes in pixels: height of a table, width of its name, width of its bar."""


@dataclass(frozen=True)
class Coverage:
    """The loaded ledgers of each table.

    Attributes:
        whole: from the lowest to the highest ledger of any table.
        loaded: the loaded ranges by table.
    """

    whole: LedgerRange
    loaded: Mapping[str, Sequence[LedgerRange]]

    def gaps(self, table: str) -> list[LedgerRange]:
        """Return the ledgers that a table lacks and another table has."""
        return without(self.whole, self.loaded[table])


def read_coverage(query: Query, table_ids: Mapping[str, str] | None = None) -> Coverage | None:
    """Return the loaded ledgers from the batch stats and the table of ledgers; None if nothing is loaded.

    Args:
        query: runs SQL in the dataset.
        table_ids: the names of published tables by data type; None for those of the registry.
    """
    names = table_ids or {data_type: table.table_id for data_type, table in PUBLISHED.items()}
    headers = names[LEDGERS.data_type]
    loaded: dict[str, list[LedgerRange]] = {}
    for row in query(noted_ranges(f"`{BATCH_STATS_TABLE_ID}`").sql):
        if row["table_id"] in names.values() and row["table_id"] != headers:
            loaded.setdefault(row["table_id"], []).append(LedgerRange(row["start_ledger"], row["end_ledger"]))
    # The table of ledgers has one row per ledger.
    if runs := query(header_islands(f"`{headers}`").sql):
        loaded[headers] = [LedgerRange(row["first"], row["last"]) for row in runs]
    ranges = [one for ranges in loaded.values() for one in ranges]
    if not ranges:
        return None
    whole = LedgerRange(min(one.start for one in ranges), max(one.end for one in ranges))
    order = list(names.values())
    return Coverage(whole, {name: joined(loaded[name]) for name in sorted(loaded, key=order.index)})


def _bar(coverage: Coverage, table: str) -> str:
    size = coverage.whole.end - coverage.whole.start + 1
    width = min(WIDTH, size)
    bar = ""
    for place in range(width):
        start = coverage.whole.start + size * place // width
        part = LedgerRange(start, coverage.whole.start + size * (place + 1) // width - 1)
        missing = sum(one.end - one.start + 1 for one in without(part, coverage.loaded[table]))
        bar += LOADED if not missing else GAP if missing == part.end - part.start + 1 else PART
    return bar


def as_text(coverage: Coverage) -> str:
    """Return a line per table: its name, its bar, the number of missing ledgers and the first gaps."""
    width = max(map(len, coverage.loaded))
    lines = [f"{'ledgers':{width}}  {coverage.whole.start} to {coverage.whole.end}"]
    for table in coverage.loaded:
        gaps = coverage.gaps(table)
        lacks = sum(one.end - one.start + 1 for one in gaps)
        first = ", ".join(f"{one.start}-{one.end}" for one in gaps[:3]) + (", …" if len(gaps) > 3 else "")
        lines.append(f"{table:{width}}  {_bar(coverage, table)}  {f'lacks {lacks}: {first}' if gaps else 'complete'}")
    return "\n".join(lines)


def as_svg(coverage: Coverage) -> str:
    """Return the same as a picture."""
    size = coverage.whole.end - coverage.whole.start + 1

    def rectangle(one: LedgerRange, top: int, colour: str, title: str) -> str:
        left = LABEL + BAR * (one.start - coverage.whole.start) / size
        width = max(1.0, BAR * (one.end - one.start + 1) / size)
        return (
            f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW - 8}" fill="{colour}">'
            f"<title>{escape(title)}</title></rect>"
        )

    parts = []
    for number, (table, ranges) in enumerate(coverage.loaded.items()):
        top = ROW * (number + 1)
        parts.append(f'<text x="{LABEL - 10}" y="{top + 11}" text-anchor="end">{escape(table)}</text>')
        parts += [rectangle(one, top, "#2c7fb8", f"{one.start} to {one.end}: loaded") for one in ranges]
        parts += [rectangle(one, top, "#d7301f", f"{one.start} to {one.end}: missing") for one in coverage.gaps(table)]
    bottom = ROW * (len(coverage.loaded) + 1)
    axis = (
        f'<text x="{LABEL}" y="{bottom + 12}">{coverage.whole.start}</text>'
        f'<text x="{LABEL + BAR}" y="{bottom + 12}" text-anchor="end">{coverage.whole.end}</text>'
    )
    width, height = LABEL + BAR + 20, bottom + ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}{axis}</svg>\n"
    )
