"""The location of the summary, the only file that the page reads. A task of the DAG `ledger_coverage` writes it."""

from __future__ import annotations

from airflow.models import Variable
from airflow.providers.google.cloud.hooks.gcs import GCSHook
from google.api_core.exceptions import NotFound

CONNECTION = "google_cloud_platform_connection"
"""The project's Google connection."""

BUCKET, PREFIX = "gcs_exported_data_bucket_name", "gcs_exported_object_prefix"
"""The Variables with its location."""


class NoSummaryError(Exception):
    """The summary does not exist or cannot be read; the message says what to do."""


def object_name(prefix: str) -> str:
    """Return the summary's name in the bucket, the same as in the task that writes it."""
    return f"coverage_page/{prefix}/summary.json"


def read_summary() -> bytes:
    """Read the summary unchanged.

    Raises:
        NoSummaryError: it does not exist.
    """
    bucket, prefix = (Variable.get(key, default_var=None) for key in (BUCKET, PREFIX))
    if not bucket or not prefix:
        raise NoSummaryError(f"Airflow Variables {BUCKET!r} and {PREFIX!r} are not set: import airflow_variables.json")
    blob = GCSHook(gcp_conn_id=CONNECTION).get_conn().bucket(bucket).blob(object_name(prefix))
    try:
        return bytes(blob.download_as_bytes())
    except NotFound:
        raise NoSummaryError(
            f"gs://{bucket}/{object_name(prefix)} does not exist yet: the DAG ledger_coverage writes it at its end"
        ) from None
