"""The table of faults: each fault, its moment, and whether a user must fix it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.faults import breaks as b
from tests.faults.proxy import (
    after,
    answers,
    changes,
    cuts_reply,
    cuts_request,
    instead,
    loses_reply,
    loses_request,
    respond,
    slows,
)
from tests.faults.stage import (
    ALL,
    BACKFILL,
    BY_CHUNKS,
    BY_LEDGERS,
    BY_TIMES,
    DEFERRED,
    LEDGERS,
    LEDGERS_AND_ASSETS,
    Batch,
)
from tests.faults.traps import Break, Trap, at, running, wire


@dataclass(frozen=True)
class Fault:
    """One row.

    Attributes:
        name: the fault.
        where: its moment.
        traps: they wait for the moment and cause the fault; several traps take turns.
        clear: the task that an operator clears with its downstream tasks, None if the batch must recover by itself.
        meanwhile: an action before the operator clears the task.
        mistaken: the task that the operator first clears alone: it must fail, change nothing, and name `clear`.
        check: a further condition after the recovery.
        dag: the DAG that runs.
        asks: its params.
        quick: whether the row belongs to the selection without `--faults all`.
    """

    name: str
    where: str
    traps: Sequence[Trap]
    clear: str | None = None
    meanwhile: Callable[[Batch], None] | None = None
    mistaken: str | None = None
    check: Callable[[Batch], None] | None = None
    dag: str = LEDGERS
    asks: Mapping[str, Any] = field(default_factory=lambda: BY_LEDGERS)
    quick: bool = False

    @property
    def id(self) -> str:
        return f"{self.name}: {self.where}"


# Requests ------------------------------------------------------------------------------------------------------------

MAKE_POD = r"^POST .*/pods\b"
READ_POD = r"^GET .*/pods/[^/?]+ *\n"
LOG = r"^GET .*/log\?"
EXEC = r"^GET .*/exec\?.*return\.json"
DELETE_POD = r"^DELETE .*/pods/"
UPLOAD = r"^POST /upload/"
UPLOAD_LEDGERS = r"^POST /upload/.*-ledgers\.txt"
UPLOAD_MANIFEST = r"^POST /upload/.*-manifest\.json"
LIST = r"^GET /storage/v1/b/[^/]+/o\?"
READ_MANIFEST = r"^GET /download/.*-manifest\.json"
DELETE_TABLE = r"^DELETE .*/tables/"


def insert(task: str) -> str:
    """Return a pattern for the request that starts a task's job."""
    return rf"^POST .*/jobs\?.*\"jobId\": \"[^\"]*_ledgers_{task}_"


def results(task: str) -> str:
    """Return a pattern for the request that waits for a task's job and reads its rows."""
    return rf"^GET .*/queries/[^?]*_ledgers_{task}_"


making_pod = partial(wire, "cluster", MAKE_POD)
exporting = partial(at, "bucket", UPLOAD_LEDGERS)
ending_export = partial(at, "bucket", UPLOAD_MANIFEST)
verifying = partial(at, "bucket", LIST)
loading = partial(at, "warehouse", insert("load"))
checking = partial(at, "warehouse", insert("check"))
merging = partial(at, "warehouse", insert("merge"))


# Further conditions --------------------------------------------------------------------------------------------------


def no_try_pretends(task_id: str) -> Callable[[Batch], None]:
    """Check that only the last try of a task reports success."""

    def check(batch: Batch) -> None:
        states = [each["state"] for each in batch.tries(task_id)]
        assert len(states) > 1, f"{task_id} had one try"
        assert "success" not in states[:-1], f"a killed try of {task_id} reports success: {states}"

    return check


def pods_made(batch: Batch) -> int:
    return sum("POST " in line and "/pods" in line for line in batch.stage.proxies["cluster"].seen)


def one_pod_in_all(batch: Batch) -> None:
    assert pods_made(batch) == 1, f"{pods_made(batch)} pods were created"


def merge_jobs(batch: Batch) -> list[Any]:
    """Return the merge jobs of a batch, oldest first."""
    listed = batch.stage.stack.bigquery("GET", "jobs?maxResults=1000&projection=full")["jobs"]
    return [job for job in listed[::-1] if f"_{batch.run_id}_ledgers_merge_" in job["jobReference"]["jobId"]]


def first_merge_succeeded(batch: Batch) -> None:
    """Check that the first merge succeeded. The next try did not know that, and replaced its rows."""
    errors = [job["status"].get("errorResult") for job in merge_jobs(batch)]
    assert errors == [None, None], f"the merges of the batch ended with {errors}"


def first_merge_was_cancelled(batch: Batch) -> None:
    """Check that the first merge was cancelled and had ended before the next one began."""
    first, *others = merge_jobs(batch)
    assert first["status"]["errorResult"]["reason"] == "stopped"
    ended = int(first["statistics"]["endTime"])
    assert others and all(int(other["statistics"]["creationTime"]) >= ended for other in others)


def loads_again(asks: Mapping[str, Any], batch: Batch) -> None:
    again = Batch(batch.stage, batch.dag_id, dict(asks)).begin()
    assert again.wait() == "success"


loads_all_again = partial(loads_again, ALL)


def versions_differ(batch: Batch) -> None:
    tasks = batch.get("/taskInstances?limit=100")["task_instances"]
    versions = {task["task_id"]: task["dag_version"]["version_number"] for task in tasks}
    assert versions["get_ledger_range_from_times"] < max(versions.values()), versions


# Rows of the table ---------------------------------------------------------------------------------------------------

POD_TASKS = ("get_ledger_range_from_times", "export")

MOMENTS: dict[str, Callable[[Break], tuple[Trap, Trap]]] = {
    "get_ledger_range_from_times": lambda kill: (at("cluster", LOG, kill), at("cluster", DELETE_POD, kill, after)),
    "export": lambda kill: (exporting(kill), at("cluster", DELETE_POD, kill, after)),
    "verify_export": lambda kill: (verifying(kill), at("bucket", READ_MANIFEST, kill, after)),
    "ledgers.load": lambda kill: (loading(kill, instead), loading(kill, after)),
    **{
        f"ledgers.{task}": lambda kill, task=task: (  # type: ignore[misc]
            at("warehouse", insert(task), kill, after),
            at("warehouse", results(task), kill, after),
        )
        for task in ("check", "merge")
    },
    "batch_stats": lambda kill: (
        at("warehouse", r"^POST .*/jobs\?.*\"jobId\": \"[^\"]*_batch_stats_stats_", kill, after),
        at("warehouse", r"^GET .*/queries/[^?]*_batch_stats_stats_", kill, after),
    ),
    "delete_staging": lambda kill: (
        at("warehouse", DELETE_TABLE, kill, instead),
        at("warehouse", DELETE_TABLE, kill, after),
    ),
}
"""The moments in the middle and at the end of each task."""


def killed(name: str, task_id: str, kill: Break) -> Fault:
    """Kill the first try of a task at its start, the second in its middle, the third at its end."""
    return Fault(
        f"{name} of the task's process",
        f"`{task_id}`: start, middle, end",
        [running(task_id, kill), *MOMENTS[task_id](kill)],
        check=no_try_pretends(task_id),
        asks=BY_TIMES if task_id == "get_ledger_range_from_times" else BY_LEDGERS,
    )


# A pod's task cleans up on SIGTERM. Other tasks finish their work unless they are killed.
KILLED_TASKS = [
    *(killed("kill -9", task_id, b.kills(task_id)) for task_id in MOMENTS),
    *(killed("SIGTERM", task_id, b.kills(task_id, signal.SIGTERM)) for task_id in POD_TASKS),
    *(
        killed("SIGTERM, then kill -9,", task_id, b.kills(task_id, signal.SIGTERM, signal.SIGKILL))
        for task_id in MOMENTS
        if task_id not in POD_TASKS
    ),
    Fault(
        "SIGTERM of the task's process",
        "`export`, which sees its pod end: https://github.com/apache/airflow/issues/73006",
        [exporting(b.all_of(b.keeps_ended_pod, b.kills("export", signal.SIGTERM)))],
        check=no_try_pretends("export"),
    ),
]

KILLED_SERVICES = [
    Fault(
        "kill -9 of the task's process",
        "while the export's pod runs: the next try finds the pod",
        [exporting(b.kills("export"))],
        check=one_pod_in_all,
    ),
    Fault("kill -9 of the scheduler", "while a merge runs", [merging(b.kills_service("scheduler"))], quick=True),
    Fault("kill -9 of the API server", "while the export's pod runs", [exporting(b.kills_service("api-server"))]),
    Fault(
        "the API server does not answer for a minute",
        "while the export's pod runs",
        [exporting(b.pauses_service("api-server", 60))],
    ),
    Fault("kill -9 of the DAG processor", "while the export's pod runs", [exporting(b.kills_service("dag-processor"))]),
    Fault("kill -9 of Airflow's database", "while a merge runs", [merging(b.kills_service("database"))]),
    Fault(
        "kill -9 of the triggerer",
        "while it waits for the export's pod",
        [at("cluster", MAKE_POD, b.kills_service("triggerer"), after)],
        dag=DEFERRED,
    ),
    Fault("kill -9 of the local cluster", "while the export's pod runs", [exporting(b.kills_service("cluster"))]),
    Fault("kill -9 of BigQuery's emulator", "before it gets the merge", [merging(b.kills_service("warehouse"))]),
    Fault(
        "kill -9 of BigQuery's emulator",
        "after the merge, before its reply",
        [merging(b.kills_service("warehouse"), after)],
    ),
    Fault("kill -9 of the bucket's emulator", "before an upload", [exporting(b.kills_service("bucket"))]),
    Fault(
        "kill -9 of the bucket's emulator",
        "after an upload, before its reply",
        [exporting(b.kills_service("bucket"), after)],
    ),
    Fault(
        "a worker is lost", "while the export's pod runs", [exporting(b.loses_worker("export"))], check=one_pod_in_all
    ),
    Fault(
        "a worker is drained",
        "while the export's pod runs",
        [exporting(b.drains_worker("export"))],
        check=no_try_pretends("export"),
    ),
]

PODS = [
    Fault("the pod is evicted", "while it runs", [exporting(b.does_to_pod("evict"))]),
    Fault("the pod is out of memory", "while it runs", [exporting(b.does_to_pod("out-of-memory"))]),
    Fault("the pod vanishes", "while it runs", [exporting(b.does_to_pod("vanish"))]),
    Fault("the pod's image is missing", "export", [making_pod(changes(b.with_container(b.without_image)))]),
    Fault(
        "the pod is stuck pending",
        "export; then what it waits for comes",
        [making_pod(changes(b.with_container(b.with_missing_secret))), at("cluster", READ_POD, b.makes_secret)],
    ),
    Fault(
        "the pod ends well without a manifest",
        "export",
        [ending_export(b.deletes_object("-manifest.json"), after)],
        clear="export",
    ),
    Fault(
        "the pod's manifest doesn't match",
        "export",
        [
            ending_export(
                b.rewrites_object(
                    "-manifest.json",
                    lambda text: text.replace(b'"rows": ', b'"rows": 1').replace(b'"bytes": ', b'"bytes": 1'),
                ),
                after,
            )
        ],
        clear="export",
    ),
    Fault("the pod is killed after half its files", "export", [exporting(b.kills_program, after)]),
    Fault("two pods for one task", "export's retry", [exporting(b.all_of(b.doubles_pod, b.kills("export")))]),
    Fault(
        "the exec that reads the result is dropped", "time pod", [wire("cluster", EXEC, loses_request)], asks=BY_TIMES
    ),
    Fault("the log stream is cut", "export", [wire("cluster", LOG, cuts_reply)]),
    Fault("the reply to a create is lost", "export", [making_pod(loses_reply)]),
    Fault("Kubernetes answers 401", "to a create", [making_pod(answers(401))]),
    Fault("Kubernetes answers 401", "while the pod runs", [wire("cluster", READ_POD, answers(401), nth=3, times=2)]),
    Fault("Kubernetes answers 409", "to a create", [making_pod(answers(409))]),
    Fault("Kubernetes answers 429", "to a create, twice", [making_pod(answers(429), times=2)]),
    Fault(
        "Kubernetes answers 500",
        "while the pod runs, three times",
        [wire("cluster", READ_POD, answers(500), nth=3, times=3)],
    ),
    Fault("Kubernetes is slow", "export, 3 s each request", [wire("cluster", r"", slows(3), times=8)]),
]

BUCKET = [
    Fault("an upload is cut", "export", [wire("bucket", UPLOAD_LEDGERS, cuts_request)]),
    Fault("the bucket answers 503", "to uploads, twice", [wire("bucket", UPLOAD, answers(503), times=2)]),
    Fault("an object is missing", "before verify", [verifying(b.deletes_object("-ledgers.txt"))], clear="export"),
    Fault(
        "an object is truncated",
        "before verify",
        [verifying(b.rewrites_object("-ledgers.txt", b.first_half))],
        clear="export",
    ),
    Fault(
        "an object is replaced by one of fewer rows",
        "between verify and load",
        [loading(b.rewrites_object("-ledgers.txt", b.without_last_row))],
        clear="export",
    ),
    Fault(
        "an object is replaced by one of other values",
        "between verify and load",
        [loading(b.rewrites_object("-ledgers.txt", lambda text: text.replace(b'"base_fee":100', b'"base_fee":101')))],
        clear="export",
    ),
    Fault("the listing is late", "verify", [wire("bucket", LIST, respond({"kind": "storage#objects"}))]),
]

WAREHOUSE = [
    Fault("a job fails", "merge", [wire("warehouse", insert("merge"), changes(b.failing))]),
    Fault("a job runs, and its reply is lost", "merge", [wire("warehouse", insert("merge"), loses_reply)], quick=True),
    Fault("a job runs, and its reply is lost", "load", [wire("warehouse", insert("load"), loses_reply)]),
    Fault("BigQuery answers 403", "to the load's job", [wire("warehouse", insert("load"), answers(403))]),
    Fault("BigQuery answers 429", "to the merge's job", [wire("warehouse", insert("merge"), answers(429))]),
    Fault("BigQuery answers 500", "to the merge's job", [wire("warehouse", insert("merge"), answers(500))]),
    Fault(
        "BigQuery answers 503",
        "to the check's job, three times",
        [wire("warehouse", insert("check"), answers(503), times=3)],
    ),
    Fault(
        "a user deletes the staging table",
        "before the check",
        [checking(b.deletes_staging_table)],
        clear="ledgers.load",
    ),
    Fault(
        "a user deletes the staging table",
        "before the merge",
        [merging(b.deletes_staging_table)],
        clear="ledgers.load",
    ),
    Fault(
        "the staging table has expired",
        "the merge is cleared alone",
        [merging(b.deletes_staging_table)],
        mistaken="ledgers.merge",
        clear="ledgers.load",
    ),
    Fault(
        "the ledgers were loaded again",
        "after the merge had failed, and before it is cleared",
        [wire("warehouse", insert("merge"), changes(b.failing), times=4)],
        meanwhile=partial(loads_again, BY_LEDGERS),
        mistaken="ledgers.merge",
        clear="export",
    ),
    Fault(
        "a user deletes the published table",
        "before the merge; another run brings the ledgers that were in it",
        [merging(b.deletes_published_table)],
        clear="ledgers.load",
        check=loads_all_again,
    ),
    Fault(
        "a user changes the staging table's schema",
        "before the merge",
        [merging(b.replaces_staging_table)],
        clear="ledgers.load",
    ),
    Fault("a user adds a column", "before the merge", [merging(b.adds_column)]),
]

GIVEN_UP = [
    Fault(
        "a job succeeds after its client gave up",
        "merge: the worker is lost while it runs",
        [
            merging(b.keeps_warehouse_busy),
            at("warehouse", results("merge"), b.all_of(b.loses_worker("ledgers.merge"), b.frees_warehouse)),
        ],
        check=first_merge_succeeded,
    ),
    Fault(
        "a deferral times out",
        "while its merge runs: the merge is cancelled, and has ended before the next try",
        [
            at("cluster", MAKE_POD, b.shortens_merges(20)),
            merging(b.keeps_warehouse_busy),
            at("warehouse", r"^POST .*/jobs/[^/]*_ledgers_merge_[^/]*/cancel", b.frees_warehouse, after),
        ],
        dag=DEFERRED,
        check=first_merge_was_cancelled,
    ),
]

DEFERRED_PODS = [
    Fault(
        f"{name} of the task's process",
        where,
        [trap],
        dag=DEFERRED,
        asks=BY_TIMES,
        check=no_try_pretends("get_ledger_range_from_times"),
    )
    for name, where, trap in (
        (
            "kill -9",
            "deferred time pod, before it is waited for: the next try finds it ended, and its result",
            at("cluster", MAKE_POD, b.kills("get_ledger_range_from_times"), after),
        ),
        ("kill -9", "deferred time pod, which has ended", at("cluster", LOG, b.kills("get_ledger_range_from_times"))),
        (
            "SIGTERM",
            "deferred time pod, while its result is read",
            at("cluster", EXEC, b.kills("get_ledger_range_from_times", signal.SIGTERM)),
        ),
    )
]

RUNS = [
    Fault(
        "two runs over overlapping ranges at once",
        "all tasks",
        [running("export", lambda batch: batch.beside({"start_ledger": 23, "end_ledger": 42}))],
        dag=LEDGERS_AND_ASSETS,
    ),
    Fault(
        "the same run twice at once",
        "all tasks",
        [running("export", lambda batch: batch.beside(BY_LEDGERS))],
        dag=LEDGERS_AND_ASSETS,
    ),
]

CHANGES = [
    Fault(
        "kill -9 of the scheduler",
        "in the middle of a mapped backfill",
        [merging(b.kills_service("scheduler"))],
        dag=BACKFILL,
        asks=BY_CHUNKS,
    ),
    Fault(
        "the DAG's version changes",
        "between two tasks of the run",
        [running("export", b.changes_dag)],
        check=versions_differ,
    ),
    Fault(
        "a user edits the Variable `gcs_exported_object_prefix`",
        "while the export's pod runs",
        [exporting(b.sets_variable("gcs_exported_object_prefix", "elsewhere"))],
    ),
    Fault(
        "a user edits the Variable `export_mode`",
        "while the export's pod runs, which is then killed",
        [exporting(b.all_of(b.sets_variable("export_mode", "per_type"), b.does_to_pod("vanish")))],
    ),
]

DISKS = [
    Fault("the disk is full", "of the export's pod", [making_pod(changes(b.with_container(b.with_full_disk)))]),
    Fault("the disk is full", "of the bucket, 5 s", [exporting(b.fills_disk("bucket", 5))]),
    Fault("the disk is full", "of BigQuery, 5 s", [loading(b.fills_disk("warehouse", 5))]),
]

FAULTS = [
    *KILLED_TASKS,
    *KILLED_SERVICES,
    *PODS,
    *BUCKET,
    *WAREHOUSE,
    *GIVEN_UP,
    *DEFERRED_PODS,
    *RUNS,
    *CHANGES,
    *DISKS,
]
"""All rows."""
