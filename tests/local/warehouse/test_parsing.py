"""Statements are parsed once, and each caller receives a separate tree."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot.dialects.dialect import Dialect

from local.warehouse.parsing import parse_once, references, shared_trees


@pytest.fixture
def parse():
    """Parse by `parse_once`; `parse.texts` lists the texts that were actually parsed."""
    original, texts = Dialect.parse, []

    def counted(dialect, sql, **options):
        texts.append(sql)
        return original(dialect, sql, **options)

    def parse(sql, dialect="bigquery", **options):
        return parse_once(counted, Dialect.get_or_raise(dialect), sql, **options)

    parse.texts = texts
    return parse


def test_a_text_is_parsed_once_per_dialect(parse):
    for _ in range(3):
        assert parse("SELECT 1") == parse("SELECT 1", "duckdb") == [sqlglot.parse_one("SELECT 1")]
    assert parse.texts == ["SELECT 1"] * 2


def test_a_change_to_one_tree_changes_no_other(parse):
    (tree,) = parse("SELECT a FROM t WHERE a = 1")
    tree.set("where", None)
    assert [one.sql() for one in parse("SELECT a FROM t WHERE a = 1")] == ["SELECT a FROM t WHERE a = 1"]
    assert len(parse.texts) == 1


def test_readers_share_a_tree(parse):
    with shared_trees():
        (tree,) = parse("SELECT b")
        assert parse("SELECT b")[0] is tree
    assert parse("SELECT b")[0] is not tree


def test_the_tables_of_a_text_are_found():
    text = "WITH c AS (SELECT * FROM `p`.d.t) SELECT * FROM c JOIN e.u ON EXISTS (SELECT 1 FROM `d.t`); DROP VIEW e.v"
    assert references(text, "q") == {("p", "d", "t"), ("q", "e", "u"), ("q", "d", "t"), ("q", "e", "v")}
    assert references("SELECT (", "q") == references("SELECT 'open", "q") == set()


def test_options_and_errors_equal_the_parsers(parse):
    for _ in range(2):
        with pytest.raises(sqlglot.errors.ParseError, match="Required keyword"):
            parse("SELECT (")
        parse("SELECT 2", error_level=sqlglot.ErrorLevel.IGNORE)
    assert parse.texts == ["SELECT (", "SELECT 2"] * 2
