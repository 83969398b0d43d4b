"""Bar charts as SVG: a bar for the median, a line from the lowest to the highest value, and a mark at the target."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple
from xml.sax.saxutils import escape

LABEL, BAR, AFTER, ROW = 330, 420, 90, 26


class Bar(NamedTuple):
    """One bar: its label, its values, their unit, and a target or None."""

    what: str
    values: Sequence[float]
    unit: str
    target: float | None


def as_svg(title: str, bars: Sequence[Bar]) -> str:
    """Return a chart of bars with the same unit."""
    longest = max([*(max(bar.values) for bar in bars), *(bar.target or 0 for bar in bars)]) or 1
    parts = [f'<text x="10" y="20" font-size="14" font-weight="bold">{escape(title)}</text>']
    for number, bar in enumerate(bars):
        parts += _bar(bar, ROW * (number + 1) + 10, BAR / longest)
    width, height = LABEL + BAR + AFTER, ROW * (len(bars) + 1) + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _bar(bar: Bar, top: int, scale: float) -> list[str]:
    middle, low, high = (LABEL + scale * value for value in (median(bar.values), min(bar.values), max(bar.values)))
    parts = [
        f'<text x="{LABEL - 10}" y="{top + 14}" text-anchor="end">{escape(bar.what)}</text>',
        f'<rect x="{LABEL}" y="{top + 2}" width="{middle - LABEL:.1f}" height="{ROW - 8}" fill="#2c7fb8"/>',
        f'<path d="M{low:.1f} {top + 11}H{high:.1f}" stroke="#081d58" stroke-width="2"/>',
        f'<text x="{high + 8:.1f}" y="{top + 15}">{median(bar.values):.3g} {escape(bar.unit)}</text>',
    ]
    if bar.target is not None:
        place = LABEL + scale * bar.target
        parts.append(f'<path d="M{place:.1f} {top - 1}v{ROW - 2}" stroke="#d7301f" stroke-width="2"/>')
    return parts
