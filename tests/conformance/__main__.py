"""Compare this exporter's rows with the reference exporter's: `python -m tests.conformance`.

Prints the numbers of compared rows, equal rows, deliberate differences and other differences. The exit status is 1 if
there are other differences.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

from tests.conformance import streams
from tests.conformance.compare import Result, compare
from tests.conformance.differences import read

SOURCES: dict[str, Callable[[], Iterator[streams.Stream]]] = {
    "kit": streams.kit,
    "cases": streams.cases,
    "core-tests": streams.core_tests,
    "mainnet": streams.mainnet,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=f"of {', '.join(SOURCES)} (default: kit)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the streams whose names hold TEXT")
    parser.add_argument(
        "--problems", type=int, default=50, metavar="N", help="print at most N differences (default: 50)"
    )
    options = parser.parse_args(arguments)
    differences = read()
    total, count = Result(), 0
    for source in options.sources or ["kit"]:
        for stream in SOURCES[source]():
            if options.only in stream.name:
                total.add(compare(stream, differences))
                count += 1
    for line in total.problems[: options.problems]:
        print(line)
    if len(total.problems) > options.problems:
        print(f"and {len(total.problems) - options.problems} more")
    print(f"streams of ledgers    {count:>7}")
    print(f"rows compared         {total.compared:>7}")
    print(f"equal                 {total.equal:>7}")
    print(f"different on purpose  {total.deliberate:>7}")
    print(f"different             {total.different:>7}")
    for id_, number in sorted(total.used.items()):
        print(f"  {id_}: {number}")
    if not count:
        print("there is no stream of that name", file=sys.stderr)
    return 1 if total.problems or not count else 0


if __name__ == "__main__":
    sys.exit(main())
