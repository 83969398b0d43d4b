"""The table of faults in docs/faults.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from tests.faults.table import FAULTS
from tests.faults.trial import Outcome
from tests.shared import REPO

FILE = REPO / "docs" / "faults.md"
PACKAGES = (
    "apache-airflow",
    "apache-airflow-providers-cncf-kubernetes",
    "apache-airflow-providers-google",
    "bqemulator",
    "gcp-storage-emulator",
)
HEAD = ("fault", "where", "recovered", "took s", "extra s", "rows lost", "rows duplicate", "run on", "problems")

PAGE = """# Faults

Each row of the first table is a fault in the middle of a batch, and its recovery: by Airflow's retries, or after a user
cleared the task that the error names. Before each fault half of the batch's rows are deleted from the tables. After it
every table is compared row by row with the result of a batch without a fault: a missing row is lost, a second row
beside an older one is duplicate. No two merges into a table overlapped, and no pod and no staging table is left.
Rows seen on 2026-11-29 or later also show that the watermark never claimed a ledger whose rows were missing, during the
fault and after it, and that all ledgers were complete in the end. Rows that a user deletes count as missing once a
coverage check has found them.

`./run_tests.sh tests/faults --faults all` writes this page, and replaces only the rows of the faults that it ran. It
ran on the laptop stack:

{versions}

In these tests a task has three retries, after a second each; the shipped DAGs have five retries, after 30 s and more.

`extra s` is the additional time compared with a batch of the same kind without a fault, which is timed once, before the
first fault of that kind. Other load on the machine changes both times; then the difference means little.

{table}

## Faults beside a batch

Other faults have separate tests: intervals that are never loaded, concurrent jobs, another deployment, a wrong clock.
Faults of scheduling are caused in the real scheduler.

| fault | what happens | shown by |
| --- | --- | --- |
{others}
"""

OTHERS = (
    (
        "the schedule changes to a longer and a shorter one and back, while runs are due",
        "the scheduler creates each due run, and each interval is loaded",
        "tests/dags/test_schedule_changes.py::test_any_change_between_two_schedules_omits_no_interval",
    ),
    (
        "a DAG has no new runs",
        "`check_schedules` of `ledger_coverage` fails after two intervals, and names the DAG",
        "tests/dags/tasks/test_schedules.py::test_only_unpaused_dags_must_have_runs",
    ),
    (
        "a manual run has the logical date of a scheduled one",
        "the scheduled run is created too",
        "tests/dags/test_schedule_changes.py::test_a_manual_run_does_not_replace_a_scheduled_run",
    ),
    (
        "`run_local.sh --interval` changes on an existing stack",
        "all requested ledgers are loaded, by additional runs",
        "tests/end_to_end/test_sample_network.py::test_another_interval_on_the_same_stack_loads_all_requested_ledgers",
    ),
    (
        "requested ledgers are not loaded, although every run succeeded",
        "the report of `run_local.sh` counts them, and its exit status is 1",
        "tests/local/test_report.py::test_requested_ledgers_without_a_load_make_a_table_incomplete",
    ),
    (
        "a time has a fraction of a second",
        "ledgers that closed in between are loaded, and no others",
        "tests/stellar_etl/sources/test_ledger_range.py::test_fractions_of_a_second_omit_no_ledger",
    ),
    (
        "two jobs write one table at the same time, although the pool allows one task",
        "each waits for the running jobs on its table; of overlapping jobs all but the first run again",
        "tests/dags/bigquery/test_writers.py::test_rows_are_right_in_every_order_of_events",
    ),
    (
        "a worker is lost while its merge runs, and another run merges into the table",
        "the other run waits for the job",
        "tests/dags/operators/test_bigquery_jobs.py::test_a_write_waits_for_the_job_of_a_lost_worker",
    ),
    (
        "a worker is lost while its merge changes ledger entries, and a fold begins",
        "the fold waits for the job, and folds what it wrote",
        "tests/dags/tasks/test_state_tables.py::test_a_fold_waits_for_the_merge_of_a_lost_worker",
    ),
    (
        "a task is cleared, or its deferral times out, while its job runs",
        "the job is cancelled, and has ended before the next try begins",
        "tests/dags/operators/test_bigquery_jobs.py::test_a_job_ends_before_its_task_ends",
    ),
    (
        "a second deployment writes the dataset",
        "it is refused before it writes, with the command that hands the dataset over",
        "tests/dags/operators/test_bigquery_jobs.py::test_a_second_deployment_is_refused_before_it_writes",
    ),
    (
        "a dataset is in another region",
        "it is refused before anything is written, with both locations",
        "tests/dags/operators/test_bigquery_jobs.py::test_a_target_in_another_location_is_refused",
    ),
    (
        "a worker's clock is one hour off",
        "the rows are the same, and no merges overlap",
        "tests/dags/tasks/test_targets.py::test_a_worker_with_a_clock_an_hour_off_loses_and_duplicates_no_row",
    ),
    (
        "a worker is lost while it waits for a run that it started",
        "the next try waits for that run; it neither clears it nor triggers another one",
        "tests/dags/tasks/test_trigger_runs.py::test_a_retry_after_a_lost_worker_finds_its_run",
    ),
    (
        "a run that a task triggered exhausts its retries",
        "the task fails without a retry and says what to do; the run is repeated after a user cleared the task",
        "tests/dags/tasks/test_trigger_runs.py::test_a_failed_run_is_not_repeated",
    ),
    (
        "some transactions or operations can't be made",
        "with `max_failed_transforms` exactly those may be missing; one more fails the check",
        "tests/dags/tasks/test_checks.py::test_only_the_rows_omitted_from_the_export_may_be_missing",
    ),
    (
        "an exporter without manifest writes an empty or a short file",
        "`verify_export` refuses it at once, if other rows prove the missing ones",
        "tests/dags/export/test_manifest.py::test_a_row_that_other_rows_imply_is_reported_missing",
    ),
    (
        "rows do not fit their table",
        "`load` fails at once, without a retry",
        "tests/dags/tasks/test_load.py::test_a_load_of_rows_that_do_not_fit_is_not_retried",
    ),
    (
        "a test network was reset",
        "`check` refuses its ledgers by the batch stats; it reads the same number of bytes for tables of any size",
        "tests/dags/tasks/test_checks.py::test_the_check_of_the_chain_reads_the_same_bytes_for_any_table_size",
    ),
    (
        "an older full load of the same ledger is cleared",
        "`keep` and `merge` refuse it",
        "tests/dags/tasks/test_older_rows.py::test_an_older_full_load_of_a_ledger_is_refused",
    ),
    (
        "two runs export the same ledgers at the same time",
        "the rows of the newer attempt stay, whichever publishes first",
        "tests/dags/tasks/test_older_rows.py::test_of_two_simultaneous_exports_the_newer_rows_remain",
    ),
    (
        "a newer export attempt is published while an older one's merge is planned, waits or runs",
        "the older merge removes no newer rows, and is planned and run again",
        "tests/dags/bigquery/test_writers.py::test_the_rows_of_the_newest_attempt_stay_in_every_order_of_events",
    ),
    (
        "a deferred job fails with a permanent error, or its trigger fails while the job runs",
        "a permanent error fails the task without a retry; the next try finds a running job",
        "tests/dags/tasks/test_load.py::test_a_load_of_rows_that_do_not_fit_is_not_retried",
    ),
    (
        "rows are lost, and a part of their load was loaded again",
        "a coverage check names exactly their ledgers",
        "tests/dags/tasks/test_coverage.py::test_lost_rows_are_found_after_any_later_reload",
    ),
    (
        "loads, partial reloads, deletions and late clears in any order",
        "a coverage check agrees with a model of each ledger",
        "tests/dags/tasks/test_coverage_model.py::test_coverage_agrees_with_the_model",
    ),
    (
        "rows of the public dataset are lost",
        "a coverage check finds them",
        "tests/dags/tasks/test_coverage.py::test_every_target_is_checked",
    ),
    (
        "ledgers before the checked days were never loaded",
        "a coverage check finds them by the batch stats",
        "tests/dags/tasks/test_coverage.py::test_ledgers_that_were_never_loaded_are_found_in_all_history",
    ),
    (
        "ledgers are missing at an end of the window",
        "a coverage check finds all of them",
        "tests/dags/tasks/test_coverage.py::test_missing_ledgers_at_an_end_of_the_window_are_found_completely",
    ),
    (
        "a coverage check has more findings than one statement or message can contain",
        "all findings are recorded; the message lists the first 100",
        "tests/dags/tasks/test_coverage.py::test_all_findings_are_recorded_and_a_message_lists_the_first",
    ),
    (
        "the findings can't be recorded",
        "they are still reported and healed",
        "tests/docs/test_dag_docs.py::test_findings_are_reported_and_healed_if_their_record_fails",
    ),
    (
        "kill -9 of a fold, between its statements, before and after labels and views are written",
        "the next try continues; readers see the same rows after each try",
        "tests/dags/tasks/test_state_tables.py::test_a_fold_that_is_killed_between_statements_continues_and_readers_see_the_same_rows",
    ),
)
"""Faults with separate tests: what happens, and the test."""

Row = tuple[str, ...]

ROW = "fault_row"
"""The property of a test's report with its row of the table."""


def row_of(outcome: Outcome) -> Row:
    """Return an outcome as a row of the table."""
    return (
        outcome.fault.name,
        outcome.fault.where,
        outcome.recovered,
        f"{outcome.took:.0f}",
        f"{outcome.took - outcome.usual:+.0f}",
        str(outcome.lost),
        str(outcome.doubled),
        f"{datetime.now(UTC):%Y-%m-%d}",
        "; ".join(outcome.problems).replace("\n", " ").replace("|", "/") or "none",
    )


def as_markdown(rows: Iterable[Row]) -> str:
    """Return the table."""
    lines = [HEAD, tuple("---" for _ in HEAD), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def kept() -> list[Row]:
    """Return the rows of `docs/faults.md`."""
    lines = FILE.read_text().splitlines() if FILE.exists() else []
    rows = [tuple(line.strip("| ").split(" | ")) for line in lines if line.startswith("| ")]
    return [row for row in rows if len(row) == len(HEAD) and row[0] not in (HEAD[0], "---")]


def keep(made: Sequence[Row]) -> None:
    """Write `docs/faults.md`: the table with new rows in place of old ones, and the versions."""
    rows = {row[:2]: row for row in (*kept(), *made)}
    ordered = [rows[fault.name, fault.where] for fault in FAULTS if (fault.name, fault.where) in rows]
    versions = "\n".join(f"- {name} {version(name)}" for name in PACKAGES)
    others = "\n".join(f"| {fault} | {what} | `{test}` |" for fault, what, test in OTHERS)
    FILE.write_text(PAGE.format(versions=versions, table=as_markdown(ordered), others=others))
