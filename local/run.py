"""The main job on a laptop: `./run_local.sh`, or `python -m local.run`.

Starts the stack, has the scheduler run the data DAGs over consecutive intervals of a lake, shows progress, and reports
what the tables hold. Status 0 only if every run succeeded and every table is whole.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.plan import Interval, Plan, PlanError, make_plan, parse_time, spelt
from local.report import Report, as_rows, stage_reports, state_reports, table_reports
from local.sample import END, START, ensure_sample_lake
from local.show import print_table
from local.stack import Stack, StackError
from local.stack.environment import MOST_PER_PAGE
from local.stack.layout import DATASET, REPO, dataset_of, write_private
from stellar_etl_airflow.model.tables import ENRICHED_OPERATIONS, LOADING_DAGS

DERIVING_DAGS = (ENRICHED_OPERATIONS.dag_id,)
DAGS = (*LOADING_DAGS, *DERIVING_DAGS)
FINAL = ("success", "failed")
PARALLEL_RUNS = 3
POLL_SECONDS = 2.0
NEWS_SECONDS = 10.0
PARSE_SECONDS = 300
RUNS, TASKS = "dags/~/dagRuns/list", "dags/~/dagRuns/~/taskInstances/list"
"""Lists of Airflow's REST API, over DAGs."""


@dataclass(frozen=True)
class Job:
    """What a user asked for; `options` are further ones of the stack's."""

    plan: Plan
    lake: str
    dataset: str
    dags: tuple[str, ...]
    options: Mapping[str, Any]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run_local.sh",
        description="Copies a lake of ledgers into tables: Airflow, BigQuery, Cloud Storage and Kubernetes on this "
        "machine, no account needed. Without --lake it generates a sample network first.",
    )
    parser.add_argument("--lake", metavar="PATH", help="a lake of ledgers: a folder (default: a generated sample)")
    parser.add_argument("--from", dest="start", metavar="T", help="load ledgers that closed from T on")
    parser.add_argument("--to", dest="end", metavar="T", help="load ledgers that closed before T")
    parser.add_argument("--interval", type=int, default=10, metavar="MINUTES", help="of one run (default: 10)")
    parser.add_argument(
        "--dags", default=",".join(DAGS), metavar="DAG,…", help=f"run these alone (default: {', '.join(DAGS)})"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report to FILE too")
    parser.add_argument("--keep", action="store_true", help="leave the stack up, with Airflow's UI")
    parser.add_argument("--fresh", action="store_true", help="begin with an empty stack: deletes its tables and runs")
    parser.add_argument(
        "--lineage", action=argparse.BooleanOptionalAction, help="have tasks tell what they read and wrote: see README"
    )
    parser.add_argument(
        "--dir", type=Path, default=REPO / ".local", metavar="DIR", help="the stack's folder (default: .local)"
    )
    return parser


def job_of(arguments: argparse.Namespace) -> Job:
    """What the arguments ask for.

    Raises:
        PlanError: they don't fit together.
    """
    if arguments.lake and not (arguments.start and arguments.end):
        raise PlanError("--lake needs --from and --to: the close times to load")
    start = parse_time("--from", arguments.start) if arguments.start else START
    end = parse_time("--to", arguments.end) if arguments.end else END
    plan = make_plan(start, end, arguments.interval)
    dags = tuple(dag_id for dag_id in DAGS if dag_id in arguments.dags.split(","))
    if unknown := sorted(set(arguments.dags.split(",")) - set(DAGS)):
        raise PlanError(f"--dags {', '.join(unknown)}: choose from {', '.join(DAGS)}")
    options = {} if arguments.lineage is None else {"lineage": arguments.lineage}
    if not arguments.lake:
        return Job(plan, str((arguments.dir / "lake").resolve()), DATASET, dags, options)
    lake = arguments.lake
    if "://" not in lake:
        lake = str(Path(lake).resolve())
        if not Path(lake).is_dir():
            raise PlanError(f"--lake {arguments.lake}: there is no such folder")
    return Job(plan, lake, dataset_of(lake), dags, options)


class News:
    """Lines of progress, each with the time since the job began."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """The time since the job began."""
        return time.monotonic() - self._begun

    def say(self, text: str) -> None:
        """Prints a line."""
        minutes, seconds = divmod(int(self.seconds), 60)
        print(f"{minutes:02d}:{seconds:02d}  {text}", flush=True)


class Runs:
    """The job's DAG runs."""

    def __init__(self, stack: Stack, plan: Plan, dags: Sequence[str], news: News) -> None:
        self._stack, self._plan, self._dags, self._news = stack, plan, dags, news
        self._ids: dict[str, list[str]] = {}
        self._since = datetime.now(UTC)
        self._told: set[tuple[str, str]] = set()

    def wait_for_dags(self) -> None:
        """Waits until Airflow has read the DAG files.

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
        """Unpauses the DAGs, asks for a run for each interval, and waits for them; gives their states.

        By schedule, DAGs that derive tables wait for the others themselves; with ranges of their own they don't.
        """
        loading = [dag_id for dag_id in self._dags if dag_id in LOADING_DAGS]
        deriving = [dag_id for dag_id in self._dags if dag_id in DERIVING_DAGS]
        for dag_ids in [self._dags] if self._plan.by_schedule else [loading, deriving]:
            for dag_id in dag_ids:
                self._stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})
                self._ids[dag_id] = self._backfill(dag_id) if self._plan.by_schedule else self._by_params(dag_id)
            states = self._follow()
            if any(state == "failed" for runs in states.values() for state in runs.values()):
                break
        return states

    def _backfill(self, dag_id: str) -> list[str]:
        self._end_backfills(dag_id)
        intervals = self._plan.intervals
        made = self._stack.rest(
            "POST",
            "backfills",
            {
                "dag_id": dag_id,
                "from_date": spelt(intervals[0].start),
                "to_date": spelt(intervals[-1].start),
                "max_active_runs": PARALLEL_RUNS,
                "reprocess_behavior": "completed",
            },
        )
        deadline = time.monotonic() + PARSE_SECONDS
        while True:
            found = self._stack.rest(
                "GET",
                f"dags/{dag_id}/dagRuns?limit=1000&logical_date_gte={spelt(intervals[0].start)}"
                f"&logical_date_lte={spelt(intervals[-1].start)}",
            )["dag_runs"]
            if len(found) >= len(intervals):
                return sorted(run["dag_run_id"] for run in found)
            if time.monotonic() > deadline:
                raise StackError(
                    f"backfill {made['id']} of {dag_id} made {len(found)} runs, not {len(intervals)}: "
                    "python -m local airflow -- backfill --help"
                )
            time.sleep(0.5)

    def _end_backfills(self, dag_id: str) -> None:
        """Ends what an earlier job asked for: Airflow has one backfill a DAG at a time, and notes its end 30 s late."""
        for backfill in self._stack.rest("GET", f"backfills?dag_id={dag_id}&order_by=-id")["backfills"]:
            if backfill["completed_at"] is None:
                with suppress(StackError):  # it was noted in between
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
                "conf": {"start_time": spelt(interval.start), "end_time": spelt(interval.end)},
            },
        )
        return str(run["dag_run_id"])

    def states(self) -> dict[str, dict[str, str]]:
        """The state of each run, by DAG and run id."""
        states: dict[str, dict[str, str]] = {dag_id: {} for dag_id in self._ids}
        for run in self._pages(RUNS, "dag_runs", dag_ids=list(self._ids), order_by="-run_after"):
            dag_id, run_id = run["dag_id"], run["dag_run_id"]
            if run_id in self._ids[dag_id]:
                states[dag_id][run_id] = run["state"]
        return states

    def task_instances(self) -> list[dict[str, Any]]:
        """The tasks of all runs, as Airflow gives them."""
        return list(self._pages(TASKS, "task_instances", **self._asked()))

    def progress(self) -> str:
        """Say in a line how far the tasks are, from answers that stay small however many tasks there are."""
        asked = self._asked()
        total, done, failed = (
            self._stack.rest("POST", TASKS, {**asked, **states, "page_limit": 1})["total_entries"]
            for states in ({}, {"state": ["success"]}, {"state": ["failed"]})
        )
        now = self._pages(TASKS, "task_instances", **asked, state=["running", "deferred", "up_for_retry"])
        return summary(total, done, failed, [(task["task_id"], task["state"]) for task in now])

    def _asked(self) -> dict[str, list[str]]:
        """These runs, in the terms of Airflow's lists: a run's id is the same in each DAG that has the interval."""
        return {"dag_ids": list(self._ids), "dag_run_ids": sorted({id_ for ids in self._ids.values() for id_ in ids})}

    def _pages(self, path: str, key: str, **asked: Any) -> Iterator[dict[str, Any]]:
        """Yield what a list of Airflow's API holds, page by page."""
        offset = 0
        while True:
            page = self._stack.rest("POST", path, {**asked, "page_limit": MOST_PER_PAGE, "page_offset": offset})
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return

    def _follow(self) -> dict[str, dict[str, str]]:
        """Waits until all runs have ended, with news of them; gives their states."""
        said, last = 0.0, ""
        while True:
            states = self.states()
            ended = {
                (dag_id, run_id) for dag_id, runs in states.items() for run_id, state in runs.items() if state in FINAL
            }
            for dag_id, run_id in sorted(ended - self._told):
                self._news.say(f"{dag_id} {run_id}: {states[dag_id][run_id]}")
            self._told = ended
            loading = [state for dag_id in LOADING_DAGS for state in states.get(dag_id, {}).values()]
            # What derives from a failed run would be tried for minutes, in vain.
            in_vain = "failed" in loading and all(state in FINAL for state in loading)
            if in_vain or len(ended) == sum(map(len, states.values())):
                return states
            if time.monotonic() - said >= NEWS_SECONDS:
                said, news = time.monotonic(), self.progress()
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
        text += f"; to be tried again: {', '.join(retrying)}"
    if failed:
        text += f"; failed: {failed}"
    return text


def _print_report(*parts: Sequence[Report]) -> None:
    for part in parts:
        rows = as_rows(part)
        for row in rows:
            row |= {name: "-" for name in ("gaps", "duplicates") if row.get(name, 0) is None}
        if rows:
            print()
            print_table(rows)
    print()


def run(stack: Stack, job: Job) -> dict[str, Any]:
    """Does the job; gives the report as JSON holds it.

    Raises:
        StackError: it can't be done.
    """
    news, plan = News(), job.plan
    news.say(f"{len(plan.intervals)} runs a DAG, {spelt(plan.start)} to {spelt(plan.end)}, from {job.lake}")
    started = stack.up(
        lake=job.lake,
        dataset=job.dataset,
        schedule=plan.schedule,
        start_date=spelt(plan.start),
        end_date=spelt(plan.end),
        **job.options,
    )
    news.say(f"the stack is up{'' if started else ' already'}; Airflow's UI is at {stack.ui}")
    runs = Runs(stack, plan, job.dags, news)
    runs.wait_for_dags()
    states = runs.do()
    tasks = runs.task_instances()
    tables = table_reports(stack.query, plan.start, plan.end, tasks)
    states_now, stages = state_reports(stack.query, tasks), stage_reports(tasks)
    _print_report(tables, states_now, stages)
    failed = [task for task in tasks if task["state"] == "failed"]
    for task in failed:
        log = f"airflow/logs/dag_id={task['dag_id']}/run_id={task['dag_run_id']}/task_id={task['task_id']}"
        print(f"failed: {task['dag_id']} {task['dag_run_id']} {task['task_id']}: see {stack.layout.root / log}")
    all_ended_well = all(state == "success" for states_of in states.values() for state in states_of.values())
    return {
        "ok": all_ended_well and all(table.good for table in tables),
        "ui": stack.ui,
        "from": spelt(plan.start),
        "to": spelt(plan.end),
        "lake": job.lake,
        "seconds": round(news.seconds, 1),
        "runs": states,
        "tables": as_rows(tables),
        "states": as_rows(states_now),
        "stages": as_rows(stages),
    }


def _interrupted(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Does the job; status 1 if anything failed, 130 if it was interrupted."""
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _interrupted)
    stack = Stack(arguments.dir)
    up = True
    try:
        job = job_of(arguments)
        if arguments.fresh:
            stack.down()
            for folder in stack.layout.data:
                shutil.rmtree(folder, ignore_errors=True)
        if not arguments.lake:
            ensure_sample_lake(Path(job.lake))
        report = run(stack, job)
        if arguments.json:
            write_private(arguments.json, json.dumps(report, indent=2))
        up = arguments.keep
    except (PlanError, StackError) as error:
        print(f"run_local.sh: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: stopping the stack", file=sys.stderr)
        return 130
    finally:
        if not arguments.keep:
            stack.down()
    place = f"Airflow's UI is at {stack.ui}" if up else f"python -m local up shows Airflow's UI at {stack.ui}"
    print(f"{'all is well' if report['ok'] else 'NOT well'}, after {report['seconds']:.0f} s; {place}")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
