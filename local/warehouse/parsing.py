"""Parses each SQL text once: bqemulator parses a statement about twenty times on its way to DuckDB."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

POSITIONS = {"line", "col", "start", "end"}
"""The metadata of a tree with the positions of names in the text. Nothing uses it, and it takes most of the time of a
copy."""

TEXTS_KEPT = 100
"""The number of cached trees: those of the running statements, in each step of their translation."""


def parse_once(original: Callable[..., Any], dialect: Dialect, sql: str, **options: Any) -> list[exp.Expression | None]:
    """Return a copy of a text's trees, because callers change them; it takes a tenth of the time of parsing.

    A coverage check's statement of 3 kB takes 3 s of processor time without this, and 0.6 s with it.
    """
    if options or dialect.settings:
        trees: list[exp.Expression | None] = original(dialect, sql, **options)
        return trees
    return [tree and tree.copy() for tree in _trees(original, type(dialect), sql)]


@functools.lru_cache(maxsize=TEXTS_KEPT)
def _trees(parse: Callable[..., Any], dialect: type[Dialect], sql: str) -> list[exp.Expression | None]:
    trees: list[exp.Expression | None] = parse(dialect(), sql)
    for tree in trees:
        for node in tree.walk() if tree else ():
            node._meta = {key: value for key, value in node.meta.items() if key not in POSITIONS} or None
    return trees


def only_with(word: str, otherwise: Callable[[str], Any] = lambda _: None) -> Callable[..., Any]:
    """Call a function for a statement only if the statement has a word; without it the result is known.

    Several functions search each statement's tree for one kind of statement, and each of them copies the tree.

    Args:
        word: the word, in capitals.
        otherwise: returns the function's result for a statement without the word.
    """

    def correction(original: Any, sql: str, *arguments: Any) -> Any:
        return original(sql, *arguments) if word in sql.upper() else otherwise(sql)

    return correction
