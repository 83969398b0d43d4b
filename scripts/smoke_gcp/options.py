"""The command line and its names."""

from __future__ import annotations

import argparse
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

EMULATORS = ("BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST")
LONGEST_BUCKET = 63
"""Characters of a bucket's name (https://cloud.google.com/storage/docs/buckets#naming)."""


class SmokeError(Exception):
    """A check failed; the message has the problem and the remedy."""


@dataclass(frozen=True)
class Options:
    """The options of a run.

    Attributes:
        project: The Google Cloud project.
        location: The location of the dataset and the bucket.
        price_per_tib: US dollars for each TiB that is billed.
        keep: Whether to keep the dataset and the bucket.
        suffix: The suffix of the names of this run's dataset and bucket.
        folder: This machine's folder for ledgers, Airflow and logs.
    """

    project: str
    location: str
    price_per_tib: float
    keep: bool
    suffix: str
    folder: Path

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return f"stellar_smoke_{self.suffix}"

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        ending = f"-stellar-smoke-{self.suffix.replace('_', '-')}"
        return self.project[: LONGEST_BUCKET - len(ending)] + ending

    @property
    def removal(self) -> list[str]:
        """The commands that delete the resources of the run."""
        return [
            f"bq rm -r -f --dataset {self.project}:{self.dataset}",
            f"gcloud storage rm --recursive gs://{self.bucket} --project={self.project}",
        ]


def uses_stand_ins() -> bool:
    """Whether the environment selects the stand-ins.

    Raises:
        SmokeError: It selects only one of them.
    """
    given = [name for name in EMULATORS if os.environ.get(name)]
    if len(given) == 1:
        raise SmokeError(f"{given[0]} is set: set both of {', '.join(EMULATORS)} to use the stand-ins, or neither")
    return bool(given)


def project_id(text: str) -> str:
    """A project's id, for argparse."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{2,28}[a-z0-9]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a project's id")
    return text


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        prog="scripts/smoke_gcp.sh",
        description="Loads a few ledgers into a new dataset of the real BigQuery, through a new bucket of Cloud "
        "Storage, and checks rows, jobs and billed bytes. Deletes the dataset and the bucket at the end, also after a "
        "failure and Ctrl-C.",
        epilog="It needs a project with billing, the roles bigquery.user, storage.admin and secretmanager.admin on "
        "it, the service secretmanager.googleapis.com, and credentials: "
        "gcloud auth application-default login. A run costs a few cents. docs/production.md lists what it proves.",
    )
    made.add_argument("--project", required=True, type=project_id, help="the Google Cloud project")
    made.add_argument("--location", default="us-central1", help="of the dataset and the bucket (default: us-central1)")
    made.add_argument(
        "--keep", action="store_true", help="keep the dataset and the bucket, and print how to delete them"
    )
    made.add_argument("--dry-run", action="store_true", help="print names and steps, and do nothing")
    made.add_argument("--folder", type=Path, metavar="DIR", help="for ledgers and logs (default: .local/smoke)")
    made.add_argument(
        "--price-per-tib", type=float, default=6.25, metavar="USD", help="of on-demand queries (default: 6.25)"
    )
    return made


def options_of(arguments: argparse.Namespace, folder: Path) -> Options:
    """Return the options from the arguments.

    Args:
        arguments: The parsed command line.
        folder: The default of `--folder`.
    """
    suffix = f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(2)}"
    place = (arguments.folder or folder).resolve() / suffix
    return Options(arguments.project, arguments.location, arguments.price_per_tib, arguments.keep, suffix, place)
