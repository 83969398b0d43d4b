"""Environments: `airflow_variables.json` is the default; `environments/<name>.json` has the values that differ.

A key is replaced as a whole, as `airflow variables import` does: an environment's object replaces the default object.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.checks import check, check_tables
from stellar_etl_airflow.settings.groups import shown
from stellar_etl_airflow.settings.outbound import check_declarations

CHECKOUT = Path(__file__).resolve().parents[3]
DEFAULT_FILE = "airflow_variables.json"
FOLDER = "environments"
CELL = 34
"""Width of a value's column in the comparison, in characters."""


def read_variables(*paths: Path) -> dict[str, Any]:
    """Return the Variables of files in the format of `airflow variables import`. Later files win.

    Raises:
        SettingsError: a file cannot be read, or has another format.
    """
    together: dict[str, Any] = {}
    for path in paths:
        try:
            variables = json.loads(path.read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise SettingsError(f"{path}: not a file of Airflow Variables: {error}") from None
        if not isinstance(variables, dict):
            raise SettingsError(f"{path}: not a file of Airflow Variables: it must contain one JSON object")
        together |= variables
    return together


def add_variables_option(parser: argparse.ArgumentParser, help_text: str, *, required: bool = False) -> None:
    """Add `--variables FILE …` to a command, for `read_variables`; without the option there are no files."""
    parser.add_argument(
        "--variables", nargs="+", type=Path, default=[], required=required, metavar="FILE", help=help_text
    )


@dataclass(frozen=True)
class Environments:
    """The default Variables and the environments of one checkout.

    Attributes:
        default: all Variables.
        own: per environment, the values that replace the default's.
        schemas: the folder of the schema files.
    """

    default: Mapping[str, Any]
    own: Mapping[str, Mapping[str, Any]]
    schemas: Path

    @classmethod
    def read(cls, root: Path = CHECKOUT) -> Environments:
        """Read a checkout's files.

        Raises:
            SettingsError: a file cannot be read, or has another format.
        """
        files = sorted((root / FOLDER).glob("*.json"))
        own = {path.stem: read_variables(path) for path in files}
        return cls(read_variables(root / DEFAULT_FILE), own, root / "schemas")

    def merged(self, name: str) -> dict[str, Any]:
        """Return all Variables of an environment, ready for import.

        Raises:
            SettingsError: there is no such environment.
        """
        if name not in self.own:
            raise SettingsError(f"unknown environment {name!r}: {FOLDER}/ has {', '.join(self.own) or 'none'}")
        return {**self.default, **self.own[name]}

    def problems(self) -> list[str]:
        """Return a message per problem of the files; each begins with the file. Empty if all are valid."""
        of_default = _wrong(self.default, self.schemas)
        messages = [f"{DEFAULT_FILE}: {message}" for message in of_default]
        for name, own in self.own.items():
            found = [message for message in _wrong(self.merged(name), self.schemas) if message not in of_default]
            messages += [f"{FOLDER}/{name}.json: {message}" for message in (*found, *_repeated(own, self.default))]
        return messages

    def comparison(self) -> str:
        """Return a table of the differences, with a row per key and a column per environment."""
        keys = sorted({key for own in self.own.values() for key in own})
        rows = [["Variable", "default", *self.own]]
        for key in keys:
            columns = (self.default, *self.own.values())
            rows.append([key, *(shown(key, values[key]) if key in values else "" for values in columns)])
        return "\n".join(_lines(rows))


def _wrong(variables: Mapping[str, Any], schemas: Path) -> list[str]:
    messages = check(variables)
    with suppress(SettingsError):  # check() has reported it
        messages += check_tables(variables.get, schemas)
    return messages


def _repeated(own: Mapping[str, Any], default: Mapping[str, Any]) -> list[str]:
    return [
        f"Airflow Variable {key!r} equals the default in {DEFAULT_FILE}; delete it here: this file has only differences"
        for key, value in own.items()
        if key in default and json.dumps(value, sort_keys=True) == json.dumps(default[key], sort_keys=True)
    ]


def _lines(rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """Return the lines of a table. Long values continue on the next line."""
    cells = [[textwrap.wrap(text, CELL, break_on_hyphens=False) for text in row] for row in rows]
    widths = [max((len(line) for cell in column for line in cell), default=0) for column in zip(*cells, strict=True)]
    for row in cells:
        for line in zip_longest(*row, fillvalue=""):
            yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stellar_etl_airflow.settings")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    checking = commands.add_parser("check", help="check Airflow Variables before they are imported")
    checking.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help=f"a file in the format of `airflow variables import`; later files win (default: {DEFAULT_FILE} and all "
        f"of {FOLDER}/, compared side by side)",
    )
    rendering = commands.add_parser("render", help="write all Airflow Variables of an environment, ready for import")
    rendering.add_argument("name", metavar="NAME", help=f"name of a file in {FOLDER}/, without `.json`")
    rendering.add_argument("--output", type=Path, metavar="FILE", help="write to FILE (default: standard output)")
    return parser.parse_args(argv)


def _check_files(files: Iterable[Path]) -> list[str]:
    variables = read_variables(*files)
    if not (messages := check(variables)):
        print(f"{len(variables)} Airflow Variables are valid")
    return messages


def _check_environments() -> list[str]:
    environments = Environments.read()
    print(environments.comparison())
    if not (messages := environments.problems() + check_declarations()):
        print(f"\n{DEFAULT_FILE} and {len(environments.own)} environments are valid")
    return messages


def _render(name: str, output: Path | None) -> list[str]:
    environments = Environments.read()
    variables = environments.merged(name)
    if messages := environments.problems():
        return messages
    text = json.dumps(variables, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        print(text, end="")
        return []
    try:
        output.write_text(text)
    except OSError as error:
        return [f"--output {output}: {error.strerror}"]
    return []


def main(argv: Sequence[str] | None = None) -> int:
    """Run `python -m stellar_etl_airflow.settings check [FILE…]`, or `render NAME [--output FILE]`.

    Return 0, or 1 after printing a line per problem to standard error.
    """
    arguments = _arguments(argv)
    try:
        if arguments.command == "render":
            messages = _render(arguments.name, arguments.output)
        else:
            messages = _check_files(arguments.files) if arguments.files else _check_environments()
    except SettingsError as error:
        messages = [str(error)]
    for message in messages:
        print(message, file=sys.stderr)
    return 1 if messages else 0
