"""The command line: options, each of which can also be set in the environment."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from scripts.bootstrap_gcp.cloud import SetupError
from scripts.bootstrap_gcp.image import tag
from scripts.bootstrap_gcp.secrets import read_secrets
from scripts.bootstrap_gcp.sizes import MILLIONS
from scripts.bootstrap_gcp.wanted import NODE_POOL, PUBLIC_LAKE, Wanted
from stellar_etl_airflow.model.network import PASSPHRASES
from stellar_etl_airflow.model.ranges import parse_utc
from stellar_etl_airflow.settings.environments import read_variables


def matching(pattern: str, what: str) -> Callable[[str], str]:
    """Return a parser of names for argparse."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"{text!r} is no {what}")
        return text

    return read


def assignment(text: str) -> tuple[str, str]:
    """`NAME=VALUE` of the workers' environment."""
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"STELLAR_ETL_[A-Z_]+", key):
        raise argparse.ArgumentTypeError(f"{text!r} is not STELLAR_ETL_…=VALUE")
    return key, value


SECRET_MANAGER = "secret-manager"  # noqa: S105  an option's value

PROJECT = matching(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "project's id")


REGION = matching(r"[a-z]+-[a-z]+[0-9]+", "region, such as us-central1")


PLACE = matching(r"|[a-z]+-[a-z]+[0-9]+|us|eu", "place for data: a region, us or eu")


NAME = matching(r"[a-z][a-z0-9-]*[a-z0-9]", "name: small letters, digits and hyphens")


SHORT_NAME = matching(r"[a-z][a-z0-9-]{0,18}[a-z0-9]", "name of 2 to 20 small letters, digits and hyphens")


BUCKET = matching(r"|[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", "bucket's name")


DATASET = matching(r"[A-Za-z0-9_]{1,1024}", "dataset's name: letters, digits and underscores")


PUBLIC_DATASET = matching(r"[A-Za-z0-9_]{0,1024}", "dataset's name: letters, digits and underscores")


def count(text: str) -> int | None:
    """A number, None for nothing."""
    return int(COUNT(text)) if text else None


COUNT = matching(r"[1-9][0-9]{0,3}", "number")


def database_days(text: str) -> int:
    """Parse days that Composer accepts (https://cloud.google.com/composer/docs/composer-3/configure-db-retention)."""
    if not text.isdecimal() or not 30 <= int(text) <= 730:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 30 to 730")
    return int(text)


def moment(text: str) -> str:
    """A time with its zone, or nothing."""
    try:
        return text and parse_utc("--start-date", text).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parser() -> argparse.ArgumentParser:
    """Return the options; each can also be set in the environment."""
    made = argparse.ArgumentParser(
        prog="scripts/bootstrap_gcp.sh",
        description="Sets up Google Cloud for the DAGs: creates what is missing, changes what differs, keeps what is "
        "up to date, and prints each command. Run it again at any time.",
        epilog="An option that is not given comes from the environment: --export-bucket from BOOTSTRAP_EXPORT_BUCKET.",
    )

    def add(option: str, text: str, default: str | None = None, **more: Any) -> None:
        given = os.environ.get("BOOTSTRAP_" + option.upper().replace("-", "_"), default)
        shown = f"{text} (default: {default})" if default else text
        made.add_argument(f"--{option}", default=given, required=given is None, help=shown, **more)

    made.add_argument("--dry-run", action="store_true", help="print the commands, and run only read-only ones")
    add("project", "the Google Cloud project", type=PROJECT)
    add("location", "the region of Composer, its bucket and the cluster", "us-central1", type=REGION)
    add("data-location", "the location of exports and datasets: a region, us or eu; empty: --location", "", type=PLACE)
    add("place", "the place of pods: Composer 3's own cluster, or a GKE cluster of yours", "composer3",
        choices=["composer3", "composer2", "gke"])  # fmt: skip
    add(
        "name",
        "the Composer environment, and the prefix of the service accounts' names",
        "stellar-etl",
        type=SHORT_NAME,
    )
    add("image-version", "Composer's image", "composer-3-airflow-3")
    add("export-bucket", "the bucket that pods write to; empty: PROJECT-NAME-exports", "", type=BUCKET)
    add("airflow-bucket", "Composer's bucket; empty: PROJECT-NAME-airflow", "", type=BUCKET)
    add("dataset", "the dataset that tables are published in", "stellar", type=DATASET)
    add("public-dataset", "a second dataset that they are published in; empty: none", "", type=PUBLIC_DATASET)
    add("stellar-network", "the Stellar network", "pubnet", choices=sorted(PASSPHRASES))
    add("lake", "the lake of ledgers, gs://… or https://…; empty: the public network's", "")
    add("image", "the exporter's image; empty: build it from this checkout, in a registry of the project", "")
    add("start-date", "start of schedules, such as 2026-01-01T00:00:00Z; empty: the day on which the environment is "
        "created", "", type=moment)  # fmt: skip
    add("size", "million operations of the network per day: the size of a new Composer environment and of a new node "
        "pool", "5", choices=MILLIONS)  # fmt: skip
    add("min-workers", "minimum of Airflow's workers; empty: from --size, existing values stay", "", type=count)
    add("max-workers", "maximum of Airflow's workers; empty: from --size, existing values stay", "", type=count)
    add("export-days", "days after which exported files are deleted", "30", type=int)
    add("log-days", "days after which task logs are deleted", "60", type=int)
    add("database-days", "days for which Airflow's database keeps runs, 30 to 730", "60", type=database_days)
    add("namespace", "gke: the pods' namespace", "stellar-etl", type=NAME)
    add("network", "gke: the VPC network, and its subnetwork", "stellar-etl", type=NAME)
    add("cluster", "gke: the cluster", "stellar-etl", type=NAME)
    add("machine-type", f"gke: the machines of the node pool {NODE_POOL}", "e2-standard-4", type=NAME)
    add("max-nodes", "gke: the most machines; empty: from --size, existing values stay", "", type=count)
    add("folder", "the folder of files that the commands read; empty: .gcp/NAME", "", metavar="FOLDER")
    add("variables", "a file of your own Airflow Variables, which override all others", "", metavar="FILE")
    add("secrets-backend", "the secrets backend that Airflow reads before its database; empty: none", "",
        choices=["", SECRET_MANAGER])  # fmt: skip
    add("secrets", "a file of secrets to store in the backend, or - for standard input", "", metavar="FILE")
    made.add_argument("--env", action="append", default=[], type=assignment, metavar="STELLAR_ETL_…=VALUE",
        help="a variable of the workers' environment, such as STELLAR_ETL_SCHEDULE; can be repeated")  # fmt: skip
    return made


def wanted_of(options: argparse.Namespace) -> Wanted:
    """Return the wanted state from the options.

    Raises:
        SetupError: they contradict each other.
    """
    if options.place == "composer2":
        # https://cloud.google.com/composer/docs/composer-versioning-overview
        raise SetupError("--place composer2: Composer 2 has only Airflow 2, but the DAGs need 3: use composer3 or gke")
    if options.stellar_network != "pubnet" and not options.lake:
        raise SetupError(f"--stellar-network {options.stellar_network} needs --lake: only pubnet has a public one")
    if options.secrets and not options.secrets_backend:
        raise SetupError(f"--secrets needs --secrets-backend {SECRET_MANAGER}")
    own = read_variables(Path(options.variables)) if options.variables else {}
    prefix = f"{options.project}-{options.name}"
    given = vars(options) | {
        "data_location": options.data_location or options.location,
        "export_bucket": options.export_bucket or f"{prefix}-exports",
        "airflow_bucket": options.airflow_bucket or f"{prefix}-airflow",
        "lake": options.lake or PUBLIC_LAKE,
        "image": options.image
        or f"{options.location}-docker.pkg.dev/{options.project}/{options.name}/stellar-etl:{tag()}",
        "builds_image": not options.image,
        "image_given": bool(options.image),
        "environment": dict(options.env),
        "secret_manager": options.secrets_backend == SECRET_MANAGER,
        "secrets": read_secrets(options.secrets) if options.secrets else {},
        "own_variables": own,
    }
    return Wanted(**{field.name: given[field.name] for field in fields(Wanted)})
