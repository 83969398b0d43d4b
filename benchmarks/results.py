"""Results as JSON, one file per benchmark, and the page and charts made from them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.chart import Bar, as_svg
from benchmarks.rows import Benchmark, Row

FOLDER = Path(__file__).parent
PAGE = FOLDER / "RESULTS.md"
PACKAGES = ("orjson", "zstandard", "stellar-sdk", "google-crc32c")

_HEAD = """# Results

Written by `benchmarks/run.sh`; a benchmark that runs alone replaces its own section. Figures are medians with the
lowest and the highest value of all rounds. For ratios both sides ran in turns, and each round gives one ratio; the
target then applies to the ratio. Times are processor times, unless they are marked as elapsed. The column *earlier* has
the medians of the last run on an earlier day, or of earlier code if its date names one. **Not reached** gives reasons.
"""


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def circumstances(rounds: int, load: tuple[float, float]) -> dict[str, Any]:
    """Return the circumstances of a measurement.

    Args:
        rounds: the number of counted rounds.
        load: the machine's load over one minute, before and after.
    """
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "rounds": rounds,
        "machine": f"{_processor()}, {os.cpu_count()} processors",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in PACKAGES},
        "load": [round(one, 1) for one in load],
    }


def _path(name: str) -> Path:
    return FOLDER / "results" / f"{name}.json"


def save(name: str, rows: list[Row], around: Mapping[str, Any]) -> None:
    """Save the results of a benchmark, with the medians of the last run on an earlier day."""
    _path(name).parent.mkdir(exist_ok=True)
    content = {**around, "earlier": _earlier(name, around["date"]), "rows": [asdict(row) for row in rows]}
    _path(name).write_text(json.dumps(content, indent=1) + "\n")


def _earlier(name: str, date: str) -> dict[str, Any] | None:
    """Return the date and the medians of the last run before a day; None if there was none."""
    if (found := kept(name)) is None:
        return None
    around, rows = found
    if around["date"][:10] == date[:10]:
        return around.get("earlier")
    return {"date": around["date"], "medians": {_figure(row): median(row.values) for row in rows}}


def _figure(row: Row) -> str:
    """Return the name of a figure: rows with the same name may have different units."""
    return f"{row.what}, {row.unit}"


def kept(name: str) -> tuple[dict[str, Any], list[Row]] | None:
    """Return the circumstances and results of a benchmark; None if it has not run."""
    if not _path(name).exists():
        return None
    around = json.loads(_path(name).read_text())
    return around, [Row(**row) for row in around.pop("rows")]


def render(benchmarks: Mapping[str, Benchmark]) -> None:
    """Write the page and the charts from all saved results."""
    parts = [_HEAD]
    for name, benchmark in benchmarks.items():
        if found := kept(name):
            around, rows = found
            chart = FOLDER / "charts" / f"{name}.svg"
            chart.parent.mkdir(exist_ok=True)
            chart.write_text(as_svg(benchmark.title, _bars(rows)))
            parts.append(_section(name, benchmark, around, rows))
    PAGE.write_text("\n".join(parts))


def _bars(rows: list[Row]) -> list[Bar]:
    """Return the rows with the unit of the first one; a row that is compared with two others is one bar."""
    bars: dict[str, Bar] = {}
    for row in rows:
        if row.unit == rows[0].unit:
            target = row.target if row.target is not None and not row.ratios else None
            bars.setdefault(row.what, Bar(row.what, row.values, row.unit, target))
    return list(bars.values())


def _section(name: str, benchmark: Benchmark, record: Mapping[str, Any], rows: list[Row]) -> str:
    versions = ", ".join(f"{package} {number}" for package, number in record["versions"].items())
    before, after = record["load"]
    earlier = record.get("earlier") or {"medians": {}}
    since = f"; earlier: {earlier['date']}" if earlier["medians"] else ""
    lines = [
        f"## {benchmark.title}",
        "",
        benchmark.about,
        "",
        (
            f"`benchmarks/run.sh {name}`, {record['date']}, {record['rounds']} rounds; {record['machine']}; "
            f"{record['system']}; {versions}; load {before} before and {after} after{since}."
        ),
        "",
        f"![{benchmark.title}](charts/{name}.svg)",
        "",
        "| | figure | earlier | ratio | to | target | reached |",
        "|---|---|---|---|---|---|---|",
        *(_line(row, earlier["medians"].get(_figure(row))) for row in rows),
        "",
    ]
    if notes := dict.fromkeys(f"{row.what}: {row.note}." for row in rows if row.note):
        lines += [*notes, ""]
    if benchmark.missed and any(row.reached is False for row in rows):
        lines += [f"**Not reached.** {benchmark.missed}", ""]
    return "\n".join(lines)


def _line(row: Row, earlier: float | None) -> str:
    reached = {None: "", True: "yes", False: "**no**"}[row.reached]
    bound = "at most " if row.at_most else ""
    target = "" if row.target is None else f"{bound}{_number(row.target)}" + ("" if row.ratios else f" {row.unit}")
    before = "" if earlier is None else f"{_number(earlier)} {row.unit}"
    cells = (row.what, f"{_spread(row.values)} {row.unit}", before, _spread(row.ratios), row.against, target, reached)
    return f"| {' | '.join(cells)} |"


def in_words(row: Row) -> str:
    """A row as a line for a terminal."""
    ratio = f"; {_spread(row.ratios)} times {row.against}" if row.ratios else ""
    verdict = {None: "", True: "; target reached", False: "; target missed"}[row.reached]
    return f"{row.what}: {_spread(row.values)} {row.unit}{ratio}{verdict}"


def _spread(values: Any) -> str:
    if not values:
        return ""
    middle, low, high = (_number(value) for value in (median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def _number(value: float) -> str:
    """Format a number with three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
