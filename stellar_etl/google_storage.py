"""Google Cloud Storage: client, retries, errors. Imported on first use: the client library takes a second to load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.exceptions import RequestException

from stellar_etl.errors import ExportError
from stellar_etl.patience import patience


def client() -> storage.Client:
    """Return a client with the machine's credentials, or without credentials for an emulator.

    Raises:
        ExportError: there are no credentials.
    """
    return _client_of(os.getpid())


@cache
def _client_of(process: int) -> storage.Client:  # noqa: ARG001 one that was forked must not share its connections
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return storage.Client(project="emulator", credentials=AnonymousCredentials())
    try:
        return storage.Client()
    except GoogleAuthError as error:
        raise ExportError(f"no credentials for Google Cloud Storage: {error}") from None


@contextmanager
def problems_of(problem: str) -> Iterator[None]:
    """Turn errors of the service and its client library into one line; a missing object stays `NotFound`.

    Raises:
        ExportError: beginning with `problem`.
    """
    try:
        yield
    except NotFound:
        raise
    except (GoogleAPICallError, RetryError, GoogleAuthError, RequestException, DataCorruption) as error:
        raise ExportError(f"{problem}: {error}") from None


def retry() -> Retry:
    """Return the retry policy of one request, which ends after `patience()` seconds.

    Raises:
        ExportError: the environment variable is not a number of seconds.
    """
    retry: Retry = DEFAULT_RETRY.with_timeout(patience())
    return retry
