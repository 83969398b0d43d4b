"""Import Variables or pools into the Airflow of a Composer environment.

`python -m scripts.composer_import ENVIRONMENT LOCATION BUCKET {variables,pools} FILE` does it for `scripts/deploy.sh`;
`scripts/bootstrap_gcp.sh` prints and runs the same commands. Standard library only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """A Composer environment, in gcloud's terms.

    Attributes:
        name: the environment.
        location: its region.
        bucket: its bucket, which Airflow's machines mount at /home/airflow/gcs
            (https://cloud.google.com/composer/docs/composer-3/cloud-storage).
        project: the Google Cloud project; empty: the one that gcloud is configured with.
    """

    name: str
    location: str
    bucket: str
    project: str = ""

    def url(self, file: str) -> str:
        """Return the URL of a file in the bucket."""
        return f"gs://{self.bucket}/data/stellar-etl/{file}"

    def path(self, file: str) -> str:
        """Return Airflow's path of a file in the bucket."""
        return f"/home/airflow/gcs/data/stellar-etl/{file}"

    def upload(self, file: Path) -> list[str]:
        """Return the command that copies a file into the bucket, under its own name."""
        return ["gcloud", "storage", "cp", str(file), self.url(file.name), *self._project]

    def load(self, what: str, file: str, *options: str) -> list[str]:
        """Return the command that lets Airflow import `variables` or `pools` from a file of the bucket.

        Args:
            what: `variables` or `pools`.
            file: the file's name.
            options: further options of Airflow's command.
        """
        run = ["gcloud", "composer", "environments", "run", self.name, *self._project, f"--location={self.location}"]
        return [*run, what, "import", "--", self.path(file), *options]

    @property
    def _project(self) -> list[str]:
        return [f"--project={self.project}"] if self.project else []


def main() -> int:
    """Run both commands; return the exit status of the first that fails, or 0."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.composer_import", description=(__doc__ or "").split("\n")[0]
    )
    for name in ("environment", "location", "bucket"):
        parser.add_argument(name)
    parser.add_argument("what", choices=("variables", "pools"))
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    environment = Environment(options.environment, options.location, options.bucket)
    for command in (environment.upload(options.file), environment.load(options.what, options.file.name)):
        if status := subprocess.run(command, check=False).returncode:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
