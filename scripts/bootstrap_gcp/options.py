"""The command line: options, each of which may come from the environment too."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from scripts.bootstrap_gcp.cloud import SetupError
from scripts.bootstrap_gcp.wanted import NODE_POOL, PUBLIC_LAKE, SHIPPED, Wanted
from stellar_etl_airflow.model.network import PASSPHRASES
from stellar_etl_airflow.settings.environments import read_variables


def matching(pattern: str, what: str) -> Callable[[str], str]:
    """A reader of names for argparse."""

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


PROJECT = matching(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "project's id")


REGION = matching(r"[a-z]+-[a-z]+[0-9]+", "region, such as us-central1")


PLACE = matching(r"|[a-z]+-[a-z]+[0-9]+|us|eu", "place for data: a region, us or eu")


NAME = matching(r"[a-z][a-z0-9-]*[a-z0-9]", "name: small letters, digits and hyphens")


SHORT_NAME = matching(r"[a-z][a-z0-9-]{0,18}[a-z0-9]", "name of 2 to 20 small letters, digits and hyphens")


BUCKET = matching(r"|[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", "bucket's name")


DATASET = matching(r"[A-Za-z0-9_]{1,1024}", "dataset's name: letters, digits and underscores")


PUBLIC_DATASET = matching(r"[A-Za-z0-9_]{0,1024}", "dataset's name: letters, digits and underscores")


def parser() -> argparse.ArgumentParser:
    """The options; each may come from the environment too."""
    made = argparse.ArgumentParser(
        prog="scripts/bootstrap_gcp.sh",
        description="Sets up Google Cloud for the DAGs: makes what is missing, changes what differs, leaves alone what "
        "is as it shall be, and prints each command. Run it again at any time.",
        epilog="An option that is not given comes from the environment: --export-bucket from BOOTSTRAP_EXPORT_BUCKET.",
    )

    def add(option: str, text: str, default: str | None = None, **more: Any) -> None:
        given = os.environ.get("BOOTSTRAP_" + option.upper().replace("-", "_"), default)
        shown = f"{text} (default: {default})" if default else text
        made.add_argument(f"--{option}", default=given, required=given is None, help=shown, **more)

    made.add_argument("--dry-run", action="store_true", help="print the commands, and run only those that look")
    add("project", "the Google Cloud project", type=PROJECT)
    add("location", "the region of Composer, its bucket and the cluster", "us-central1", type=REGION)
    add("data-location", "where exports and datasets lie: a region, us or eu; empty: --location", "", type=PLACE)
    add("place", "where pods run: in Composer 3's own cluster, or in a GKE cluster of yours", "composer3",
        choices=["composer3", "composer2", "gke"])  # fmt: skip
    add(
        "name",
        "the Composer environment, and what the service accounts' names begin with",
        "stellar-etl",
        type=SHORT_NAME,
    )
    add("image-version", "Composer's image", "composer-3-airflow-3")
    add("export-bucket", "the bucket that pods write to; empty: PROJECT-NAME-exports", "", type=BUCKET)
    add("airflow-bucket", "Composer's bucket; empty: PROJECT-NAME-airflow", "", type=BUCKET)
    add("dataset", "the dataset that tables are published in", "stellar", type=DATASET)
    add("public-dataset", "a second dataset that they are published in; empty: none", "", type=PUBLIC_DATASET)
    add("stellar-network", "whose ledgers", "pubnet", choices=sorted(PASSPHRASES))
    add("lake", "the lake of ledgers, gs://… or https://…; empty: the public network's", "")
    add("image", "the exporter's image; empty: that of airflow_variables.json", "")
    add("namespace", "gke: the pods' namespace", "stellar-etl", type=NAME)
    add("network", "gke: the VPC network, and its subnetwork", "stellar-etl", type=NAME)
    add("cluster", "gke: the cluster", "stellar-etl", type=NAME)
    add("machine-type", f"gke: the machines of the node pool {NODE_POOL}", "e2-standard-4", type=NAME)
    add("max-nodes", "gke: how many of them at most", "4", type=int)
    add("folder", "where files that the commands read are kept; empty: .gcp/NAME", "", metavar="FOLDER")
    add("variables", "a file of Airflow Variables of your own, which win over all others", "", metavar="FILE")
    made.add_argument("--env", action="append", default=[], type=assignment, metavar="STELLAR_ETL_…=VALUE",
        help="a variable of the workers' environment, such as STELLAR_ETL_SCHEDULE; may be repeated")  # fmt: skip
    return made


def wanted_of(options: argparse.Namespace) -> Wanted:
    """What the options ask for.

    Raises:
        SetupError: they don't go together.
    """
    if options.place == "composer2":
        # https://cloud.google.com/composer/docs/composer-versioning-overview
        raise SetupError("--place composer2: Composer 2 has Airflow 2 alone, and the DAGs need 3: composer3, or gke")
    if options.stellar_network != "pubnet" and not options.lake:
        raise SetupError(f"--stellar-network {options.stellar_network} needs --lake: only pubnet has a public one")
    own = read_variables(Path(options.variables)) if options.variables else {}
    prefix = f"{options.project}-{options.name}"
    given = vars(options) | {
        "data_location": options.data_location or options.location,
        "export_bucket": options.export_bucket or f"{prefix}-exports",
        "airflow_bucket": options.airflow_bucket or f"{prefix}-airflow",
        "lake": options.lake or PUBLIC_LAKE,
        "image": options.image or read_variables(SHIPPED)["image_name"],
        "environment": dict(options.env),
        "own_variables": own,
    }
    return Wanted(**{field.name: given[field.name] for field in fields(Wanted)})
