"""The page in a real browser: in a separate window, and in Airflow's UI."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from ledger_coverage_plugin import PATH
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.summary import Repair
from stellar_etl_airflow.model.tables import EFFECTS, ENRICHED_OPERATIONS, OPERATIONS
from tests.end_to_end.browser import Browser, chromium, needs_browser
from tests.plugins.summaries import HEAD, TABLES, closed_at, large_summary, made

pytestmark = needs_browser

GAP = (40_000_001, 40_400_000)
ALONE = (59_000_123, 59_000_123)
WRONG = (58_000_000, 58_000_004)
GAPS = {EFFECTS.table_id: [GAP, ALONE]}
DIRTY = {OPERATIONS.table_id: [WRONG]}


@pytest.fixture(scope="module")
def driver(tmp_path_factory, page_server):
    """One browser for all tests, logged in as a user who may only read."""
    with chromium(tmp_path_factory.mktemp("browser")) as driver:
        driver.get(f"{page_server.url}/api/v2/version")  # a cookie must be set on a page of its server
        driver.add_cookie({"name": "_token", "value": page_server.token("reader"), "path": "/"})
        yield driver


@pytest.fixture
def browser(driver, tmp_path, request):
    screenshots = Path(os.environ.get("STELLAR_ETL_SCREENSHOTS") or tmp_path) / request.node.name
    screenshots.mkdir(parents=True, exist_ok=True)
    driver.switch_to.default_content()
    window = Browser(driver, screenshots)
    yield window
    window.screenshot("end")


class Coverage:
    """The page, as a user sees or hears it."""

    def __init__(self, browser: Browser) -> None:
        self.browser, self.driver = browser, browser.driver

    def open(self, page, text, fragment="") -> None:
        page.write(text)
        self.browser.open("about:blank")  # a change of the fragment alone would not reload the page
        self.browser.open(f"{page.url}{PATH}/{fragment}")
        self.browser.see("Complete in all tables through")

    def reload(self, page, text) -> None:
        page.write(text)
        self.browser.click_button("Reload")

    def bar(self, table_id) -> str:
        """Return a screen reader's text for a table's bar."""
        (found,) = self.driver.find_elements(By.CSS_SELECTOR, f"svg[role=img][aria-label^='{table_id}, ledgers ']")
        return found.get_attribute("aria-label")

    def hears(self, table_id, text) -> None:
        self.browser.wait(lambda: text in self.bar(table_id), f"{text!r} of {table_id}")

    def shapes(self, table_id, state) -> int:
        return len(self.driver.find_elements(By.CSS_SELECTOR, f"svg[aria-label^='{table_id}, '] rect.{state}"))

    def view(self) -> tuple[int, int]:
        return tuple(int(self.driver.find_element(By.ID, one).get_property("value")) for one in ("from", "to"))

    def problems(self) -> list[list[str]]:
        """Return the table of gaps and dirty ranges: table, state, ledgers, count and finding of each row."""
        rows = self.driver.find_elements(By.CSS_SELECTOR, "#problems tbody tr")
        return [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")][:5] for row in rows]

    def links(self, text) -> list[str]:
        return [one.get_attribute("href") for one in self.driver.find_elements(By.LINK_TEXT, text)]

    def focused(self) -> str:
        element = self.driver.switch_to.active_element
        return element.get_attribute("aria-label") or element.get_attribute("id") or element.text


@pytest.fixture
def coverage(browser):
    return Coverage(browser)


def test_a_planted_gap_is_shown_repaired_and_removed(page, coverage):
    whole = f"{EFFECTS.table_id}, ledgers 3 to 60,000,000: 59,999,996 ledgers complete; 2 ledgers not loaded"
    coverage.open(page, made(HEAD))
    assert coverage.bar(EFFECTS.table_id) == whole
    assert "None in ledgers 3 to 60,000,000." in coverage.browser.text()
    assert coverage.problems() == []

    coverage.reload(page, made(HEAD, GAPS, DIRTY))
    coverage.hears(EFFECTS.table_id, "2 gaps, 400,001 ledgers")
    coverage.hears(OPERATIONS.table_id, "1 dirty, 5 ledgers")
    assert coverage.problems() == [
        ["history_effects", "gap", "59,000,123", "1", "these ledgers were never loaded"],
        [
            "history_operations",
            "dirty",
            "58,000,000 to 58,000,004",
            "5",
            "ledgers have fewer or more rows than were loaded",
        ],
        ["history_effects", "gap", "40,000,001 to 40,400,000", "400,000", "these ledgers were never loaded"],
    ]
    assert [coverage.shapes(EFFECTS.table_id, state) for state in ("gap", "repairing")] == [2, 0]
    coverage.browser.see("40,000,000\n")

    coverage.reload(page, made(HEAD, GAPS, DIRTY, [Repair(EFFECTS.dag_id, "heal__1", LedgerRange(*GAP))]))
    coverage.hears(EFFECTS.table_id, "1 repairing, 400,000 ledgers")
    assert coverage.problems()[2][:2] == ["history_effects", "repairing"]
    assert coverage.links("heal__1") == [f"{page.url}/dags/{EFFECTS.dag_id}/runs/heal__1"]

    coverage.reload(page, made(HEAD))
    coverage.browser.wait(lambda: coverage.bar(EFFECTS.table_id) == whole, "the whole table")
    assert coverage.problems() == []


def test_keyboard_users_reach_a_single_ledger_and_return(page, coverage):
    coverage.open(page, made(HEAD, GAPS))
    for _ in range(30):
        if coverage.focused() == "Bars of the tables":
            break
        ActionChains(coverage.driver).send_keys(Keys.TAB).perform()
    assert coverage.focused() == "Bars of the tables"
    bars = coverage.driver.switch_to.active_element
    bars.send_keys("+")
    assert coverage.view() == (15_000_003, 45_000_001)
    bars.send_keys(Keys.ARROW_RIGHT)
    assert coverage.view() == (30_000_002, 60_000_000)
    bars.send_keys("-")
    bars.send_keys(Keys.HOME)
    assert coverage.view() == (3, HEAD)
    bars.send_keys("0")
    assert coverage.view() == (1, HEAD)

    show = f"button[aria-label^='Show {EFFECTS.table_id}, ledgers 59,000,123']"
    coverage.driver.find_element(By.CSS_SELECTOR, show).send_keys(Keys.ENTER)
    assert coverage.view() == (59_000_118, 59_000_128)
    assert coverage.focused() == "Bars of the tables"
    assert coverage.bar(EFFECTS.table_id) == (
        f"{EFFECTS.table_id}, ledgers 59,000,118 to 59,000,128: 10 ledgers complete; 1 gap, 1 ledger"
    )
    gap = coverage.driver.find_element(By.CSS_SELECTOR, f"svg[aria-label^='{EFFECTS.table_id}, '] rect.gap")
    whole = coverage.driver.find_element(By.CSS_SELECTOR, f"svg[aria-label^='{EFFECTS.table_id}, ']")
    assert gap.rect["width"] / whole.rect["width"] == pytest.approx(1 / 11, abs=0.01), "a ledger has its own address"
    assert "from=59000118&to=59000128" in coverage.driver.current_url
    coverage.browser.screenshot("single-ledgers")


def test_dragging_over_a_bar_and_typing_numbers_zoom(page, coverage):
    coverage.open(page, made(HEAD, GAPS))
    bar = coverage.driver.find_element(By.CSS_SELECTOR, "svg.bar")
    width = bar.rect["width"]
    start, distance = -width / 4, width / 2
    ActionChains(coverage.driver).move_to_element_with_offset(bar, round(start), 0).click_and_hold().move_by_offset(
        round(distance), 0
    ).release().perform()
    assert coverage.view() == pytest.approx((HEAD / 4, HEAD * 3 / 4), abs=HEAD / 200)
    for name, value in (("from", 100), ("to", 90)):
        field = coverage.driver.find_element(By.ID, name)
        field.clear()
        field.send_keys(str(value), Keys.ENTER if name == "to" else "")
    assert coverage.view() == (100, 109), "an empty range shows a few ledgers"
    coverage.open(page, made(HEAD, GAPS), "#dataset=local.published&from=7&to=77")
    assert coverage.view() == (7, 77)
    assert Select(coverage.driver.find_element(By.ID, "dataset")).first_selected_option.text == "local.published"


def test_links_lead_to_runs_the_runbook_and_a_filled_form(page, coverage):
    derived = {ENRICHED_OPERATIONS.table_id: [(1000, 1009)]}
    coverage.open(page, made(HEAD, {**GAPS, **derived}, DIRTY))
    assert coverage.links(f"scheduled__{WRONG[0]}") == [
        f"{page.url}/dags/{OPERATIONS.dag_id}/runs/scheduled__{WRONG[0]}"
    ]
    alone = urlsplit(coverage.links("Runs of that time")[0])
    assert alone.path == f"/dags/{EFFECTS.dag_id}/runs"
    (after, before) = (parse_qs(alone.query)[name][0] for name in ("run_after_gte", "run_after_lte"))
    assert datetime.fromisoformat(after) == closed_at(ALONE[0] - 1, HEAD)
    assert datetime.fromisoformat(before) == closed_at(ALONE[0] + 1, HEAD) + timedelta(hours=1)
    assert coverage.links("Runbook")[0] == "https://example.com/runbook.md#gap-found"

    def form(place):
        button = f"button[aria-label^='Load {place}']"
        coverage.driver.find_element(By.CSS_SELECTOR, button).send_keys(Keys.ENTER)
        assert coverage.focused() == "backfill-title", "a screen reader says that the form has opened"
        dag = coverage.driver.find_element(By.ID, "backfill-dag").text
        return dag, json.loads(coverage.driver.find_element(By.ID, "conf").get_property("value"))

    ends = {"start_ledger": GAP[0], "end_ledger": GAP[1]}
    assert form("history_effects, ledgers 40,000,001") == ("history_backfill", {**ends, "dag": EFFECTS.dag_id})
    ends = {"start_ledger": WRONG[0], "end_ledger": WRONG[1]}
    assert form("history_operations") == (OPERATIONS.dag_id, ends)
    ends = {"start_ledger": 1000, "end_ledger": 1009}
    assert form("enriched_history_operations") == (ENRICHED_OPERATIONS.dag_id, ends)
    coverage.browser.click_button("Trigger")
    coverage.browser.see("Airflow answers 403")  # this user may only read
    coverage.browser.screenshot("form")
    coverage.browser.click_button("Cancel")
    assert coverage.focused().startswith("Load enriched_history_operations")


def test_the_form_audits_ledgers_with_rows_that_loads_keep_again(page, coverage):
    coverage.open(page, made(HEAD, {}, DIRTY).replace('"faults":["lost_rows"]', '"faults":["kept_rows"]'))
    coverage.browser.see("and loads keep them: delete them, then audit these ledgers again")
    button = "button[aria-label^='Load history_operations']"
    coverage.driver.find_element(By.CSS_SELECTOR, button).send_keys(Keys.ENTER)
    assert coverage.driver.find_element(By.ID, "backfill-dag").text == "ledger_audit"
    conf = json.loads(coverage.driver.find_element(By.ID, "conf").get_property("value"))
    assert conf == {"start_ledger": WRONG[0], "end_ledger": WRONG[1]}


@pytest.fixture
def as_admin(page, driver):
    """Give the browser's user the permission to trigger DAGs."""
    driver.add_cookie({"name": "_token", "value": page.token("admin"), "path": "/"})
    yield
    driver.add_cookie({"name": "_token", "value": page.token("reader"), "path": "/"})


def test_the_form_starts_the_run_that_loads_the_gap(page, as_admin, coverage):
    coverage.open(page, made(HEAD, GAPS))
    button = "button[aria-label^='Load history_effects, ledgers 40,000,001']"
    coverage.driver.find_element(By.CSS_SELECTOR, button).click()
    coverage.browser.click_button("Trigger")
    coverage.browser.see("Triggered: manual__")
    run_id = coverage.driver.find_element(By.PARTIAL_LINK_TEXT, "manual__").text
    (run,) = json.loads(page.ask("/api/v2/dags/history_backfill/dagRuns", "reader").body)["dag_runs"]
    assert run["dag_run_id"] == run_id
    ends = {"start_ledger": GAP[0], "end_ledger": GAP[1]}
    assert run["conf"].items() >= {**ends, "dag": EFFECTS.dag_id}.items()
    assert run["triggering_user_name"] == "admin"


def test_charts_of_costs_and_lags_have_text_alternatives(page, coverage):
    coverage.open(page, made(HEAD))
    coverage.browser.see(
        "Lag of the watermark over the last week: now 30 s, highest 31 min. "
        "It went from ledger 59,879,038 to 59,999,998."
    )
    Select(coverage.driver.find_element(By.ID, "lag-table")).select_by_visible_text("history_ledgers")
    coverage.browser.see("Lag of history_ledgers over the last week: now 3 min, highest 4 min")
    rows = coverage.driver.find_elements(By.CSS_SELECTOR, "#costs-by-day tbody tr")
    assert len(rows) == 30
    rows = coverage.driver.find_elements(By.CSS_SELECTOR, "#costs-by-table tbody tr")
    by_table = {row.text.split()[0]: row.text for row in rows}
    assert by_table.keys() == TABLES.keys()
    Select(coverage.driver.find_element(By.ID, "cost-table")).select_by_visible_text("history_ledgers")
    coverage.browser.see("Cost of history_ledgers by day: ")
    assert coverage.driver.find_element(By.CSS_SELECTOR, "#costs-by-day tbody tr").text == (
        "2026-03-01 144 2.5 0.02 0.05 0.01 0.08"
    )


def test_the_latest_audits_are_listed_with_their_runs(page, coverage):
    coverage.open(page, made(HEAD))
    rows = coverage.driver.find_elements(By.CSS_SELECTOR, "#audits tbody tr")
    assert [row.text for row in rows][1] == (
        f"scheduled__2026-02-28 2026-02-28 00:00:00 UTC 2,000 to 2,063 {len(TABLES)} 98,765 1 0 2 "
        "different, loaded again"
    )
    assert coverage.links("scheduled__2026-03-01") == [f"{page.url}/dags/ledger_audit/runs/scheduled__2026-03-01"]


def test_axe_finds_no_accessibility_problem(page, coverage):
    """axe is a widely used engine for accessibility tests: the rules of WCAG 2.1 A and AA, and best practices."""
    from axe_core_python.base import AXE_FILE_PATH

    coverage.open(page, made(HEAD, GAPS, DIRTY))
    coverage.driver.find_element(By.CSS_SELECTOR, "button[aria-label^='Load ']").click()
    for theme in ("light", "dark"):
        coverage.driver.execute_script(f"document.documentElement.className = '{theme}'")
        coverage.driver.execute_script(Path(AXE_FILE_PATH).read_text())
        found = coverage.driver.execute_async_script("axe.run().then(arguments[0])")
        assert len(found["passes"]) > 20
        wrong = {(one["id"], node["html"]) for one in found["violations"] for node in one["nodes"]}
        assert wrong == set(), theme


@pytest.mark.slow
def test_a_history_of_sixty_million_ledgers_with_hundreds_of_gaps_is_drawn_with_few_shapes(
    page, coverage, record_property
):
    """A quiet machine draws it in under a second; other programs change the time, not the number of shapes."""
    coverage.open(page, large_summary())
    assert coverage.shapes(EFFECTS.table_id, "gap") > 100
    script = "const began = performance.now(); showAll(); return performance.now() - began"
    record_property("milliseconds", coverage.driver.execute_script(script))
    assert coverage.driver.execute_script("return document.querySelectorAll('rect').length") < 30_000
    coverage.browser.see("The newest 200 are listed: zoom in to see others.")


def test_text_of_the_summary_is_never_executed(page, coverage):
    text = made(HEAD, GAPS, DIRTY).replace("scheduled__", "<img src=x onerror=alert(1)>")
    coverage.open(page, text)
    assert coverage.driver.find_elements(By.TAG_NAME, "img") == []
    coverage.browser.see("<img src=x onerror=alert(1)>58000000")


def test_the_age_of_an_old_summary_is_a_warning(page, coverage):
    coverage.open(page, made(HEAD))
    coverage.browser.see("That is more than a day: see whether that DAG is paused or its runs fail.")
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    coverage.reload(page, made(HEAD).replace('"made_at":"2026-03-01T00:00:00Z"', f'"made_at":"{now}"'))
    coverage.browser.see(" s ago, when ledger_coverage last wrote its summary.")
    assert "more than a day" not in coverage.browser.text()


@pytest.mark.parametrize("address", ["http://", "docs/runbook.md", "javascript:alert(1)"])
def test_an_invalid_address_of_the_runbook_gives_no_link(page, coverage, address):
    coverage.open(page, made(HEAD, GAPS).replace("https://example.com/runbook.md", address))
    coverage.browser.see("docs/runbook.md")
    assert coverage.links("Runbook") == []


def test_errors_show_the_remedy(page, coverage):
    coverage.browser.open(f"{page.url}{PATH}/")
    coverage.browser.see("yet: the DAG ledger_coverage writes it at its end.")
    coverage.reload(page, '{"version": 2}')
    coverage.browser.see("the summary has form 2, and this page reads 1")
    coverage.reload(page, made(HEAD))
    coverage.browser.see("As of 2026-03-01 00:00:00 UTC")


def test_airflow_shows_the_page_and_its_links_leave_the_frame(page, coverage):
    page.write(made(HEAD, GAPS, DIRTY))
    browser, driver = coverage.browser, coverage.driver
    browser.open(page.url)
    browser.click_button("Browse")
    browser.wait(lambda: driver.find_element(By.LINK_TEXT, "Ledger coverage").click() or True, "the entry of the menu")
    browser.show_frame("Ledger coverage")
    browser.see("Complete in all tables through")
    requested = driver.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert sorted(one.removeprefix(f"{page.url}{PATH}/") for one in requested) == [
        "static/page.css",
        "static/page.js",
        "summary",
    ]
    driver.switch_to.default_content()
    browser.screenshot("in-airflow")
    browser.show_frame("Ledger coverage")
    driver.find_element(By.LINK_TEXT, f"scheduled__{WRONG[0]}").click()
    driver.switch_to.default_content()
    address = f"{page.url}/dags/{OPERATIONS.dag_id}/runs/scheduled__{WRONG[0]}"
    browser.wait(lambda: driver.current_url.startswith(address), "the page of the run")
    assert driver.find_elements(By.TAG_NAME, "iframe") == []
