"""Run some or all benchmarks, and write `RESULTS.md` and the charts."""

from __future__ import annotations

import argparse
import os

from benchmarks import results
from benchmarks.registry import BENCHMARKS
from benchmarks.rows import Skipped


def main() -> None:
    """Run benchmarks one after the other; each result is saved when its benchmark ends."""
    names = "\n".join(f"  {name:12} {benchmark.title}" for name, benchmark in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.sh",
        description="Run benchmarks, and write benchmarks/RESULTS.md and a chart for each benchmark.",
        epilog=f"benchmarks:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="name", help="the benchmarks to run (default: all)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="counted rounds (default %(default)s)")
    parser.add_argument("--page", action="store_true", help="run nothing: write the page from the saved results")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown or arguments.rounds < 1:
        parser.error(f"unknown: {', '.join(unknown)}" if unknown else "--rounds must be at least 1")
    for name in [] if arguments.page else arguments.names or BENCHMARKS:
        print(f"{name} …", flush=True)
        before = os.getloadavg()[0]
        try:
            rows = BENCHMARKS[name].run(arguments.rounds)
        except Skipped as reason:
            print(f"  skipped: {reason}")
            continue
        results.save(name, rows, results.circumstances(arguments.rounds, (before, os.getloadavg()[0])))
        results.render(BENCHMARKS)
        for row in rows:
            print(" ", results.in_words(row))
    results.render(BENCHMARKS)


if __name__ == "__main__":
    main()
