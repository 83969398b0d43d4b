"""Hostile values: JSON of any shape, texts that other languages interpret as commands, modified bytes."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from stellar_etl.cli import commands as cli
from tests.stellar_etl.program import PROGRAM

EFFORT = 0.4
"""The factor of the numbers of examples; `--all` sets 5. The examples are the same in each run."""


def tried(times: int) -> settings:
    """Use the same examples in each run, so that a failure is reproducible."""
    return settings(
        max_examples=int(times * EFFORT),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@dataclass
class Tally:
    """The results of the inputs of one target."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0
    memory: float = 0
    """The peak memory of one process in MiB; 0 if it was not measured."""


TALLIES: defaultdict[str, Tally] = defaultdict(Tally)


def outcome(target: str, call: Callable[[], Any], *errors: type[Exception]) -> Any:
    """Return the result of a call, or its error. Other errors, and errors of several lines, are raised."""
    tally, start = TALLIES[target], time.perf_counter()
    try:
        result = call()
        kind = "fine"
    except errors as error:
        assert type(error) in errors, repr(error)
        assert str(error).strip()
        assert len(str(error).splitlines()) == 1, str(error)
        result, kind = error, type(error).__name__
    tally.outcomes[kind] += 1
    tally.slowest = max(tally.slowest, time.perf_counter() - start)
    return result


# Texts and JSON ----------------------------------------------------------------------------------------------------

NASTY = [
    "",
    "' OR 1=1 --",
    "`; DROP TABLE accounts; --",
    '"; touch owned; echo "',
    "$(touch owned)",
    "`touch owned`",
    "$(HOME) $$ ${HOME}",
    "../../etc/passwd",
    "..",
    ".",
    "/etc/passwd",
    "a/../../b",
    "{{ var.value.owner }}",
    "{% raw %}",
    "a\nb\rc\u2028d",
    "\x00",
    "\x1b[31m",
    "%2e%2e%2f",
    "%s%n{0}",
    "\ud800",
    "\u202e\u0301😀",
    "x" * 5000,
    "1e999",
    "NaN",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "٣",
]

texts = st.sampled_from(NASTY) | st.text(max_size=40)
numbers = (
    st.integers()
    | st.sampled_from([0, -1, 1 << 31, (1 << 32) - 1, 1 << 63, 1 << 64, 10**400, 1e999, -1e999, 0.5, 1e308, 63.9])
    | st.floats(allow_nan=True)
)
scalars = st.none() | st.booleans() | numbers | texts
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
DEEP = "[" * 100_000 + "]" * 100_000
"""JSON that is nested deeper than Python's parser supports."""


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of the parts of a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in parts for found in paths_of(part, (*path, key)))]


@st.composite
def tampered(draw: Any, sound: Any, values: Any = anything) -> Any:
    """Draw a JSON value with some parts removed or replaced."""
    value = copy.deepcopy(sound)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths_of(value)))
        if not path:
            if draw(st.integers(0, 9)) == 0:
                return draw(values)
            continue
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.integers(0, 3)) == 0:
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw(values)
    return value


def as_json(value: Any) -> str:
    return json.dumps(value)


# Bytes -------------------------------------------------------------------------------------------------------------

LENGTHS = [0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00FFFFFF, 3, 16]


@st.composite
def damaged(draw: Any, sound: bytes) -> bytes:
    """Draw bytes with parts replaced, removed or repeated, or with almost any length field."""
    data = bytearray(sound)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.sampled_from(["flip", "length", "length", "cut", "drop", "double", "bytes"])):
            case "flip" if data:
                data[place] ^= 1 << draw(st.integers(0, 7))
            case "length":
                place = place // 4 * 4
                data[place : place + 4] = draw(st.sampled_from(LENGTHS)).to_bytes(4, "big")
            case "cut":
                del data[place:]
            case "drop":
                del data[place : place + 4 * draw(st.integers(1, 8))]
            case "double":
                data[place:place] = data[place : place + 4 * draw(st.integers(1, 64))]
            case "bytes":
                data[place:place] = draw(st.binary(max_size=16))
    return bytes(data)


# The exporter ------------------------------------------------------------------------------------------------------


def exporter(target: str, *arguments: object) -> str:
    """Run `stellar-etl` in this process, expect status 0, or 1 or 75 with one line; return that line."""
    handlers = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    stderr, start, status = io.StringIO(), time.perf_counter(), 0
    environment = dict(os.environ)
    try:
        with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
            cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
        os.environ.clear()
        os.environ.update(environment)
    tally = TALLIES[target]
    tally.outcomes[f"status {status}"] += 1
    tally.slowest = max(tally.slowest, time.perf_counter() - start)
    # The rows counted as omitted are logged in JSON.
    lines = [line for line in stderr.getvalue().splitlines() if not line.startswith(("{", "time="))]
    assert status in (0, 1, 75), stderr.getvalue()
    assert len(lines) == (status != 0), stderr.getvalue()
    return lines[0] if lines else ""


@dataclass(frozen=True)
class Ended:
    """The end of the program: its status, its last line, and its peak memory in MiB."""

    status: int
    line: str
    memory: float


_MEASURE = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""A small process between: Linux counts the memory of the parent process for a new program."""


def measured(target: str, *arguments: object) -> Ended:
    """Run `stellar-etl` in a separate process."""
    start = time.perf_counter()
    command = [sys.executable, "-c", _MEASURE, PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    status, kibibytes = map(int, done.stdout.split())
    ended = Ended(status, done.stderr.splitlines()[-1] if done.stderr else "", kibibytes / 1024)
    tally = TALLIES[target]
    tally.outcomes[f"status {ended.status}"] += 1
    tally.slowest, tally.memory = max(tally.slowest, time.perf_counter() - start), max(tally.memory, ended.memory)
    return ended
