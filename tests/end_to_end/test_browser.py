"""Users' actions in Airflow's UI, in a browser: clear a failed task, and request a range of ledgers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest

from local.stack import Stack
from tests.end_to_end.browser import Browser, chromium, needs_browser
from tests.end_to_end.conftest import Sample
from tests.end_to_end.rows import published
from tests.end_to_end.test_coverage import run
from tests.end_to_end.test_export_modes import set_variable
from tests.end_to_end.test_sample_network import staging_tables, trigger, wait_for
from tests.waiting import RUN_PATIENCE

pytestmark = [pytest.mark.end_to_end, needs_browser]

DAG = "history_archive_without_captive_core"
TABLES = ("history_ledgers", "history_assets")
FIRST, LAST = 250, 269

STATE = 3
"""The column of a task's state in the table of a run's tasks."""


def rows(stack: Stack) -> dict[str, list[str]]:
    return {table_id: published(stack, table_id) for table_id in TABLES}


def loaded_by(stack: Stack, run_id: str) -> list[int]:
    """Return the ledgers whose rows a run published."""
    found = stack.query(f"SELECT sequence FROM history_ledgers WHERE batch_id = '{run_id}' ORDER BY 1")
    return [row["sequence"] for row in found]


def states(browser: Browser) -> dict[str, str]:
    """Return the state of each task, as a run's page shows it."""
    return {task_id: cells[STATE] for task_id, cells in browser.table().items()}


def see_all_succeed(browser: Browser, tasks: int) -> None:
    """Wait until a run's page shows this number of tasks, all successful."""
    browser.wait(lambda: list(states(browser).values()) == ["Success"] * tasks, f"{tasks} tasks' success", RUN_PATIENCE)


@pytest.fixture
def browser(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A window. Screenshots go to `STELLAR_ETL_SCREENSHOTS` or the test's folder.

    The last one is taken at the end of the test.
    """
    screenshots = Path(os.environ.get("STELLAR_ETL_SCREENSHOTS") or tmp_path) / request.node.name
    screenshots.mkdir(parents=True, exist_ok=True)
    with chromium(tmp_path) as driver:
        window = Browser(driver, screenshots)
        yield window
        window.screenshot("end")


@pytest.fixture
def failed_run(sample: Sample) -> Iterator[str]:
    """A run in which a custom check refused the ledgers; the check is fixed afterwards."""
    stack, run_id = sample.stack, "cleared-in-the-browser"
    refused = {"table": "history_ledgers", "kind": "range", "column": "sequence", "maximum": LAST - 1}
    set_variable(stack, "checks", json.dumps([refused]))
    try:
        trigger(stack, DAG, run_id, {"start_ledger": FIRST, "end_ledger": LAST})
        assert wait_for(stack, f"dags/{DAG}/dagRuns/{run_id}", "success", "failed") == "failed"
    finally:
        set_variable(stack, "checks", "[]")
    yield run_id


def test_a_failed_task_cleared_with_its_downstream_succeeds(sample: Sample, failed_run: str, browser: Browser) -> None:
    before = rows(sample.stack)
    assert loaded_by(sample.stack, failed_run) == []
    browser.open(f"{sample.stack.ui}/dags/{DAG}/runs/{failed_run}")
    browser.wait(lambda: len(states(browser)) == 11, "the run's tasks")
    downstream = ("ledgers.merge", "delete_staging")
    bad = {task_id: state for task_id, state in states(browser).items() if state != "Success"}
    assert bad == {"ledgers.check": "Failed", **dict.fromkeys(downstream, "Upstream Failed")}
    browser.screenshot("1-failed-run")

    browser.click_link("ledgers.check")
    browser.see(f"ledgers of ledgers {FIRST} to {LAST} are not published")
    browser.screenshot("2-why-it-failed")
    browser.click_button("Press shift+c to clear")
    browser.see("Clear Task Instance: ledgers.check")
    browser.click_button("Downstream")  # the page first shows the old state
    browser.see("Affected Tasks: 1")
    browser.click_button("Downstream")
    browser.see("Affected Tasks: 4")
    browser.screenshot("3-what-will-be-cleared")
    browser.click_button("Confirm")

    browser.click_link(failed_run)
    see_all_succeed(browser, 11)
    assert wait_for(sample.stack, f"dags/{DAG}/dagRuns/{failed_run}", "success", "failed") == "success"
    assert loaded_by(sample.stack, failed_run) == list(range(FIRST, LAST + 1))
    assert rows(sample.stack) == before
    assert [name for name in staging_tables(sample.stack) if name.startswith(TABLES)] == []


@pytest.mark.slow
def test_a_range_of_ledgers_is_requested_in_the_form(sample: Sample, browser: Browser) -> None:
    before = rows(sample.stack)
    browser.open(f"{sample.stack.ui}/dags/{DAG}")
    browser.click_button("Trigger Dag")
    browser.see("the first ledger to load, instead of times")
    browser.fill("start_ledger", str(FIRST))
    browser.fill("end_ledger", str(LAST))
    # The form proposes the current time; after the schedule's end Airflow then creates an empty run, which succeeds.
    browser.fill_time("Logical Date", datetime(2026, 1, 1, 0, 5, tzinfo=UTC))
    browser.screenshot("1-form")
    browser.click_button("Trigger")

    browser.wait(lambda: "/runs/manual__" in browser.driver.current_url, "the page of the new run")
    run_id = unquote(browser.driver.current_url.rpartition("/")[2])
    see_all_succeed(browser, 11)
    assert wait_for(sample.stack, f"dags/{DAG}/dagRuns/{run_id}", "success", "failed") == "success"
    assert loaded_by(sample.stack, run_id) == list(range(FIRST, LAST + 1))
    assert rows(sample.stack) == before


GAP_TABLE = "history_trades"


@pytest.mark.slow
def test_a_gap_on_the_coverage_page_is_loaded_from_the_page_and_disappears(sample: Sample, browser: Browser) -> None:
    """The test deletes the record of a load, which makes a gap; the page's form starts the backfill that loads it."""
    stack, before = sample.stack, published(sample.stack, GAP_TABLE)
    stats = f"history_archives_dag_runs WHERE table_id = '{GAP_TABLE}' AND start_ledger <= 150 AND end_ledger >= 130"
    stack.query(f"DELETE FROM {stats}")
    # The check fails on its findings; the task still writes the summary.
    assert run(stack, "ledger_coverage", "page-gap", {}) == "failed"
    browser.open(f"{stack.ui}/plugin/ledger-coverage")
    browser.show_frame("Ledger coverage")
    browser.see(f"{GAP_TABLE} gap ")
    browser.screenshot("1-gap")
    button = browser.driver.find_element("css selector", f"button[aria-label^='Load {GAP_TABLE}']")
    place = str(button.get_attribute("aria-label"))
    button.click()
    browser.see("Starts a run of history_backfill")
    browser.screenshot("2-form")
    browser.click_button("Trigger")
    browser.see("Triggered: manual__")
    link = browser.driver.find_element("partial link text", "manual__")
    run_id = link.text
    link.click()
    browser.driver.switch_to.default_content()
    browser.wait(lambda: f"/dags/history_backfill/runs/{run_id}" in unquote(browser.driver.current_url), "the run")
    for dag_id in ("history_backfill", "history_archive_with_captive_core"):
        stack.rest("PATCH", f"dags/{dag_id}", {"is_paused": False})
    assert wait_for(stack, f"dags/history_backfill/dagRuns/{run_id}", "success", "failed") == "success"

    assert run(stack, "ledger_coverage", "page-whole", {}) == "success"
    browser.open(f"{stack.ui}/plugin/ledger-coverage")
    browser.show_frame("Ledger coverage")
    browser.see("None in ledgers")
    browser.screenshot("3-whole")
    assert place not in browser.driver.page_source
    assert published(stack, GAP_TABLE) == before
