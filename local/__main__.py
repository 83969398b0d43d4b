"""The laptop stack's command line: `python -m local up | down | status | query | coverage | logs | airflow`."""

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

from local import lineage
from local.plan import spelt
from local.sample import END, START, ensure_sample_lake
from local.show import as_text, print_table
from local.stack import Stack, StackError
from local.stack.layout import REPO, dataset_of


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--dir", type=Path, default=REPO / ".local", metavar="DIR", help="the stack's folder (default: .local)"
    )
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="Airflow, BigQuery, Cloud Storage and Kubernetes on this machine, on loopback alone.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", parents=[common], help="start the stack, and wait until it is well")
    up.add_argument("--foreground", action="store_true", help="stay until Ctrl-C, which stops everything")
    up.add_argument("--lake", metavar="PATH", help="the lake of ledgers, for the Variable txmeta_datastore_path")
    up.add_argument("--schedule", metavar="CRON", help="when the data DAGs run (default: every ten minutes)")
    up.add_argument("--start-date", metavar="T", help="where schedules begin, such as 2026-01-01T00:00:00Z")
    up.add_argument("--end-date", metavar="T", help="the last data interval")
    up.add_argument("--dags", metavar="DIR", help="the folder of DAG files (default: dags)")
    up.add_argument("--lineage", action=argparse.BooleanOptionalAction, help="have tasks write OpenLineage's events")
    up.set_defaults(run=_up)

    down = commands.add_parser("down", parents=[common], help="stop everything; data stay")
    down.set_defaults(run=_down)

    status = commands.add_parser("status", parents=[common], help="show the services; status 1 if one is not well")
    status.add_argument("--json", action="store_true", help="as JSON")
    status.set_defaults(run=_status)

    query = commands.add_parser("query", parents=[common], help="run SQL in the warehouse")
    query.add_argument("sql", metavar="SQL", help="tables of the dataset need no prefix")
    query.add_argument("--format", choices=("table", "ndjson", "csv"), default="table", help="default: table")
    query.set_defaults(run=_query)

    picture = commands.add_parser("coverage", parents=[common], help="draw which ledgers are loaded, a bar a table")
    picture.add_argument("--svg", type=Path, metavar="FILE", help="write the picture to FILE too")
    picture.set_defaults(run=_coverage)

    drawn = commands.add_parser(
        "lineage", parents=[common], help="draw what is made of what, from the lake to the tables"
    )
    drawn.add_argument("--format", choices=("text", "mermaid"), default="text", help="default: text")
    drawn.set_defaults(run=_lineage)

    logs = commands.add_parser("logs", parents=[common], help="show what the services say")
    logs.add_argument("service", nargs="?", metavar="SERVICE", help="one service (default: all)")
    logs.add_argument("-n", "--lines", type=int, default=20, metavar="N", help="the last N lines of each (default 20)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as they come, until Ctrl-C")
    logs.set_defaults(run=_logs)

    airflow = commands.add_parser(
        "airflow",
        parents=[common],
        help="run Airflow's command line in the stack: python -m local airflow -- dags list",
    )
    airflow.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARG", help="what stands behind `airflow`")
    airflow.set_defaults(run=_airflow)
    return parser


def _up(stack: Stack, arguments: argparse.Namespace) -> int:
    names = ("lake", "schedule", "start_date", "end_date", "dags", "lineage")
    changes = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    for name in ("lake", "dags"):
        if name in changes and "://" not in changes[name]:
            changes[name] = str(Path(changes[name]).resolve())
    if "lake" in changes:
        changes["dataset"] = dataset_of(changes["lake"])
    elif stack.options.lake == str(stack.sample_lake):
        ensure_sample_lake(stack.sample_lake)
        if not stack.options.start_date:
            changes = {"start_date": spelt(START), "end_date": spelt(END)} | changes
    if arguments.foreground:
        return stack.run_in_foreground(**changes)
    begun = time.monotonic()
    started = stack.up(**changes)
    seconds = f" in {time.monotonic() - begun:.0f} s" if started else " already"
    print(f"the stack is up{seconds}; Airflow's UI is at {stack.ui}")
    return 0


def _down(stack: Stack, _arguments: argparse.Namespace) -> int:
    print("the stack is down" if stack.down() else "the stack was not up")
    return 0


def _status(stack: Stack, arguments: argparse.Namespace) -> int:
    statuses = stack.status()
    well = all(status.well for status in statuses)
    if arguments.json:
        print(json.dumps({"ui": stack.ui, "services": [vars(status) for status in statuses]}, indent=2))
        return 0 if well else 1
    rows = [
        {
            "service": status.name,
            "state": "well" if status.well else "starting" if status.pid else "down",
            "pid": status.pid or "",
            "port": status.port or "",
            "since": f"{datetime.fromtimestamp(status.since):%H:%M:%S}" if status.pid and status.since else "",
            "restarts": status.restarts,
        }
        for status in statuses
    ]
    print_table(rows)
    print(f"\nAirflow's UI: {stack.ui}")
    return 0 if well else 1


def _query(stack: Stack, arguments: argparse.Namespace) -> int:
    rows = stack.query(arguments.sql)
    if arguments.format == "table":
        print_table(rows)
    elif arguments.format == "ndjson":
        for row in rows:
            print(json.dumps(row, default=as_text, ensure_ascii=False))
    elif rows:
        writer = csv.writer(sys.stdout)
        writer.writerow(rows[0])
        writer.writerows([as_text(value) for value in row.values()] for row in rows)
    return 0


def _coverage(stack: Stack, arguments: argparse.Namespace) -> int:
    sys.path.append(str(REPO / "dags"))  # the registry of tables
    from local import coverage

    loaded = coverage.read_coverage(stack.query)
    if loaded is None:
        raise StackError("no ledgers are loaded yet: ./run_local.sh --keep loads some")
    print(coverage.as_text(loaded))
    if arguments.svg:
        arguments.svg.write_text(coverage.as_svg(loaded))
        print(f"the picture is in {arguments.svg}")
    return 0


def _lineage(stack: Stack, arguments: argparse.Namespace) -> int:
    graph = lineage.read_graph(lineage.read_events(stack.layout.lineage))
    if not graph.jobs:
        raise StackError("no task told of lineage yet: ./run_local.sh --keep --lineage has them do")
    print(lineage.as_mermaid(graph) if arguments.format == "mermaid" else lineage.as_text(graph))
    return 0


def _logs(stack: Stack, arguments: argparse.Namespace) -> int:
    logs = sorted(stack.layout.logs.glob("*.log"))
    if arguments.service:
        logs = [log for log in logs if log.stem == arguments.service]
    if not logs:
        known = ", ".join(sorted(log.stem for log in stack.layout.logs.glob("*.log"))) or "none: the stack never ran"
        raise StackError(f"there is no log {arguments.service or ''}; known are {known}")
    command = ["tail", "-n", str(arguments.lines), *(["-F"] if arguments.follow else []), *map(str, logs)]
    return subprocess.run(command, check=False).returncode


def _airflow(stack: Stack, arguments: argparse.Namespace) -> int:
    rest = arguments.arguments[1:] if arguments.arguments[:1] == ["--"] else arguments.arguments
    environment = stack.environment()
    os.execvpe("airflow", ["airflow", *rest], environment)  # noqa: S606 - the user's own words, to the user's own program


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; status 1 with one line if it can't be done."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(Stack(arguments.dir), arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # such as `| head`, which has read enough; Python would say so once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except StackError as error:
        print(f"local: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
