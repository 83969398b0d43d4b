"""The main job on a laptop: `./run_local.sh`, or `python -m local.run`.

Starts the stack, lets the scheduler run the data DAGs over consecutive intervals of a lake, shows progress, and reports
the content of the tables. Exit status 0 only if every run succeeded and every table is complete.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.arguments import add_folder, check_folder, check_output, lake_of
from local.interrupts import INTERRUPTED, interrupt_on_signals, interruption, stops_stack
from local.plan import Interval, Plan, PlanError, format_time, make_plan, parse_time
from local.remote_lake import (
    download,
    folder_of,
    megabytes,
    newest_interval,
    open_remote,
    plan_download,
)
from local.report import Report, as_rows, stage_reports, state_reports, table_reports, watermark_reports
from local.sample import END, START, ensure_sample_lake
from local.stack import Stack, StackError
from local.stack.disk import FULL, with_disk
from local.stack.environment import MOST_PER_PAGE
from local.stack.layout import DATASET, REPO, StackLayout, dataset_of, write_private
from local.times import parse_utc
from stellar_etl.sources.lake import Lake
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.schedule import loaded_by_run
from stellar_etl_airflow.model.tables import DERIVED, ENRICHED_OPERATIONS, LOADING_DAGS
from stellar_etl_airflow.ops.show import bar, print_table

DERIVING_DAGS = tuple(table.dag_id for table in DERIVED.values())
DAGS = (*LOADING_DAGS, *DERIVING_DAGS)
USUAL_DAGS = (*LOADING_DAGS, ENRICHED_OPERATIONS.dag_id)
"""The DAGs that run by default."""
FINAL = ("success", "failed")
PARALLEL_RUNS = 3
POLL_SECONDS = 2.0
NEWS_SECONDS = 10.0
PARSE_SECONDS = 300
RUNS, TASKS = "dags/~/dagRuns/list", "dags/~/dagRuns/~/taskInstances/list"
"""Lists of Airflow's REST API across DAGs."""


@dataclass(frozen=True)
class Job:
    """A requested job.

    Attributes:
        plan: the runs.
        address: the lake in the user's form.
        lake: the folder that pods read: for a remote lake a copy of the needed ledgers.
        dataset: the dataset of the tables.
        dags: the DAGs that run.
        options: further options of the stack.
        remote: the lake that is copied, None for a folder.
    """

    plan: Plan
    address: str
    lake: str
    dataset: str
    dags: tuple[str, ...]
    options: Mapping[str, Any]
    remote: Lake | None = None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run_local.sh",
        description="Copies a lake of ledgers into tables: Airflow, BigQuery, Cloud Storage and Kubernetes on this "
        "machine, no account needed. Without --lake it generates a sample network first.",
    )
    parser.add_argument(
        "--lake", metavar="PATH", help="a lake of ledgers: a folder, https://… or gs://… (default: a generated sample)"
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="T",
        help="load ledgers that closed at T or later (default for a remote lake: the newest interval)",
    )
    parser.add_argument("--to", dest="end", metavar="T", help="load ledgers that closed before T")
    parser.add_argument("--interval", type=int, default=10, metavar="MINUTES", help="interval of a run (default: 10)")
    parser.add_argument(
        "--dags",
        default=",".join(USUAL_DAGS),
        metavar="DAG,…",
        help=f"run only these DAGs, of {', '.join(DAGS)} (default: {', '.join(USUAL_DAGS)})",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report to FILE too")
    parser.add_argument("--keep", action="store_true", help="leave the stack up, with Airflow's UI")
    parser.add_argument("--fresh", action="store_true", help="start with an empty stack: deletes its tables and runs")
    parser.add_argument(
        "--lineage",
        action=argparse.BooleanOptionalAction,
        help="let tasks report what they read and write: see docs/quickstart.md",
    )
    add_folder(parser)
    return parser


def job_of(arguments: argparse.Namespace) -> Job:
    """Return the requested job from checked arguments: nothing starts or stops if one is mistyped.

    Raises:
        PlanError: one is invalid, or they contradict each other.
    """
    is_remote = "://" in (arguments.lake or "")
    if arguments.lake and not (arguments.start and arguments.end):
        if not is_remote:
            raise PlanError("--lake needs --from and --to: the close times to load")
        if arguments.start or arguments.end:
            raise PlanError("give both --from and --to, or neither to load the newest interval")
    check_folder(arguments.dir)
    if arguments.json:
        check_output("--json", arguments.json)
    start = parse_time("--from", arguments.start) if arguments.start else START
    end = parse_time("--to", arguments.end) if arguments.end else END
    plan = make_plan(start, end, arguments.interval)
    dags = tuple(dag_id for dag_id in DAGS if dag_id in arguments.dags.split(","))
    if unknown := sorted(set(arguments.dags.split(",")) - set(DAGS)):
        raise PlanError(f"--dags {', '.join(unknown)}: choose from {', '.join(DAGS)}")
    options = {} if arguments.lineage is None else {"lineage": arguments.lineage}
    if not arguments.lake:
        lake = str((arguments.dir / "lake").resolve())
        return Job(plan, lake, lake, DATASET, dags, options)
    lake = lake_of(arguments.lake)
    if not is_remote:
        return Job(plan, lake, lake, dataset_of(lake), dags, options)
    remote = open_remote(lake)
    if not arguments.start:
        plan = make_plan(*newest_interval(remote, arguments.interval), arguments.interval)
    copy = str(folder_of(arguments.dir.resolve(), lake))
    return Job(plan, lake, copy, dataset_of(lake), dags, options, remote)


class News:
    """Prints lines of progress, each with the time since the job began."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """The time since the job began."""
        return time.monotonic() - self._begun

    def say(self, text: str) -> None:
        """Print a line."""
        minutes, seconds = divmod(int(self.seconds), 60)
        print(f"{minutes:02d}:{seconds:02d}  {text}", flush=True)


class Runs:
    """The job's DAG runs."""

    def __init__(self, stack: Stack, plan: Plan, dags: Sequence[str], news: News) -> None:
        self._stack, self._plan, self._dags, self._news = stack, plan, dags, news
        self._ids: dict[str, list[str]] = {}
        self._since = datetime.now(UTC)
        self._reported: set[tuple[str, str]] = set()

    def wait_for_dags(self) -> None:
        """Wait until Airflow has read the DAG files.

        Raises:
            StackError: a file can't be imported, or it takes too long.
        """
        deadline = time.monotonic() + PARSE_SECONDS
        while True:
            errors = self._stack.rest("GET", "importErrors")["import_errors"]
            if errors:
                raise StackError(f"{errors[0]['filename']} can't be imported:\n{errors[0]['stack_trace']}")
            known = {dag["dag_id"] for dag in self._stack.rest("GET", "dags?limit=200")["dags"]}
            if known.issuperset(self._dags):
                return
            if time.monotonic() > deadline:
                log = self._stack.layout.logs / "dag-processor.log"
                raise StackError(f"Airflow has not read the DAG files in {PARSE_SECONDS} s: see {log}")
            time.sleep(0.5)

    def do(self) -> dict[str, dict[str, str]]:
        """Unpause the DAGs, create a run for each interval, and wait for them; return their states.

        By schedule, DAGs that derive tables wait for the others themselves; with ranges of their own they don't. Where
        runs of another interval are due at the same times, Airflow makes no further ones: then too, ranges are params.
        """
        by_schedule = self._plan.by_schedule and not any(map(self._other_runs, self._dags))
        loading = [dag_id for dag_id in self._dags if dag_id in LOADING_DAGS]
        deriving = [dag_id for dag_id in self._dags if dag_id in DERIVING_DAGS]
        for dag_ids in [self._dags] if by_schedule else [loading, deriving]:
            for dag_id in dag_ids:
                self._stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})
                self._ids[dag_id] = self._backfill(dag_id) if by_schedule else self._by_params(dag_id)
            states = self._follow()
            if any(state == "failed" for runs in states.values() for state in runs.values()):
                break
        return states

    def _runs_due(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs that are due at the same times as the plan's, with the interval of each."""
        first, last = self._plan.intervals[0].end, self._plan.intervals[-1].end
        due = {interval.end for interval in self._plan.intervals}
        filters = {"run_after_gte": format_time(first), "run_after_lte": format_time(last)}
        found = self._pages(RUNS, "dag_runs", dag_ids=[dag_id], **filters)
        return [run for run in found if run["logical_date"] and parse_utc(run["run_after"]) in due]

    def _is_planned(self, run: Mapping[str, Any]) -> bool:
        """Return whether a run loads one of the plan's intervals."""
        loaded = loaded_by_run(*(parse_utc(run[f"data_interval_{end}"]) for end in ("start", "end")))
        return loaded is not None and Interval(loaded.start, loaded.end) in self._plan.intervals

    def _other_runs(self, dag_id: str) -> bool:
        return not all(map(self._is_planned, self._runs_due(dag_id)))

    def _backfill(self, dag_id: str) -> list[str]:
        self._end_backfills(dag_id)
        intervals = self._plan.intervals
        made = self._stack.rest(
            "POST",
            "backfills",
            {
                "dag_id": dag_id,
                "from_date": format_time(intervals[0].end),
                "to_date": format_time(intervals[-1].end),
                "max_active_runs": PARALLEL_RUNS,
                "reprocess_behavior": "completed",
            },
        )
        deadline = time.monotonic() + PARSE_SECONDS
        while True:
            found = [run for run in self._runs_due(dag_id) if self._is_planned(run)]
            if len(found) >= len(intervals):
                return sorted(run["dag_run_id"] for run in found)
            if time.monotonic() > deadline:
                raise StackError(
                    f"backfill {made['id']} of {dag_id} made {len(found)} runs, not {len(intervals)}: "
                    "python -m local airflow -- backfill --help"
                )
            time.sleep(0.5)

    def _end_backfills(self, dag_id: str) -> None:
        """End backfills of an earlier job: Airflow allows one per DAG at a time, and records its end 30 s late."""
        for backfill in self._stack.rest("GET", f"backfills?dag_id={dag_id}&order_by=-id")["backfills"]:
            if backfill["completed_at"] is None:
                with suppress(StackError):  # its end was recorded in between
                    self._stack.rest("PUT", f"backfills/{backfill['id']}/cancel")

    def _by_params(self, dag_id: str) -> list[str]:
        return [self._by_param(dag_id, interval) for interval in self._plan.intervals]

    def _by_param(self, dag_id: str, interval: Interval) -> str:
        run = self._stack.rest(
            "POST",
            f"dags/{dag_id}/dagRuns",
            {
                "dag_run_id": f"{interval.run_id}__asked_{self._since:%Y%m%dT%H%M%S}",
                "logical_date": None,
                "conf": {"start_time": format_time(interval.start), "end_time": format_time(interval.end)},
            },
        )
        return str(run["dag_run_id"])

    def states(self) -> dict[str, dict[str, str]]:
        """Return the state of each run, by DAG and run id."""
        states: dict[str, dict[str, str]] = {dag_id: {} for dag_id in self._ids}
        for run in self._pages(RUNS, "dag_runs", dag_ids=list(self._ids), order_by="-run_after"):
            dag_id, run_id = run["dag_id"], run["dag_run_id"]
            if run_id in self._ids[dag_id]:
                states[dag_id][run_id] = run["state"]
        return states

    def task_instances(self) -> list[dict[str, Any]]:
        """Return the tasks of all runs from Airflow's API."""
        return list(self._pages(TASKS, "task_instances", **self._run_filters()))

    def progress(self) -> str:
        """Return a line about the progress of tasks, from responses that are small for any number of tasks."""
        filters = self._run_filters()
        total, done, failed = (
            self._stack.rest("POST", TASKS, {**filters, **states, "page_limit": 1})["total_entries"]
            for states in ({}, {"state": ["success"]}, {"state": ["failed"]})
        )
        now = self._pages(TASKS, "task_instances", **filters, state=["running", "deferred", "up_for_retry"])
        return summary(total, done, failed, [(task["task_id"], task["state"]) for task in now])

    def _run_filters(self) -> dict[str, list[str]]:
        """The query parameters of these runs: a run's id is the same in each DAG with the interval."""
        return {"dag_ids": list(self._ids), "dag_run_ids": sorted({id_ for ids in self._ids.values() for id_ in ids})}

    def _pages(self, path: str, key: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield the entries of a list of Airflow's API, page by page."""
        offset = 0
        while True:
            page = self._stack.rest("POST", path, {**filters, "page_limit": MOST_PER_PAGE, "page_offset": offset})
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return

    def _follow(self) -> dict[str, dict[str, str]]:
        """Wait until all runs have ended, and report progress; return their states."""
        reported_at, last = 0.0, ""
        while True:
            states = self.states()
            ended = {
                (dag_id, run_id) for dag_id, runs in states.items() for run_id, state in runs.items() if state in FINAL
            }
            for dag_id, run_id in sorted(ended - self._reported):
                self._news.say(f"{dag_id} {run_id}: {states[dag_id][run_id]}")
            self._reported = ended
            loading = [state for dag_id in LOADING_DAGS for state in states.get(dag_id, {}).values()]
            # Derived tables of a failed run would be retried for minutes without success.
            in_vain = "failed" in loading and all(state in FINAL for state in loading)
            if in_vain or len(ended) == sum(map(len, states.values())):
                return states
            if time.monotonic() - reported_at >= NEWS_SECONDS:
                reported_at, news = time.monotonic(), self.progress()
                if news != last:
                    self._news.say(news)
                last = news
            time.sleep(POLL_SECONDS)


def summary(total: int, done: int, failed: int, now: Iterable[tuple[str, str]]) -> str:
    """Return a line about the tasks of runs: how many, and the ids and states of those that run or will be retried."""
    now = list(now)
    busy = Counter(task_id for task_id, state in now if state != "up_for_retry")
    retrying = sorted({task_id for task_id, state in now if state == "up_for_retry"})
    text = f"{done} of {total} tasks done"
    if busy:
        text += "; running: " + ", ".join(f"{count} {name}" if count > 1 else name for name, count in busy.items())
    if retrying:
        text += f"; up for retry: {', '.join(retrying)}"
    if failed:
        text += f"; failed: {failed}"
    return text


def _print_report(*parts: Sequence[Report]) -> None:
    for part in parts:
        rows = as_rows(part)
        for row in rows:
            row |= {name: "-" for name in ("gaps", "not_loaded", "duplicates") if row.get(name, 0) is None}
        if rows:
            print()
            print_table(rows)
    print()


def requested_ledgers(job: Job) -> LedgerRange | None:
    """Return the ledgers that closed within a job's times, from the exporter; None if it fails."""
    program = [sys.executable, "-m", "stellar_etl", "get_ledger_range_from_times", "--output", ""]
    times = ["--start-time", format_time(job.plan.start), "--end-time", format_time(job.plan.end)]
    done = subprocess.run(
        [*program, *times, "--datastore-path", job.lake], capture_output=True, text=True, check=False, cwd=REPO
    )
    if done.returncode:
        print(f"cannot determine the requested ledgers from the lake: {done.stderr.strip()}")
        return None
    return LedgerRange.from_half_open(json.loads(done.stdout))


def fetch(remote: Lake, job: Job, news: News) -> None:
    """Copy the ledgers that a job needs from a remote lake; print the size first, and then a line for each tenth.

    Raises:
        StackError: they can't be downloaded.
    """
    needed = plan_download(remote, Path(job.lake), job.plan.start, job.plan.end)
    news.say(str(needed))
    tenth = 0

    def show(done: int, total: int, downloaded: int) -> None:
        nonlocal tenth
        if done * 10 // total > tenth:
            tenth = done * 10 // total
            news.say(f"{bar(done, total)} {done} of {total} objects, {megabytes(downloaded)} MB")

    download(needed, show)


def run(stack: Stack, job: Job, news: News, on_up: Callable[[], None]) -> dict[str, Any]:
    """Run the job; return the report for JSON.

    Args:
        stack: the stack.
        job: the job.
        news: shows the progress.
        on_up: called once the stack is up.

    Raises:
        StackError: it failed.
    """
    plan = job.plan
    news.say(
        f"{len(plan.intervals)} runs per DAG, {format_time(plan.start)} to {format_time(plan.end)}, from {job.address}"
    )
    started = stack.up(
        lake=job.lake,
        dataset=job.dataset,
        schedule=plan.schedule,
        start_date=format_time(plan.start),
        end_date=format_time(plan.end),
        **job.options,
    )
    on_up()
    news.say(f"the stack is up{'' if started else ' already'}; Airflow's UI is at {stack.ui}")
    runs = Runs(stack, plan, job.dags, news)
    runs.wait_for_dags()
    states = runs.do()
    tasks = runs.task_instances()
    requested = requested_ledgers(job)
    if requested:
        news.say(f"requested: ledgers {requested.start} to {requested.end}")
    tables = table_reports(stack.query, plan.start, plan.end, requested, tasks)
    states_now, stages = state_reports(stack.query, tasks), stage_reports(tasks)
    watermarks = watermark_reports(stack.query, tasks)
    _print_report(tables, states_now, watermarks, stages)
    failed = [task for task in tasks if task["state"] == "failed"]
    for task in failed:
        log = f"airflow/logs/dag_id={task['dag_id']}/run_id={task['dag_run_id']}/task_id={task['task_id']}"
        print(f"failed: {task['dag_id']} {task['dag_run_id']} {task['task_id']}: see {stack.layout.root / log}")
    all_ended_well = all(state == "success" for states_of in states.values() for state in states_of.values())
    return {
        "ok": all_ended_well and requested is not None and all(table.good for table in tables),
        "ui": stack.ui,
        "from": format_time(plan.start),
        "to": format_time(plan.end),
        "asked": requested and asdict(requested),
        "lake": job.address,
        "seconds": round(news.seconds, 1),
        "runs": states,
        "tables": as_rows(tables),
        "states": as_rows(states_now),
        "watermarks": as_rows(watermarks),
        "stages": as_rows(stages),
    }


@contextmanager
def only_job(layout: StackLayout) -> Iterator[None]:
    """Reserve the folder of a stack for one main job.

    Raises:
        StackError: another one uses it; the message names its process id.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    with layout.job.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(
                f"process {lock.read().strip()} is another ./run_local.sh in {layout.root}: wait for its end, "
                "stop it with Ctrl-C, or give this one another --dir"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _do(stack: Stack, job: Job, arguments: argparse.Namespace) -> int:
    """Run the job and stop everything that it started; return the exit status."""
    was_up, is_up = stack.supervisor() is not None, False

    def note_up() -> None:
        nonlocal is_up
        is_up = True

    try:
        if arguments.fresh:
            stack.down_for_sure()
            for folder in stack.layout.data:
                shutil.rmtree(folder, ignore_errors=True)
        if not arguments.lake:
            ensure_sample_lake(Path(job.lake))
        news = News()
        if job.remote:
            fetch(job.remote, job, news)
        report = run(stack, job, news, note_up)
        if arguments.json:
            write_private(arguments.json, json.dumps(report, indent=2))
    except KeyboardInterrupt:
        runs = stack.supervisor() is not None
        print(interruption(keep=arguments.keep, was_up=was_up, is_up=is_up, runs=runs), file=sys.stderr)
        return INTERRUPTED
    finally:
        if stops_stack(keep=arguments.keep, was_up=was_up, is_up=is_up):
            stack.down_for_sure()
    up = "python -m local up" + ("" if not arguments.lake else f" --lake {shlex.quote(arguments.lake)}")
    stays = not stops_stack(keep=arguments.keep, was_up=was_up, is_up=is_up)
    place = f"Airflow's UI is at {stack.ui}" if stays else f"{up} shows Airflow's UI at {stack.ui}"
    verdict = "all is well" if report["ok"] else with_disk("NOT well", stack.layout.root)
    print(f"{verdict}, after {report['seconds']:.0f} s; {place}")
    return 0 if report["ok"] else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; exit with status 1 if anything failed, 130 if it was interrupted."""
    arguments = _parser().parse_args(argv)
    stack = Stack(arguments.dir)
    try:
        job = job_of(arguments)
        with only_job(stack.layout):
            return _do(stack, job, arguments)
    except (PlanError, StackError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in FULL:
            raise
        print(f"run_local.sh: {with_disk(error, stack.layout.root)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    interrupt_on_signals()
    sys.exit(main())
