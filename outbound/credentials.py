"""Secrets of receivers, read by the sending worker from Secret Manager or Vault only."""

from __future__ import annotations

import base64
import os
import re
from typing import Any

import google.auth
import requests
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession

SECRET_MANAGER = re.compile(r"projects/[^/]+/secrets/[^/]+/versions/[^/]+")
VAULT = re.compile(r"vault:(?P<path>[^#]+)#(?P<field>[^#]+)")
ENDPOINT = "SECRET_MANAGER_ENDPOINT"
"""The address of a stand-in of Secret Manager, with its scheme."""
SECONDS = 30


class SecretError(RuntimeError):
    """A secret can't be read; the message names the reference, never the value."""


def read_secret(reference: str) -> str:
    """Return the secret that a reference names.

    Args:
        reference: `projects/P/secrets/S/versions/V` of Secret Manager, read with the worker's service account; or
            `vault:path#field`, read from `VAULT_ADDR` with `VAULT_TOKEN`.

    Raises:
        SecretError: the reference is of another form, or can't be read.
    """
    try:
        if SECRET_MANAGER.fullmatch(reference):
            return _from_secret_manager(reference)
        if found := VAULT.fullmatch(reference):
            return _from_vault(found["path"], found["field"])
    except (requests.RequestException, KeyError, ValueError, google.auth.exceptions.GoogleAuthError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        reason = f"HTTP status {status}" if status else type(error).__name__
        raise SecretError(f"the secret {reference!r} can't be read: {reason}") from None
    raise SecretError(f"{reference!r} is not a reference to a secret of Secret Manager or Vault")


def _from_secret_manager(name: str) -> str:
    endpoint = os.environ.get(ENDPOINT)
    if endpoint:
        credentials: Any = AnonymousCredentials()
    else:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    session = AuthorizedSession(credentials)
    answer = session.get(f"{endpoint or 'https://secretmanager.googleapis.com'}/v1/{name}:access", timeout=SECONDS)
    answer.raise_for_status()
    return base64.b64decode(answer.json()["payload"]["data"]).decode()


def _from_vault(path: str, field: str) -> str:
    answer = requests.get(
        f"{os.environ['VAULT_ADDR'].rstrip('/')}/v1/{path}",
        headers={"X-Vault-Token": os.environ["VAULT_TOKEN"]},
        timeout=SECONDS,
    )
    answer.raise_for_status()
    data = answer.json()["data"]
    # Version 2 of the key-value engine wraps the fields in a further object.
    fields = data["data"] if isinstance(data.get("data"), dict) else data
    return str(fields[field])
