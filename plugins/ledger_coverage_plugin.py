"""The page *Ledger coverage* in Airflow's UI: the ledgers of each table, its newest data, and its cost.

Every process of Airflow imports this file, workers for each task. Only the API server needs the app: it reads
`fastapi_apps`, which imports the app.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

PATH = "/ledger-coverage"
"""The app's mount path in the API server."""


class LedgerCoveragePlugin(AirflowPlugin):
    """An app of the API server, and a menu entry for its page."""

    name = "ledger_coverage"
    # Without a slash in front: relative to the UI's own address, which may be below a path.
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Ledger coverage",
            "href": f"{PATH[1:]}/",
            "url_route": "ledger-coverage",
            "destination": "nav",
            "category": "browse",
        }
    ]

    @cached_property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]
        """The app, created once."""
        from ledger_coverage_page.app import make_app

        return [{"app": make_app(), "url_prefix": PATH, "name": "Ledger coverage"}]
