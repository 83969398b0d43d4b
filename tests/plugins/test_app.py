"""The app behind the page: it requires login and permission, only reads, and answers quickly."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import pytest

from ledger_coverage_page.app import STATIC, make_app
from ledger_coverage_page.summary import BUCKET, PREFIX, object_name
from ledger_coverage_plugin import PATH
from stellar_etl_airflow.tasks.build_summary_tasks import summary_object
from tests.plugins.summaries import large_summary
from tests.shared import REPO

ROUTES = make_app().routes
"""All routes of the app: these tests request a new route automatically."""

FILES = sorted(path.name for path in STATIC.iterdir())


def addresses(route):
    """Return a route's addresses; a parameter takes each of the page's files."""
    return [PATH + route.path.replace("{name}", name) for name in (FILES if "{" in route.path else [""])]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_route_refuses_users_without_login_or_permission(page, route):
    page.write('{"secret": true}')
    for address in addresses(route):
        assert "{" not in address, "this test does not support the parameter"
        refused = page.ask(address)
        assert (refused.status, refused.body) == (401, b'{"detail":"Not authenticated"}'), address
        assert page.ask(address, "stranger").status == 403, address
        assert page.ask(address, "reader").status == 200, address


def test_every_route_only_reads(page):
    assert {method for route in ROUTES for method in route.methods} == {"GET"}
    for address in (address for route in ROUTES for address in addresses(route)):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert page.ask(address, "admin", method).status == 405


def test_unknown_paths_are_not_found(page):
    for path in ("/openapi.json", "/docs", "/static/app.py", "/static/..%2Fapp.py", "/nothing"):
        assert page.ask(PATH + path, "admin").status == 404


def test_the_summary_is_returned_unchanged(page):
    assert json.loads(page.ask(f"{PATH}/summary", "reader").body)["detail"].startswith("gs://")
    page.write(text := '{"version": 1}')
    answer = page.ask(f"{PATH}/summary", "reader")
    assert (answer.body, answer.headers["content-type"]) == (text.encode(), "application/json")
    page.write(text := '{"version": 1, "again": true}')
    assert page.ask(f"{PATH}/summary", "reader").body == text.encode()


def test_the_summary_of_sixty_million_ledgers_is_small_enough_for_a_second(page, record_property):
    """A quiet machine returns it in under a second; other programs change the time, not the size."""
    text = large_summary()
    assert len(text) < 1_000_000
    page.write(text)
    page.ask(f"{PATH}/summary", "reader")
    began = time.monotonic()
    answer = page.ask(f"{PATH}/summary", "reader")
    took = time.monotonic() - began
    record_property("seconds", took)
    assert answer.body == text.encode()


def test_the_page_loads_nothing_from_other_servers(page):
    """The browser refuses servers that the header does not name; and the files name no others."""
    policy = page.ask(f"{PATH}/", "reader").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert {word for word in policy.replace(";", " ").split() if word.startswith("'")} == {"'self'", "'none'"}
    for name in FILES:
        found = re.findall(r"\w+://[^\s\"']+", (STATIC / name).read_text())
        assert found in ([], ["http://www.w3.org/2000/svg"]), name  # the namespace of SVG, which no browser requests


def test_airflow_has_the_page_in_its_menu(page):
    (plugin,) = [
        one
        for one in json.loads(page.ask("/api/v2/plugins", "admin").body)["plugins"]
        if one["name"] == "ledger_coverage"
    ]
    (view,) = plugin["external_views"]
    assert (view["name"], view["href"], view["destination"]) == ("Ledger coverage", "ledger-coverage/", "nav")
    assert json.loads(page.ask("/api/v2/plugins/importErrors", "admin").body)["import_errors"] == []


def test_the_task_writes_the_file_that_the_page_reads():
    assert summary_object("a-prefix") == object_name("a-prefix")
    shipped = json.loads((REPO / "airflow_variables.json").read_text())
    assert {BUCKET, PREFIX} <= shipped.keys()


def test_a_worker_that_loads_the_plugin_does_not_load_its_app():
    """Every process of Airflow loads plugins, and each task has a process."""
    code = (
        "import sys\n"
        "from airflow.plugins_manager import ensure_plugins_loaded, integrate_macros_plugins\n"
        "before = 'fastapi' in sys.modules\n"
        "ensure_plugins_loaded()\n"
        "integrate_macros_plugins()\n"
        "assert 'ledger_coverage_plugin' in sys.modules\n"
        "assert 'ledger_coverage_page' not in sys.modules\n"
        "assert before or 'fastapi' not in sys.modules\n"
    )
    folder = {"AIRFLOW__CORE__PLUGINS_FOLDER": str(REPO / "plugins"), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], env=folder, check=True, cwd="/")
