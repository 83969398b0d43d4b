"""The command: `scripts/bootstrap_gcp.sh`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scripts.bootstrap_gcp.cloud import Cloud, SetupError
from scripts.bootstrap_gcp.options import parser, wanted_of
from scripts.bootstrap_gcp.steps import run
from scripts.bootstrap_gcp.wanted import REPO
from stellar_etl_airflow.settings.base import SettingsError


def main() -> int:
    """Exit status 0, or 1 with the problem on stderr."""
    options = parser().parse_args()
    os.chdir(REPO)
    os.umask(0o077)  # custom Variables can contain a secret
    try:
        wanted = wanted_of(options)
        folder = Path(options.folder or f".gcp/{wanted.name}")
        run(Cloud(wanted.project, options.dry_run, folder), wanted)
    except (SettingsError, SetupError) as error:
        print(f"bootstrap_gcp.sh: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
