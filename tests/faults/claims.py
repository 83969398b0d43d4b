"""The invariant of the watermark: every ledger that it claims has all its rows. This module has no side effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

Claim = tuple[str, int, int]
"""A range that the watermark reports as complete: table (empty for the whole dataset), first and last ledger."""

Counts = Mapping[str, Mapping[int, int]]
"""The number of rows per table and ledger."""


def false_claims(claims: Sequence[Claim], loaded: tuple[int, int], expected: Counts, present: Counts) -> list[str]:
    """Return one message per claim that the rows of a table contradict; it names the ledgers.

    Args:
        claims: the ranges that the watermark reports as complete.
        loaded: the first and the last loaded ledger.
        expected: the rows of complete tables.
        held: the current rows of the tables.
    """
    found = []
    for claimed, first, last in claims:
        text = f"the watermark of {claimed or 'the dataset'} claims ledgers {first} to {last}"
        if first < loaded[0] or last > loaded[1]:
            found.append(f"{text}, and only {loaded[0]} to {loaded[1]} are loaded")
        for table in [claimed] if claimed else expected:
            now = present.get(table, {})
            counts = {ledger: n for ledger, n in expected[table].items() if first <= ledger <= last}
            if wrong := sorted(ledger for ledger, n in counts.items() if now.get(ledger, 0) != n):
                rows, whole = (sum(of.get(ledger, 0) for ledger in wrong) for of in (now, counts))
                found.append(f"{text}, and {table} has {rows} of {whole} rows of ledgers {_ranges(wrong)}")
    return found


def _ranges(ledgers: Sequence[int]) -> str:
    """Return ledgers in order as ranges, such as `3 to 5, 9`."""
    cuts = [0, *(place for place, (one, two) in enumerate(pairwise(ledgers), 1) if two > one + 1), len(ledgers)]
    spans = [(ledgers[start], ledgers[end - 1]) for start, end in pairwise(cuts)]
    return ", ".join(f"{first} to {last}" if first < last else str(first) for first, last in spans)
