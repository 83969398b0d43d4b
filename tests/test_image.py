"""The images of the exporter and of dbt, built without a container engine.

The Dockerfile's own steps run in a folder, with the locked packages and nothing else. Then the tests run the pods'
commands in it, as another user than root if possible.
"""

from __future__ import annotations

import fnmatch
import functools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from stellar_etl_airflow.export.exports import Export
from stellar_etl_airflow.model.batch import ExportAttempt
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.operators.pods import PROGRAM
from stellar_etl_airflow.settings.export import ExportSettings
from stellar_etl_airflow.settings.parsing import load
from stellar_etl_airflow.tasks.build_dbt_task import DbtOperator
from tests.images import Image, built, can_be_another
from tests.shared import REPO

VARIABLES = json.loads((REPO / "airflow_variables.json").read_text())
DOCKERFILES = {"Dockerfile": "exporter.txt", "dbt/Dockerfile": "dbt.txt"}
"""The lock of each Dockerfile with two stages."""


@pytest.fixture(scope="module")
def exporter(pytestconfig):
    with built("Dockerfile", pip=pytestconfig.getoption("--all")) as image:
        yield image


@pytest.fixture
def image(exporter):
    """The image of the exporter: a function from its paths to local ones."""
    return exporter.place


@pytest.fixture
def run(exporter):
    """Start the program as a pod does, with nothing else in its environment."""
    return functools.partial(exporter.run, PROGRAM)


def test_the_entry_point_is_the_command_of_pods():
    assert json.loads(Image("Dockerfile").only("ENTRYPOINT")) == [PROGRAM]
    assert json.loads(Image("dbt/Dockerfile").only("ENTRYPOINT")) == DbtOperator(task_id="a", select=(), days=1).cmds


def test_all_stages_have_one_base_image_pinned_to_an_exact_version():
    bases = {stage[0][1].removesuffix(" AS build") for one in DOCKERFILES for stage in Image(one).stages}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", bases.pop())


def test_packages_are_installed_from_the_lock_with_hashes_and_the_user_is_not_root():
    for dockerfile, lock in DOCKERFILES.items():
        image = Image(dockerfile)
        (install,) = (rest for name, rest in image.stages[0] if name == "RUN" and "install" in rest)
        assert "--require-hashes" in install
        assert f"-r /build/{lock}" in install
        assert min(map(int, image.only("USER").split(":"))) > 0


def sent_to_the_engine(ignored, path):
    """Return whether a container engine gets a file. The last matching pattern of a .dockerignore file decides."""
    sent = True
    for pattern in (line.strip() for line in ignored.splitlines()):
        if pattern and not pattern.startswith("#"):
            plain = pattern.removeprefix("!")
            names = [path, *(str(folder) for folder in Path(path).parents)]
            if any(Path(name).match(plain) if "**" in plain else fnmatch.fnmatch(name, plain) for name in names):
                sent = pattern.startswith("!")
    return sent


@pytest.mark.parametrize("dockerfile", [*DOCKERFILES, "outbound/Dockerfile"])
def test_the_container_engine_gets_all_files_that_a_dockerfile_copies(dockerfile):
    own = REPO / f"{dockerfile}.dockerignore"
    ignored = (own if own.exists() else REPO / ".dockerignore").read_text()
    copied = re.findall(r"^COPY (?!--from)(\S+)", (REPO / dockerfile).read_text(), re.MULTILINE)
    assert copied
    for source in copied:
        path = REPO / source
        files = [path] if path.is_file() else [*path.rglob("*.py"), *path.rglob("*.json"), *path.rglob("*.sql")]
        assert files
        lost = [file for file in files if not sent_to_the_engine(ignored, str(file.relative_to(REPO)))]
        assert lost == []
    assert not sent_to_the_engine(ignored, "airflow_variables.json")


def packages_of(image):
    """Return the names of the packages that an image has."""
    found = image.root.glob("opt/*/lib/python3*/site-packages/*.dist-info")
    return {path.name.split("-")[0].lower().replace("_", "-") for path in found}


def locked_in(lock):
    """Return the names of the packages of a lock file that are for this platform."""
    lines = re.findall(r"^[a-z0-9-]+==[^\\\n]+", (REPO / "requirements" / lock).read_text(), re.MULTILINE)
    return {one.name for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate()}


@pytest.mark.slow
def test_the_image_has_exactly_the_locked_packages(exporter):
    assert packages_of(exporter) == locked_in("exporter.txt")


@pytest.mark.slow
def test_the_dbt_image_has_the_locked_packages_and_compiles_the_project():
    with built("dbt/Dockerfile") as image:
        assert packages_of(image) == locked_in("dbt.txt")
        names = {"DBT_PROJECT": "local", "DBT_SOURCE_DATASET": "stellar", "DBT_DATASET": "models"}
        environment = {name: value for name, value in image.environment.items() if name != "PATH"}
        environment |= {name: image.place(environment[name]) for name in ("DBT_PROJECT_DIR", "DBT_PROFILES_DIR")}
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o777)
            environment |= {"DBT_LOG_PATH": f"{folder}/logs", "DBT_TARGET_PATH": f"{folder}/target"}
            done = image.run("dbt", "parse", "--no-partial-parse", env=environment | names, cwd=folder)
            assert done.returncode == 0, done.stdout + done.stderr
            manifest = json.loads(Path(folder, "target", "manifest.json").read_text())
        assert "model.stellar.transfers_daily" in manifest["nodes"]


@pytest.mark.parametrize("lock", ["exporter.txt", "tests.txt"])
def test_a_lock_has_the_versions_of_the_stack(lock):
    """The image, the tests and the stack have the same versions."""

    def versions(name):
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (REPO / "requirements" / name).read_text(), re.MULTILINE))

    locked, stack = versions(lock), versions("stack.txt")
    assert {name: version for name, version in locked.items() if stack.get(name, version) != version} == {}
    assert lock != "exporter.txt" or locked.keys() <= stack.keys()


def test_the_image_prints_its_help(run):
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "export_all_history" in done.stdout


def test_the_image_exports_the_same_as_the_checkout_for_a_pods_arguments(image, run, lake, tmp_path):
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
    done = run(*step.arguments)
    assert done.returncode == 0, done.stderr
    expected = [argument.replace(str(output), str(tmp_path)) for argument in step.arguments]
    subprocess.run([sys.executable, "-m", "stellar_etl", *expected], cwd=REPO, check=True, capture_output=True)
    found = sorted(output.rglob("*.txt"))
    assert len(found) == len(types)
    for path in found:
        assert path.read_bytes() == (tmp_path / path.relative_to(output)).read_bytes(), path.name
        assert not can_be_another() or path.stat().st_uid != 0


def test_the_image_has_the_schema_files(image, run, lake, tmp_path):
    """Rows of `config_settings` have all columns of the table's schema."""
    shutil.copytree(lake, image("/lake"), dirs_exist_ok=True)
    output = Path(image("/settings"))
    output.mkdir()
    output.chmod(0o777)
    arguments = ("export_ledger_entry_changes", "--export-config-settings", "-s", "3", "-e", "9")
    done = run(*arguments, "--datastore-path", image("/lake"), "-o", str(output))
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
