"""Checks the wording of pages and of Python text: phrases that read as translated, and sentences that are too long.

    python scripts/check_language.py [FILE…]

Without files it checks the README, CONTRIBUTING, CHANGELOG, `docs/` and the Python files of `FOLDERS`. In Python files
it reads docstrings, comments, messages and names of tests. Exit status 0, or 1 with a line per finding.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]

FOLDERS = ("dags", "stellar_etl", "local", "outbound", "scripts", "benchmarks", "plugins", "tests")
"""Folders with Python files that are checked."""

LONGEST = 35
"""Words of a sentence at most, in pages."""

PHRASES = {
    r"\btold\b|\btells?\b": "report, log, alert, notify, show",
    r"\bsa(?:id|ys?) so\b": "name what is reported",
    r"\bfor good\b": "exhausted its retries, permanently",
    r"\bwell again\b|\bmended\b|\bmends?\b": "fixed, resolved; verify",
    r"\blook(?:s|ed|ing)? over\b": "coverage check",
    r"\bmade up for\b": "backfill, catch-up",
    r"\ba person starts\b|\bwhen a person\b": "triggered manually",
    r"\bas (?:it|they) shall be\b|\bshall\b": "must, up to date",
    r"\bnever not at all\b": "at least once",
    r"\bfor want of\b": "because … is missing",
    r"\bbut for\b": "except",
    r"\bthose whom\b|\bwho writes it\b|\bwhoever\b": "name the thing",
    r"\bone an? (?:table|ledger|batch|channel|run|file|row|day|transaction|operation|event)\b": "one per …",
    r"\brows? a table\b": "per …",
    r"\bthe tip\b": "network head, latest ledger",
    r"\b(?:that|which|it|they) (?:is|are) none\b": "invalid, not a …",
    r"\bas seldom\b|\bseldom\b": "rarely",
    r"\bin vain\b|\bby itself alone\b": "say what happens",
    r"\bone's own\b": "custom, separate",
    r"\b(?:be)?(?:came|comes?) of (?:it|them|each|that|the|its)\b": "change, result",
    r"\b(?:is|are|be) had\b": "is read, is used",
    r"\banew\b|\bwhence\b|\bthrice\b|\bheretofore\b|\bthereof\b": "again, from where, three times",
    r"\bhas not come so far\b": "has not reached",
    r"^\s*Gives\b|; gives\b": "Return …; return …",
    r"\bhold(?:s|ing)? (?:it|them|\w+) against\b|\b(?:is|are) held against\b": "compare with",
    r"\bnobody's\b|\bhis\b|\bher\b": "name the thing",
}
"""Patterns that a text must not have, and what to write."""

CODE = re.compile(r"^```.*?^```|^<!-- (\w+): made by.*?^<!-- end of \1 -->", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"`[^`]*`")
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
FIELD = re.compile(r"\{[^{}]*\}")
"""A value in an f-string."""
LITERAL = re.compile(r"^[A-Za-z]*(\"\"\"|'''|\"|')(.*)\1$", re.DOTALL)

GENERATED = {
    "docs/dags.md",
    "docs/faults.md",
    "docs/hostile.md",
    "docs/differences.md",
    "scripts/check_language.py",
    "tests/scripts/test_check_language.py",
    "stellar_etl/xdr/generated.py",
    "stellar_etl/xdr/names.py",
}
"""Files that programs write, whose words are checked at their source, and files that list the phrases."""


def blank(found: re.Match[str]) -> str:
    """Return as many empty lines as the text had, so that line numbers stay."""
    return "\n" * found[0].count("\n")


def prose(text: str) -> str:
    """Return a page without code, with a word for each quotation and without the targets of links."""
    return LINK.sub(r"\1", QUOTED.sub(lambda found: "X" + blank(found), CODE.sub(blank, text)))


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield the sentences of prose with their line numbers. Lists, cells and headings end sentences."""
    line = 1
    for block in re.split(r"(\n(?=\s*(?:[-*|#>]|\d+\.\s|\n))|\n\n)", text):
        for cell in block.split(" | ") if block.lstrip().startswith("|") else [block]:
            for sentence in re.split(r"(?<=[.!?:;])\s+", cell):
                yield line, sentence
        line += block.count("\n")


def phrases(line: str) -> Iterator[str]:
    """Yield a line per phrase in a line of text."""
    for pattern, better in PHRASES.items():
        if found := re.search(pattern, line, re.IGNORECASE):
            yield f"{found[0].strip()!r}: write {better}"


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a Python file's docstrings, comments, messages and names of tests, with their numbers.

    A string without a space is an identifier, not a text.
    """
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        number = token.start[0]
        if token.type == tokenize.COMMENT:
            yield number, token.string.lstrip("# ")
        elif token.type == tokenize.NAME and before == "def" and token.string.startswith("test_"):
            yield number, token.string.replace("_", " ")
        elif token.type == tokenize.STRING and " " in token.string and (literal := LITERAL.match(token.string)):
            text = QUOTED.sub(lambda found: "X" + blank(found), FIELD.sub("X", literal[2]))
            yield from enumerate(text.splitlines(), number)
        before = token.string


def findings(name: str, text: str) -> Iterator[str]:
    """Yield a line per finding in a page or a Python file."""
    if name.endswith(".py"):
        for number, line in texts(text):
            yield from (f"{name}:{number}: {finding}" for finding in phrases(line))
        return
    plain = prose(text)
    for number, line in enumerate(plain.splitlines(), 1):
        yield from (f"{name}:{number}: {finding}" for finding in phrases(line))
    for number, sentence in sentences(plain):
        if (count := len(re.findall(r"\w[\w'-]*", sentence))) > LONGEST:
            yield f"{name}:{number}: {count} words: {' '.join(sentence.split())[:70].rstrip()}…"


def files() -> list[Path]:
    """Return the files with text that people read and write."""
    pages = [*(REPO / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")), *(REPO / "docs").glob("*.md")]
    command = ["git", "ls-files", "-z", "--", *FOLDERS]
    listed = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout.split("\0")
    modules = [REPO / name for name in listed if name.endswith(".py")]
    return [file for file in sorted([*pages, *modules]) if str(file.relative_to(REPO)) not in GENERATED]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check files. Exit status 0, or 1 with a line per finding."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    chosen = parser.parse_args(arguments).files or files()
    count = 0
    for file in chosen:
        for finding in findings(str(file.resolve().relative_to(REPO)), file.read_text()):
            print(finding, file=sys.stderr)
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
