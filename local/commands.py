"""The laptop stack's commands, such as `python -m local up`."""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from local import lineage
from local.arguments import add_folder, check_folder, check_output, dag_folder_of, date_of, lake_of, schedule_of
from local.interrupts import INTERRUPTED, interruption, stops_stack
from local.plan import PlanError, format_time
from local.sample import END, START, ensure_sample_lake
from local.stack import Stack, StackError
from local.stack.disk import FULL, with_disk
from local.stack.layout import DATASET, dataset_of
from local.stack.stack import DOWN
from stellar_etl_airflow.ops.show import as_text, print_table


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    add_folder(common)
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="Airflow, BigQuery, Cloud Storage and Kubernetes on this machine, on loopback only.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", parents=[common], help="start the stack, and wait until it is healthy")
    up.add_argument("--foreground", action="store_true", help="stay until Ctrl-C, which stops everything")
    up.add_argument("--lake", metavar="PATH", help="the lake of ledgers (default: the sample network)")
    up.add_argument("--schedule", metavar="CRON", help="cron expression of the data DAGs (default: every ten minutes)")
    up.add_argument("--start-date", metavar="T", help="start of schedules, such as 2026-01-01T00:00:00Z")
    up.add_argument("--end-date", metavar="T", help="end of the last interval")
    up.add_argument("--dags", metavar="DIR", help="the folder of DAG files (default: dags)")
    up.add_argument("--lineage", action=argparse.BooleanOptionalAction, help="let tasks write OpenLineage events")
    up.set_defaults(run=_up)

    down = commands.add_parser("down", parents=[common], help="stop everything; the data stays")
    down.set_defaults(run=_down)

    status = commands.add_parser("status", parents=[common], help="show the services; status 1 if one is unhealthy")
    status.add_argument("--json", action="store_true", help="as JSON")
    status.set_defaults(run=_status)

    query = commands.add_parser("query", parents=[common], help="run SQL in the warehouse")
    query.add_argument("sql", metavar="SQL", help="tables of the dataset need no dataset prefix")
    query.add_argument("--format", choices=("table", "ndjson", "csv"), default="table", help="default: table")
    query.set_defaults(run=_query)

    listed = commands.add_parser(
        "tables", parents=[common], help="list the dataset's tables and views with their row counts"
    )
    listed.add_argument("--format", choices=("table", "ndjson", "csv"), default="table", help="default: table")
    listed.set_defaults(run=_tables)

    picture = commands.add_parser("coverage", parents=[common], help="draw the loaded ledgers, one bar per table")
    picture.add_argument("--svg", type=Path, metavar="FILE", help="write the picture to FILE too")
    picture.set_defaults(run=_coverage)

    drawn = commands.add_parser("lineage", parents=[common], help="draw the lineage from the lake to the tables")
    drawn.add_argument("--format", choices=("text", "mermaid"), default="text", help="default: text")
    drawn.set_defaults(run=_lineage)

    logs = commands.add_parser("logs", parents=[common], help="show the services' logs")
    logs.add_argument("service", nargs="?", metavar="SERVICE", help="one service (default: all)")
    logs.add_argument("-n", "--lines", type=int, default=20, metavar="N", help="the last N lines of each (default 20)")
    logs.add_argument("-f", "--follow", action="store_true", help="follow the logs until Ctrl-C")
    logs.set_defaults(run=_logs)

    airflow = commands.add_parser(
        "airflow",
        parents=[common],
        help="run Airflow's command line in the stack: python -m local airflow -- dags list",
    )
    airflow.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARG", help="arguments of `airflow`")
    airflow.set_defaults(run=_airflow)
    return parser


def _changes_of(stack: Stack, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `up`. Without --lake it uses the sample network; another lake has other times.

    Raises:
        PlanError: an option is invalid; then nothing is stored.
    """
    check_folder(arguments.dir)
    sample = str(stack.sample_lake)
    lake = lake_of(arguments.lake) if arguments.lake else sample
    changes: dict[str, Any] = {"lake": lake, "dataset": DATASET if lake == sample else dataset_of(lake)}
    if lake != stack.options.lake or not stack.options.start_date:
        ends = (START, END) if lake == sample else ()
        changes |= dict(zip(("start_date", "end_date"), [format_time(end) for end in ends] or ["", ""], strict=True))
    for name in ("start_date", "end_date"):
        if (given := getattr(arguments, name)) is not None:
            changes[name] = date_of(f"--{name.replace('_', '-')}", given)
    start, end = (changes.get(name, getattr(stack.options, name)) for name in ("start_date", "end_date"))
    if start and end and start > end:
        raise PlanError(f"--start-date {start} must be before --end-date {end}")
    if arguments.schedule is not None:
        changes["schedule"] = schedule_of(arguments.schedule)
    if arguments.dags is not None:
        changes["dags"] = dag_folder_of(arguments.dags)
    if arguments.lineage is not None:
        changes["lineage"] = arguments.lineage
    return changes


def _up(stack: Stack, arguments: argparse.Namespace) -> int:
    changes = _changes_of(stack, arguments)
    is_sample = changes["lake"] == str(stack.sample_lake)
    if is_sample:
        ensure_sample_lake(stack.sample_lake)
    print(f"the lake is {'the sample network in ' if is_sample else ''}{changes['lake']}", flush=True)
    if arguments.foreground:
        return stack.run_in_foreground(**changes)
    begun, was_up = time.monotonic(), stack.supervisor() is not None
    try:
        started = stack.up(**changes)
    except KeyboardInterrupt:
        runs = stack.supervisor() is not None
        print(interruption(keep=False, was_up=was_up, is_up=False, runs=runs), file=sys.stderr)
        if stops_stack(keep=False, was_up=was_up, is_up=False):
            stack.down_for_sure()
        return INTERRUPTED
    seconds = f" in {time.monotonic() - begun:.0f} s" if started else " already"
    print(f"the stack is up{seconds}; Airflow's UI is at {stack.ui}")
    return 0


def _down(stack: Stack, _arguments: argparse.Namespace) -> int:
    print("the stack is down" if stack.down() else "the stack was not up")
    return 0


def _status(stack: Stack, arguments: argparse.Namespace) -> int:
    statuses = stack.status()
    healthy = all(status.well for status in statuses)
    if arguments.json:
        print(json.dumps({"ui": stack.ui, "services": [vars(status) for status in statuses]}, indent=2))
        return 0 if healthy else 1
    rows = [
        {
            "service": status.name,
            "state": "healthy" if status.well else "starting" if status.pid else "down",
            "pid": status.pid or "",
            "port": status.port or "",
            "since": f"{datetime.fromtimestamp(status.since):%H:%M:%S}" if status.pid and status.since else "",
            "restarts": status.restarts,
        }
        for status in statuses
    ]
    print_table(rows)
    print(f"\nAirflow's UI: {stack.ui}")
    return 0 if healthy else 1


def _query(stack: Stack, arguments: argparse.Namespace) -> int:
    return _print_rows(stack.query(arguments.sql), arguments.format)


def _tables(stack: Stack, arguments: argparse.Namespace) -> int:
    return _print_rows(stack.tables(), arguments.format)


def _print_rows(rows: list[dict[str, Any]], form: str) -> int:
    if form == "table":
        print_table(rows)
    elif form == "ndjson":
        for row in rows:
            print(json.dumps(row, default=as_text, ensure_ascii=False))
    elif rows:
        writer = csv.writer(sys.stdout)
        writer.writerow(rows[0])
        writer.writerows([as_text(value) for value in row.values()] for row in rows)
    return 0


def _coverage(stack: Stack, arguments: argparse.Namespace) -> int:
    from stellar_etl_airflow.ops import coverage

    if arguments.svg:
        check_output("--svg", arguments.svg)
    is_empty = not coverage.NEEDED.issubset(table["table"] for table in stack.tables())
    loaded = None if is_empty else coverage.read_coverage(stack.query)
    if loaded is None:
        raise StackError("no ledgers are loaded yet: load some with ./run_local.sh --keep")
    print(coverage.as_text(loaded))
    if arguments.svg:
        arguments.svg.write_text(coverage.as_svg(loaded))
        print(f"wrote the picture to {arguments.svg}")
    return 0


def _lineage(stack: Stack, arguments: argparse.Namespace) -> int:
    graph = lineage.read_graph(lineage.read_events(stack.layout.lineage))
    if not graph.jobs:
        raise StackError("no task has reported lineage yet: run ./run_local.sh --keep --lineage")
    print(lineage.as_mermaid(graph) if arguments.format == "mermaid" else lineage.as_text(graph))
    return 0


def _logs(stack: Stack, arguments: argparse.Namespace) -> int:
    logs = sorted(stack.layout.logs.glob("*.log"))
    if arguments.service:
        logs = [log for log in logs if log.stem == arguments.service]
    if not logs:
        known = ", ".join(sorted(log.stem for log in stack.layout.logs.glob("*.log"))) or "none: it has never run"
        raise StackError(f"unknown log {arguments.service or ''}; known logs: {known}")
    command = ["tail", "-n", str(arguments.lines), *(["-F"] if arguments.follow else []), *map(str, logs)]
    return subprocess.run(command, check=False).returncode


def _airflow(stack: Stack, arguments: argparse.Namespace) -> int:
    rest = arguments.arguments[1:] if arguments.arguments[:1] == ["--"] else arguments.arguments
    if stack.supervisor() is None:
        raise StackError(DOWN)
    environment = stack.environment()
    os.execvpe("airflow", ["airflow", *rest], environment)  # noqa: S606 - the user's own words, to the user's own program


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; exit with status 1 and one line if it fails."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(Stack(arguments.dir), arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # such as `| head`; Python would report the closed pipe again when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (PlanError, StackError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in FULL:
            raise
        print(f"local: {with_disk(error, arguments.dir)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return status
