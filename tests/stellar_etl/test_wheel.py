"""The installed wheel has every module and schema file, and writes the same files as a checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.shared import REPO
from tests.stellar_etl.program import succeed

UV = str(Path(sys.executable).with_name("uv"))
SCHEMAS = {f"stellar_etl/schemas/{path.name}" for path in (REPO / "schemas").glob("*.json")}


def call(*arguments: object, cwd: Path) -> None:
    """Run a program without the checkout in its environment."""
    done = subprocess.run([*map(str, arguments)], cwd=cwd, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of its sources, because a build leaves files beside them."""
    tree = tmp_path_factory.mktemp("tree") / "project"
    for name in ("stellar_etl", "schemas"):
        shutil.copytree(REPO / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPO / name, tree)
    offline = ("--no-build-isolation", "--offline", "--no-config", "--python", sys.executable)
    call(UV, "build", "--quiet", *offline, "--out-dir", tree / "dist", tree, cwd=tree)
    (found,) = (tree / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the program in a separate environment with the packages of the tests, and without the checkout."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    call(
        UV, "pip", "install", "--quiet", "--offline", "--no-config", "--no-deps", "--python", python, wheel, cwd=folder
    )
    (site,) = folder.glob("lib/*/site-packages")
    (site / "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder / "bin" / "stellar-etl"


def test_the_wheel_has_every_module_and_every_schema_file(wheel: Path) -> None:
    modules = {str(path.relative_to(REPO)) for path in (REPO / "stellar_etl").rglob("*.py")}
    with zipfile.ZipFile(wheel) as file:
        assert {name for name in file.namelist() if ".dist-info/" not in name} == modules | SCHEMAS


@pytest.mark.parametrize("command", ["export_all_history", "export_ledger_entry_changes"])
def test_the_installed_program_writes_the_files_of_a_checkout(
    installed: Path, lake: Path, tmp_path: Path, command: str
) -> None:
    """Schema files define Parquet's columns and those of `config_settings`."""

    def arguments(output: str) -> Sequence[object]:
        return command, "-s", 3, "-e", 20, "--datastore-path", lake, "-o", tmp_path / output, "--write-parquet"

    call(installed, *arguments("installed"), cwd=tmp_path)
    succeed(*arguments("checkout"))
    found = {path.name: path.read_bytes() for path in (tmp_path / "installed").iterdir() if path.suffix != ".json"}
    expected = {path.name: path.read_bytes() for path in (tmp_path / "checkout").iterdir() if path.suffix != ".json"}
    assert any(name.endswith(".parquet") and content for name, content in found.items())
    assert found == expected


def test_the_installed_program_reads_its_own_files_only(installed: Path, lake: Path, tmp_path: Path) -> None:
    """Without its schema files the program names the missing one, and does not read a checkout's."""
    (schemas,) = installed.parent.parent.glob("lib/*/site-packages/stellar_etl/schemas")
    aside = schemas.rename(schemas.with_name("aside"))
    try:
        done = subprocess.run(
            [installed, "export_ledgers", "-s", "3", "-e", "4", "--datastore-path", lake, "--write-parquet"],
            cwd=tmp_path,
            env={},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        aside.rename(schemas)
    assert done.returncode == 1
    assert "history_ledgers_schema.json is missing: reinstall stellar-etl" in done.stderr
    assert not list(tmp_path.iterdir())
