"""The steps of a deployment and their order, in a copy of the tree.

Programs in place of gcloud and of the upload record their arguments.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess

import pytest

from tests.shared import REPO

IMAGE = "europe-west1-docker.pkg.dev/p/r/stellar-etl@sha256:" + "0" * 64
NOTES = """#!/usr/bin/env bash
echo "${0##*/} $*" >> "$NOTES/calls"
if [[ "$1 $2" = "storage cp" ]]; then cp "$3" "$NOTES"; fi
"""


@pytest.fixture
def deploy(tmp_path):
    """Run the script; return its result, and the folder of records."""
    tree, notes = tmp_path / "tree", tmp_path / "notes"
    for name in ("dags", "environments", "requirements", "schemas", "scripts"):
        shutil.copytree(REPO / name, tree / name)
    for name in ("airflow_pools.json", "airflow_variables.json", "pyproject.toml"):
        shutil.copy(REPO / name, tree)
    (tree / ".venv").symlink_to(REPO / ".venv")
    notes.mkdir()
    for program in (notes / "gcloud", tree / "upload_static_to_gcs.sh"):
        program.write_text(NOTES)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def deploy(*arguments):
        environment = {**os.environ, "PATH": f"{notes}:{os.environ['PATH']}", "NOTES": str(notes)}
        done = subprocess.run(
            [tree / "scripts" / "deploy.sh", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        calls = (notes / "calls").read_text().splitlines() if (notes / "calls").exists() else []
        return done, calls, notes

    return deploy


def test_pools_come_first_then_variables_with_the_image_then_dags(deploy):
    done, calls, notes = deploy("staging", "an-environment", "europe-west1", "a-bucket", IMAGE)
    assert done.returncode == 0, done.stderr
    run = "gcloud composer environments run an-environment --location=europe-west1"
    data, mounted = "gs://a-bucket/data/stellar-etl", "/home/airflow/gcs/data/stellar-etl"
    assert [re.sub(r" cp \S*/(?=\S+ gs:)", " cp ", call) for call in calls] == [
        f"gcloud storage cp airflow_pools.json {data}/airflow_pools.json",
        f"{run} pools import -- {mounted}/airflow_pools.json",
        f"gcloud storage cp airflow_variables.json {data}/airflow_variables.json",
        f"{run} variables import -- {mounted}/airflow_variables.json",
        "upload_static_to_gcs.sh a-bucket",
        f"gcloud storage cp image_variable.json {data}/image_variable.json",
        f"{run} variables import -- {mounted}/image_variable.json",
    ]
    variables = json.loads((notes / "airflow_variables.json").read_text())
    staging = json.loads((REPO / "environments" / "staging.json").read_text())
    expected = json.loads((REPO / "airflow_variables.json").read_text()) | staging
    expected.pop("image_name")
    assert variables == expected
    assert json.loads((notes / "image_variable.json").read_text()) == {"image_name": IMAGE}
    assert (notes / "airflow_pools.json").read_bytes() == (REPO / "airflow_pools.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("staging",), 2, "usage: scripts/deploy.sh NAME"),
        (("nowhere", "e", "l", "b", IMAGE), 1, "nowhere"),
        (("staging", "e", "l", "b", ""), 1, "image_name"),
    ],
)
def test_nothing_is_changed_before_all_checks_pass(deploy, arguments, status, said):
    done, calls, _ = deploy(*arguments)
    assert (done.returncode, calls) == (status, [])
    assert said in done.stderr


@pytest.mark.parametrize("arguments", [(), ("docker.io/me/stellar-etl", "tag"), ("europe-docker.pkg.dev/p/r/i", "a b")])
def test_an_image_is_pushed_to_artifact_registry_only(arguments):
    done = subprocess.run([REPO / "scripts" / "push_image.sh", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: scripts/push_image.sh LOCATION-docker.pkg.dev/")
