"""The steps of the command. A new step is a function and a line in `STEPS`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from google.api_core.exceptions import GoogleAPIError

from scripts.bootstrap_gcp.secrets import BACKEND, SEPARATOR
from scripts.smoke_gcp.cloud import Cloud, Rows
from scripts.smoke_gcp.jobs import Verdict, cost, dry_run, judge
from scripts.smoke_gcp.ledgers import CHECKPOINT, Kit, Sample
from scripts.smoke_gcp.options import Options, SmokeError, uses_stand_ins
from scripts.smoke_gcp.runner import DagRun, Runner
from stellar_etl_airflow.model.coverage import NO_FAULTS
from stellar_etl_airflow.model.network import NETWORK_LABEL
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    COVERAGE_TABLE_ID,
    LOADING_DAGS,
    PUBLISHED,
    STATE_TABLES,
    STATES,
    WITHOUT_CAPTIVE_CORE,
    loaded_by,
)
from stellar_etl_airflow.sql.versions import current_view_id, history_view_id, versions_table_id

ASSETS = "assets"
"""Published by key, so that the rows depend on earlier loads; the kit has no reference rows for it."""


@dataclass
class Smoke:
    """The shared state of the steps."""

    options: Options
    cloud: Cloud
    runner: Runner
    kit: Kit
    sample: Sample
    rows: dict[str, Rows] = field(default_factory=dict)
    """The rows of each table after the first load."""
    judged: set[str] = field(default_factory=set)
    """The ids of the checked jobs."""

    @cached_property
    def kit_range(self) -> dict[str, int]:
        """The params of a run over all of the kit's ledgers."""
        return {"start_ledger": self.kit.first, "end_ledger": self.kit.last}

    def load_kit(self) -> None:
        """Load the kit's ledgers by all loading DAGs, each in a separate process."""
        self.runner.run(*(DagRun(dag_id, self.kit_range) for dag_id in LOADING_DAGS))

    def read_rows(self) -> dict[str, Rows]:
        """The rows of each table that a loading DAG publishes."""
        tables, there = [table for dag_id in LOADING_DAGS for table in loaded_by(dag_id)], self.cloud.tables()
        missing = sorted({table.table_id for table in tables} - there)
        expect(not missing, f"the tables {', '.join(missing)} were not created")
        return {table.data_type: self.cloud.rows(table.table_id) for table in tables}

    def expect_same_rows(self) -> None:
        """Compare all rows with those of the first load.

        Raises:
            SmokeError: The rows differ; the message names each table and the number of rows.
        """
        problems = []
        for data_type, rows in self.read_rows().items():
            more, fewer = rows - self.rows[data_type], self.rows[data_type] - rows
            if more or fewer:
                problems.append(f"{data_type}: {more.total()} rows too many, {fewer.total()} rows missing")
        expect(not problems, "the tables differ from the first load: " + "; ".join(problems))


def expect(condition: object, message: str) -> None:
    """Fail the step unless a condition holds.

    Raises:
        SmokeError: The condition does not hold.
    """
    if not condition:
        raise SmokeError(message)


def load(smoke: Smoke) -> None:
    """Load the kit's ledgers, and compare the number of rows with the reference exporter's."""
    smoke.load_kit()
    smoke.rows = smoke.read_rows()
    found = {data_type: smoke.rows[data_type].total() for data_type in smoke.kit.counts}
    expect(found == dict(smoke.kit.counts), f"rows by type are {found}, and the reference has {dict(smoke.kit.counts)}")
    doubled = [kind for kind, rows in smoke.rows.items() if rows.total() > len(rows)]
    expect(not doubled, f"duplicate rows in {', '.join(doubled)}")


def load_again(smoke: Smoke) -> None:
    """Load the same ledgers again: the rows stay the same."""
    smoke.load_kit()
    smoke.expect_same_rows()


def overlap(smoke: Smoke) -> None:
    """Load two ranges that overlap at the same time, in two processes: the rows stay the same."""
    first, last = smoke.kit.first, smoke.kit.last
    ranges = ((first, last - 1), (first + 1, last))
    smoke.runner.run(
        *(DagRun(WITHOUT_CAPTIVE_CORE, {"start_ledger": start, "end_ledger": end}) for start, end in ranges)
    )
    smoke.expect_same_rows()


def fold(smoke: Smoke) -> None:
    """Fold the changes into versions: the views return the same rows, and read them from the versions."""
    views = [name(table.table_id) for table in STATES.values() for name in (current_view_id, history_view_id)]
    before = {view: smoke.cloud.count(view) for view in views}
    smoke.runner.run(DagRun("state_fold", {}))
    after = {view: smoke.cloud.count(view) for view in views}
    expect(after == before, f"the views have {after} rows after the fold, and had {before}")
    folded = {table.table_id: smoke.cloud.count(versions_table_id(table.table_id)) for table in STATES.values()}
    versions = {table_id: before[history_view_id(table_id)] for table_id in folded}
    expect(folded == versions, f"there are {folded} versions after the fold, and {versions} in the views")


def check_coverage(smoke: Smoke) -> None:
    """Run the coverage check of the kit's ledgers: it finds no error in any table."""
    smoke.runner.run(DagRun("ledger_coverage", smoke.kit_range))
    findings = list(smoke.cloud.query(f"SELECT table_id, fault, found FROM `{COVERAGE_TABLE_ID}`"))  # noqa: S608
    wrong = [finding for finding in findings if finding["fault"] not in {str(fault) for fault in NO_FAULTS}]
    expect(findings, f"the coverage check wrote no row to {COVERAGE_TABLE_ID}")
    expect(not wrong, f"the coverage check found: {wrong}")


def read_secret(smoke: Smoke) -> None:
    """Load a ledger with a Variable that only Secret Manager holds, with the backend of the set-up."""
    key, prefix = "gcs_exported_object_prefix", "from-secret-manager"
    arguments = {"project_id": smoke.options.project, "variables_prefix": smoke.options.dataset, "sep": SEPARATOR}
    backend = {
        "AIRFLOW__SECRETS__BACKEND": BACKEND,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({**arguments, "connections_prefix": None}),
    }
    with smoke.cloud.secret(f"{smoke.options.dataset}{SEPARATOR}{key}", prefix):
        ledger = {"start_ledger": smoke.kit.first, "end_ledger": smoke.kit.first}
        smoke.runner.run(DagRun(WITHOUT_CAPTIVE_CORE, ledger, environment=backend))
    expect(smoke.cloud.objects(prefix), f"no export is below {prefix}/: tasks did not read the secret")
    smoke.expect_same_rows()


def reset(smoke: Smoke) -> None:
    """Remove all tables and the network's label, so that the dataset accepts another network."""
    smoke.runner.run(DagRun("dataset_reset", {"what": "dataset", "dry_run": False}, approves="approve"))
    left = smoke.cloud.tables() & {table.table_id for table in PUBLISHED.values()}
    expect(not left, f"the reset left {', '.join(sorted(left))}")
    expect(NETWORK_LABEL not in smoke.cloud.labels(), f"the reset left the dataset's label {NETWORK_LABEL}")
    expect(smoke.cloud.count(BATCH_STATS_TABLE_ID) == 0, f"the reset left rows in {BATCH_STATS_TABLE_ID}")


def full_load(smoke: Smoke) -> None:
    """Load a generated network's entries at a checkpoint, then the changes after it: the current views are correct."""
    sample = smoke.sample
    variables: dict[str, Any] = {
        "history_archive_path": str(sample.archive),
        "network_passphrase": sample.passphrase,
        "txmeta_datastore_path": str(sample.lake),
    }
    smoke.runner.run(DagRun("bucket_list_export", {"checkpoint_ledger": CHECKPOINT}, variables))
    smoke.runner.run(DagRun(STATE_TABLES, {"start_ledger": CHECKPOINT + 1, "end_ledger": sample.last}, variables))
    found = {
        kind: smoke.cloud.count(current_view_id(STATES[kind].table_id)) for kind in STATES if kind in sample.entries
    }
    expected = {kind: sample.entries[kind] for kind in found}
    expect(found == expected, f"entries by type are {found}, and the network has {expected}")


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: Its display name.
        run: The function; it raises `SmokeError` if a check fails.
        conflicts: Whether jobs may conflict with others on the same rows; the rows must be correct in the end.
        real: Whether it needs the real cloud, because a stand-in is missing.
    """

    name: str
    run: Callable[[Smoke], None]
    conflicts: bool = False
    real: bool = False


STEPS = (
    Step("load the kit's ledgers", load),
    Step("fold changes into versions", fold),
    Step("load them again", load_again),
    Step("load overlapping ranges in two processes", overlap, conflicts=True),
    Step("check coverage", check_coverage),
    Step("read a secret from Secret Manager", read_secret, real=True),
    Step("reset the dataset", reset),
    Step("full load of a generated network", full_load),
)


def do(smoke: Smoke, steps: tuple[Step, ...] = STEPS) -> list[Verdict]:
    """Run the steps, and check the jobs of each.

    Returns:
        All jobs, checked.

    Raises:
        SmokeError: A step failed; the message names it.
    """
    everything: list[Verdict] = []
    for number, step in enumerate(steps, 1):
        print(f"{number}/{len(steps)} {step.name}", flush=True)
        if step.real and uses_stand_ins():
            print("    skipped: it has no stand-in", flush=True)
            continue
        begun = time.monotonic()
        try:
            step.run(smoke)
            verdicts = judge_jobs(smoke, step)
        except (SmokeError, GoogleAPIError) as error:
            raise SmokeError(f"step {number}, {step.name}: {error}") from None
        everything += verdicts
        print(f"    {summary(verdicts, smoke.options.price_per_tib)}, {time.monotonic() - begun:.0f} s", flush=True)
    return everything


def judge_jobs(smoke: Smoke, step: Step) -> list[Verdict]:
    """Check the jobs of a step.

    Raises:
        SmokeError: A statement was refused or billed for more than predicted, or jobs were in conflict.
    """
    predict = dry_run(smoke.cloud.bigquery)
    verdicts = [judge(job, predict) for job in smoke.cloud.jobs() if job.job_id not in smoke.judged]
    smoke.judged |= {verdict.job_id for verdict in verdicts}
    problems = [problem for verdict in verdicts for problem in verdict.problems]
    if not step.conflicts:
        problems += [f"{one.label} was in conflict: {one.refused}" for one in verdicts if one.conflict]
    expect(verdicts, "BigQuery lists no job that names the dataset")
    expect(not problems, "\n".join(problems))
    return verdicts


def summary(verdicts: list[Verdict], price_per_tib: float) -> str:
    """The jobs in one line."""
    predicted = sum(one.predicted is not None for one in verdicts)
    conflicts = sum(one.conflict for one in verdicts)
    billed = sum(one.billed for one in verdicts) / (1 << 20)
    return (
        f"{len(verdicts)} jobs, {billed:.0f} MB billed ({predicted} statements within their prediction), "
        f"{conflicts} conflicts, {cost(verdicts, price_per_tib):.4f} $"
    )
