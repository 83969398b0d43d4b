"""Parses, translates and analyses each SQL text once: bqemulator parses a statement about twenty times."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import sqlglot
from bqemulator.domain.errors import DomainError
from bqemulator.domain.result import Err, Ok, Result
from bqemulator.sql import catalog_schema
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

POSITIONS = {"line", "col", "start", "end"}
"""The metadata of a tree with the positions of names in the text. Nothing uses it, and it takes most of the time of a
copy."""

TREES_KEPT = 200
"""The number of cached trees: those of the running statements, in each step of their translation, and of the statements
before."""
TEXTS_KEPT = 500
"""The number of statements whose translation is cached. Statements of the same text differ in their parameters."""

Reference = tuple[str, str, str]
"""Project, dataset and name of a table."""

_trees_are_shared = ContextVar("trees_are_shared", default=False)


def parse_once(original: Callable[..., Any], dialect: Dialect, sql: str, **options: Any) -> list[exp.Expression | None]:
    """Return a copy of a text's trees, because callers change them; it takes a tenth of the time of parsing.

    A coverage check's statement of 3 kB takes 3 s of processor time without this, and 0.6 s with it.
    """
    if options or dialect.settings:
        trees: list[exp.Expression | None] = original(dialect, sql, **options)
        return trees
    trees = _trees(original, type(dialect), sql)
    return trees if _trees_are_shared.get() else [tree and tree.copy() for tree in trees]


@functools.lru_cache(maxsize=TREES_KEPT)
def _trees(parse: Callable[..., Any], dialect: type[Dialect], sql: str) -> list[exp.Expression | None]:
    trees: list[exp.Expression | None] = parse(dialect(), sql)
    for tree in trees:
        for node in tree.walk() if tree else ():
            node._meta = {key: value for key, value in node.meta.items() if key not in POSITIONS} or None
            node.comments = node.comments or None  # a copy of an empty list takes as long as that of a node
    return trees


@contextmanager
def shared_trees() -> Iterator[None]:
    """Parse texts into the cached trees themselves, which the block only reads."""
    token = _trees_are_shared.set(True)
    try:
        yield
    finally:
        _trees_are_shared.reset(token)


def only_reads(original: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call a function that does not change the trees that it parses."""
    with shared_trees():
        return original(*arguments, **keywords)


async def awaits_and_only_reads(original: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Call a coroutine function that does not change the trees that it parses."""
    with shared_trees():
        return await original(*arguments)


@functools.lru_cache(maxsize=TEXTS_KEPT)
def once(original: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function once per arguments; its result is immutable and depends on nothing else."""
    return original(*arguments)


def translate_once(
    original: Any, translator: Any, sql: str, *, schema: dict[str, Any] | None = None, caller: Any = None
) -> Result[str, Any]:
    """Translate a statement to DuckDB's dialect once per schema of its tables; it takes 20 to 200 ms.

    Tasks send the same texts for each batch, with other parameters.
    """
    try:
        return Ok(_translated(original, translator, sql, json.dumps(schema), caller))
    except DomainError as error:
        return Err(error)


@functools.lru_cache(maxsize=TEXTS_KEPT)
def _translated(translate: Any, translator: Any, sql: str, schema: str, caller: Any) -> str:
    translated = translate(translator, sql, schema=json.loads(schema), caller=caller)
    if isinstance(translated, Err):
        raise translated.error
    return str(translated.value)


@functools.lru_cache(maxsize=TEXTS_KEPT)
def references(sql: str, project_id: str) -> frozenset[Reference]:
    """Return the tables and views that a text names with their dataset; none if it cannot be parsed.

    Args:
        sql: statements in BigQuery's dialect.
        project_id: the project of names that have none.
    """
    try:
        with shared_trees():
            statements = sqlglot.parse(sql, read="bigquery")
    except sqlglot.errors.SqlglotError:
        return frozenset()  # bqemulator reports the error, or uses its own statement
    tables = (table for statement in statements if statement for table in statement.find_all(exp.Table))
    found = (catalog_schema._resolve_table_ref(table, project_id=project_id) for table in tables)
    return frozenset(reference for reference in found if reference)


def expand_views(original: Any, sql: str, *, project_id: str, caller: Any, catalog: Any) -> str:
    """Replace views by their queries, and tables with row access policies by their rows, if there are any."""
    for reference in references(sql, project_id):
        table = catalog.get_table(*reference)
        if (table and table.table_type == "VIEW") or catalog.list_row_access_policies(*reference):
            return str(original(sql, project_id=project_id, caller=caller, catalog=catalog))
    return sql


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
