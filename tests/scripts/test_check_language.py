"""The language check finds phrases and long sentences in pages and Python text, and ignores code."""

from __future__ import annotations

import pytest

from scripts.check_language import LONGEST, findings, main

LONG = "word " * (LONGEST + 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The task failed for good.", ["page:1: 'for good': write exhausted its retries, permanently"]),
        ("A table.\n\nGaps are made up for.", ["page:3: 'made up for': write backfill, catch-up"]),
        (f"Short. {LONG}.", [f"page:1: {LONGEST + 1} words: {LONG[:70].strip()}…"]),
        (f"Short.\n\n- {LONG}", [f"page:3: {LONGEST + 1} words: - {LONG[:68].strip()}…"]),
        (f"| a | {LONG} |", [f"page:1: {LONGEST + 1} words: {LONG[:70].strip()}…"]),
        ("```sh\necho told\n```\n\nRead `what is told` here.", []),
        (f"{'word ' * LONGEST}. {'word ' * LONGEST}.", []),
        ("- " + "\n- ".join(["a b c d e f g h i"] * 9), []),
    ],
)
def test_findings_have_line_and_suggestion(text: str, found: list[str]) -> None:
    assert list(findings("page", text)) == found


MODULE = """
def test_what_is_told():  # it is told
    \'\'\'One row a table.

    Gives it, as it shall be.\'\'\'
    told = f"{told} is nobody\'s `told`"
    return "told", {"a run": "told"}
"""


def test_python_text_is_checked_and_code_is_not() -> None:
    found = [tuple(line.split(": ")[:2]) for line in findings("module.py", MODULE)]
    assert found == [
        ("module.py:2", "'told'"),
        ("module.py:2", "'told'"),
        ("module.py:3", "'row a table'"),
        ("module.py:5", "'as it shall be'"),
        ("module.py:5", "'Gives'"),
        ("module.py:6", '"nobody\'s"'),
    ]


def test_the_text_of_this_repository_passes() -> None:
    assert main([]) == 0
