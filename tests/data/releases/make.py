"""Record what a commit of this repository leaves in a deployment: `python tests/data/releases/make.py COMMIT`.

Writes COMMIT.json.gz beside this file: the Variables and pools that the commit ships, and each table and view that its
code makes, as BigQuery's API takes them. The commit's own code runs, against a client that records what it creates.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[2]
RECORDER = """
import json
from google.api_core.exceptions import NotFound
from stellar_etl_airflow.jobs import Warehouse
from stellar_etl_airflow.settings import WarehouseSettings, load
from stellar_etl_airflow.tables import PUBLISHED
from stellar_etl_airflow.build_batch_stats import ensure_stats
from stellar_etl_airflow.build_coverage_tasks import RecordOperator

class Client:
    made = []
    def get_table(self, name):
        raise NotFound(name)
    def create_table(self, table):
        self.made.append(table.to_api_repr())

variables = json.load(open("airflow_variables.json")) | {"schema_filepath": "schemas"}
variables |= {"bq_project": "local", "bq_dataset": "stellar"}
warehouse = Warehouse(Client(), load(WarehouseSettings, variables.get))
for table in PUBLISHED.values():
    warehouse.ensure_published(table)
    if table.entry_keys:
        warehouse.ensure_base(table)
ensure_stats(warehouse)
RecordOperator.prepare(None, None, warehouse)
json.dump(Client.made, open("made.json", "w"))
"""


def main(commit: str) -> None:
    """Write the file of a commit."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], check=True, capture_output=True, cwd=REPO).stdout
        subprocess.run(["tar", "-x"], input=archive, check=True, cwd=folder)
        environment = {**os.environ, "PYTHONPATH": f"{folder}/dags"}
        subprocess.run([sys.executable, "-c", RECORDER], check=True, cwd=folder, env=environment)
        release = {
            "commit": commit,
            "variables": json.loads(Path(folder, "airflow_variables.json").read_text()),
            "pools": json.loads(Path(folder, "airflow_pools.json").read_text()),
            "tables": json.loads(Path(folder, "made.json").read_text()),
        }
    content = json.dumps(release, ensure_ascii=False, separators=(",", ":")).encode()
    (HERE / f"{commit}.json.gz").write_bytes(gzip.compress(content, 9, mtime=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0].partition(":")[0])
    parser.add_argument("commit", metavar="COMMIT", help="a commit of this repository, by its hash")
    main(parser.parse_args().commit)
