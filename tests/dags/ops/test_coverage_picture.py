"""The picture of loaded ledgers: complete tables, gaps, and ledgers that only one table has."""

from __future__ import annotations

from xml.etree import ElementTree

from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.ops.coverage import GAP, LOADED, PART, Coverage, as_svg, as_text

COVERAGE = Coverage(
    LedgerRange(1, 600),
    {
        "history_ledgers": [LedgerRange(1, 600)],
        "history_operations": [LedgerRange(1, 300), LedgerRange(316, 590)],
    },
)


def test_each_table_has_a_bar_with_its_gaps() -> None:
    heading, ledgers, operations = as_text(COVERAGE).splitlines()
    assert heading.split() == ["ledgers", "1", "to", "600"]
    assert ledgers.split() == ["history_ledgers", LOADED * 60, "complete"]
    bar = LOADED * 30 + GAP + PART + LOADED * 27 + GAP
    assert operations.split(maxsplit=2) == ["history_operations", bar, "lacks 25: 301-315, 591-600"]


def test_a_bar_can_have_fewer_ledgers_than_characters() -> None:
    few = Coverage(LedgerRange(7, 9), {"history_ledgers": [LedgerRange(7, 7), LedgerRange(9, 9)]})
    assert as_text(few).splitlines()[1].split(maxsplit=2)[1:] == [LOADED + GAP + LOADED, "lacks 1: 8-8"]


def test_the_picture_shows_each_range_in_its_place() -> None:
    svg = ElementTree.fromstring(as_svg(COVERAGE))
    space = "{http://www.w3.org/2000/svg}"
    shown = [(one.findtext(f"{space}title"), one.get("x"), one.get("width")) for one in svg.findall(f"{space}rect")[1:]]
    assert [title for title, _, _ in shown] == [
        "1 to 600: loaded",
        "1 to 300: loaded",
        "316 to 590: loaded",
        "301 to 315: missing",
        "591 to 600: missing",
    ]
    assert shown[3][1:] == ("550.0", "16.0")
