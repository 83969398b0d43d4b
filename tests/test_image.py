"""The exporter's image, built without a container engine.

The Dockerfile's own steps run in a folder, with the locked packages and nothing else. Then the tests run the pods'
commands in it, as another user than root if possible.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stellar_etl_airflow.export.exports import Export
from stellar_etl_airflow.model.batch import ExportAttempt
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.operators.pods import PROGRAM
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.parsing import load
from tests.shared import REPO

DOCKERFILE = (REPO / "Dockerfile").read_text()
VARIABLES = json.loads((REPO / "airflow_variables.json").read_text())


def stages():
    """Return the instructions of each stage, as (name, rest)."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", "")
    instructions = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    starts = [number for number, (name, _) in enumerate(instructions) if name == "FROM"]
    return [instructions[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


@pytest.fixture(scope="module")
def image():
    """Run the build stage in a publicly readable folder; return a function from the image's paths to local ones."""
    root = Path(tempfile.mkdtemp(prefix="image-"))
    root.chmod(0o755)
    (root / "opt").mkdir()

    def place(path):
        return f"{root}{path}"

    tools = {"python ": f"{shlex.quote(sys.executable)} ", "pip ": f"{shlex.quote(sys.executable)} -m pip "}
    for name, rest in stages()[0][1:]:
        if name == "COPY":
            source, target = rest.split()
            copied = Path(place(target))
            if (REPO / source).is_dir():
                shutil.copytree(REPO / source, copied, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                copied.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPO / source, copied)
            continue
        assert name == "RUN", name
        command = re.sub(r"(?<![\w/])(/opt|/build)/", rf"{root}\1/", rest)
        for tool, here in tools.items():
            command = re.sub(rf"(^|&& +){tool}", rf"\1{here}", command)
        subprocess.run(command, shell=True, check=True, executable="/bin/sh", capture_output=True)
    yield place
    shutil.rmtree(root)


def can_be_another():
    """Return whether another user may start this Python: not if it is below /root."""
    python = Path(sys.executable).resolve()
    return os.geteuid() == 0 and all(folder.stat().st_mode & 0o001 for folder in (python, *python.parents))


def run(image, *arguments, **options):
    """Start the program as a pod does, by its name on the image's PATH, with nothing else in its environment."""
    (settings,) = (rest for name, rest in stages()[1] if name == "ENV")
    (user,) = (rest for name, rest in stages()[1] if name == "USER")
    uid, gid = map(int, user.split(":"))
    path = re.search(r'PATH="([^:]+):', settings)[1]
    assert uid > 0 and gid > 0
    if can_be_another():
        options |= {"user": uid, "group": gid, "extra_groups": []}
    return subprocess.run(
        [f"{image(path)}/{PROGRAM}", *arguments],
        env={},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_the_entry_point_is_the_command_of_pods():
    (entry,) = (json.loads(rest) for name, rest in stages()[1] if name == "ENTRYPOINT")
    assert entry == [PROGRAM]


def test_both_stages_have_one_base_image_pinned_to_an_exact_version():
    bases = {stage[0][1].removesuffix(" AS build") for stage in stages()}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", bases.pop())


def test_the_image_has_exactly_the_locked_packages(image):
    found = {
        path.name.split("-")[0].lower().replace("_", "-")
        for path in Path(image("/opt/stellar-etl")).rglob("*.dist-info")
    }
    locked = set(re.findall(r"^([a-z0-9-]+)==", (REPO / "requirements" / "exporter.txt").read_text(), re.MULTILINE))
    assert found == locked


@pytest.mark.parametrize("lock", ["exporter.txt", "tests.txt"])
def test_a_lock_has_the_versions_of_the_stack(lock):
    """The image, the tests and the stack have the same versions."""

    def versions(name):
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (REPO / "requirements" / name).read_text(), re.MULTILINE))

    locked, stack = versions(lock), versions("stack.txt")
    assert {name: version for name, version in locked.items() if stack.get(name, version) != version} == {}
    assert lock != "exporter.txt" or locked.keys() <= stack.keys()


def test_the_image_prints_its_help(image):
    done = run(image, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "export_all_history" in done.stdout


def test_the_image_exports_the_same_as_the_checkout_for_a_pods_arguments(image, lake, tmp_path):
    shutil.copytree(lake, image("/lake"), dirs_exist_ok=True)
    output = Path(image("/output"))
    output.mkdir()
    output.chmod(0o777)
    volume = {"volume_config": {"emptyDir": {}}, "volume_name": "v", "image_output_path": str(output)}
    volume |= {"local_output_path": "/l", "output_path": "/p", "txmeta_datastore_path": image("/lake")}
    settings = load(ExportSettings, (VARIABLES | volume).get)
    types = (
        "ledgers",
        "transactions",
        "operations",
        "effects",
        "trades",
        "contract_events",
        "token_transfers",
        "assets",
    )
    (step,) = Export(settings, types, LedgerRange(5, 9), {"batch_id": "x"}).steps(
        ExportAttempt(LedgerRange(5, 9), "a/prefix", "2026-01-01T00:00:00Z")
    )
    done = run(image, *step.arguments)
    assert done.returncode == 0, done.stderr
    expected = [argument.replace(str(output), str(tmp_path)) for argument in step.arguments]
    subprocess.run([sys.executable, "-m", "stellar_etl", *expected], cwd=REPO, check=True, capture_output=True)
    found = sorted(output.rglob("*.txt"))
    assert len(found) == len(types)
    for path in found:
        assert path.read_bytes() == (tmp_path / path.relative_to(output)).read_bytes(), path.name
        assert not can_be_another() or path.stat().st_uid != 0


def test_the_image_has_the_schema_files(image, lake, tmp_path):
    """Rows of `config_settings` have all columns of the table's schema."""
    shutil.copytree(lake, image("/lake"), dirs_exist_ok=True)
    output = Path(image("/settings"))
    output.mkdir()
    output.chmod(0o777)
    arguments = ("export_ledger_entry_changes", "--export-config-settings", "-s", "3", "-e", "9")
    done = run(image, *arguments, "--datastore-path", image("/lake"), "-o", str(output))
    assert done.returncode == 0, done.stderr
    subprocess.run(
        [sys.executable, "-m", "stellar_etl", *arguments, "--datastore-path", str(lake), "-o", str(tmp_path)],
        cwd=REPO,
        check=True,
        capture_output=True,
    )
    found = (output / "3-9-config_settings.txt").read_bytes()
    assert found
    assert found == (tmp_path / "3-9-config_settings.txt").read_bytes()
