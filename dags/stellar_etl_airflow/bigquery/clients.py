"""BigQuery's client for commands that run outside Airflow."""

from __future__ import annotations

import os

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery


def client_of(project: str) -> bigquery.Client:
    """Return a client with the credentials that Google's libraries find, or anonymous credentials for an emulator."""
    emulated = "BIGQUERY_EMULATOR_HOST" in os.environ
    return bigquery.Client(project, credentials=AnonymousCredentials() if emulated else None)
