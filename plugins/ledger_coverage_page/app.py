"""The app: one page, its files, and the summary. All of it is read-only, and for users who may read the DAG's runs."""

from __future__ import annotations

import logging
from pathlib import Path

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Response

from ledger_coverage_page.summary import NoSummaryError, read_summary

log = logging.getLogger(__name__)

DAG = "ledger_coverage"
"""The DAG with the findings of the page: users who may read its runs may read the page."""

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
PAGE = "index.html"

HEADERS = {
    # The page loads nothing from other origins, and other origins may not embed it in a frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def make_app() -> FastAPI:
    """Create the app. A dependency of the whole app refuses users without the permission, on each route."""
    permission = Depends(requires_access_dag("GET", DagAccessEntity.RUN, DAG))
    app = FastAPI(title="Ledger coverage", dependencies=[permission], openapi_url=None, docs_url=None, redoc_url=None)
    files = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in TYPES}

    def file(name: str) -> Response:
        return Response(files[name], media_type=TYPES[Path(name).suffix], headers=HEADERS)

    @app.get("/")
    def page() -> Response:
        """The page."""
        return file(PAGE)

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        """A file of the page."""
        if name not in files:
            raise HTTPException(404, f"the file {name} does not exist")
        return file(name)

    @app.get("/summary")
    def summary() -> Response:
        """The summary, byte for byte as the task wrote it."""
        try:
            return Response(read_summary(), media_type="application/json", headers=HEADERS)
        except NoSummaryError as error:
            raise HTTPException(404, str(error)) from None
        except Exception:  # the client's message can contain hosts and credentials: it stays in the server's log
            log.exception("the summary could not be read")
            raise HTTPException(502, "the bucket could not be read: see the log of Airflow's API server") from None

    return app
