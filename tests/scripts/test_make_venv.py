"""scripts/make_venv.sh: the lock of each environment, and when the script keeps or rebuilds it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.shared import REPO

SCRIPT = "scripts/make_venv.sh"
NEEDED = ("bash", "cat", "cut", "dirname", "sha256sum")
"""The programs that the script requires in an up-to-date environment."""


class Checkout:
    """The script and its inputs in a separate folder; `.venv` is the environment of the tests, as far as it shows."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder / "checkout", folder / "bin"
        (self.folder / "scripts").mkdir(parents=True)
        shutil.copy(REPO / SCRIPT, self.folder / "scripts")
        shutil.copy(REPO / "pyproject.toml", self.folder)
        shutil.copytree(REPO / "requirements", self.folder / "requirements")
        (self.folder / ".venv").mkdir()
        shutil.copy(REPO / ".venv/.made-from", self.folder / ".venv")
        self.bin.mkdir()
        for program in NEEDED:
            (self.bin / program).symlink_to(shutil.which(program))

    def make(self, *names: str, path: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", self.folder / SCRIPT, *names],
            env={"PATH": path or str(self.bin), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize("names", [("stack",), ("tests",), ()])
def test_an_up_to_date_environment_is_kept(checkout: Checkout, names: tuple[str, ...]) -> None:
    """The tests' packages stay if only the stack's are requested; settings of tools do not cause a rebuild."""
    checkout.replace("pyproject.toml", "line-length = 120", "line-length = 100")
    done = checkout.make(*names)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("requirements/stack.txt", "--hash", " --hash"),
        ("requirements/tests.txt", "--hash", " --hash"),
        ("pyproject.toml", "stellar-etl = ", "etl = "),
        (SCRIPT, "set -euo pipefail", "set -euo pipefail  # changed"),
    ],
)
def test_changed_inputs_cause_a_rebuild(checkout: Checkout, file: str, old: str, new: str) -> None:
    checkout.replace(file, old, new)
    for name in ("stack", "tests"):
        done = checkout.make(name)
        assert (done.returncode, "Python 3.11 is missing: install it" in done.stderr) == (1, True), done.stderr


def test_a_name_without_a_lock_is_refused(checkout: Checkout) -> None:
    done = checkout.make("outbuond")
    assert done.returncode == 1
    assert done.stderr == (
        "make_venv.sh: requirements/outbuond.txt is missing: 'outbuond' is not the name of a lock file\n"
    )


def wheel(folder: Path, version: str) -> str:
    """Make a package of one module; return its line for a lock file."""
    path, info = folder / f"tiny-{version}-py3-none-any.whl", f"tiny-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("tiny.py", f"VERSION = {version!r}\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return f"tiny=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_another_lock_has_a_separate_environment_that_follows_it(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.folder / ".venv/bin").mkdir()
    (checkout.folder / ".venv/bin/uv").symlink_to(REPO / ".venv/bin/uv")
    lock, environment = checkout.folder / "requirements/other.txt", checkout.folder / ".venv-other"
    offline = {"UV_OFFLINE": "1", "UV_FIND_LINKS": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "cache")}
    for version in ("1.0", "2.0"):
        lock.write_text(wheel(tmp_path, version))
        done = checkout.make("other", path=os.environ["PATH"], **offline)
        assert (done.returncode, done.stderr) == (0, "make_venv.sh: making .venv-other from requirements/other.txt\n")
        # -B: the file has the same size and time in both versions, so Python would use stale bytecode.
        shown = [environment / "bin/python", "-B", "-c", "import tiny; print(tiny.VERSION)"]
        assert subprocess.run(shown, capture_output=True, text=True, check=True).stdout == f"{version}\n"
        assert checkout.make("other").stderr == "", "a current environment is kept"
    lock.write_text(lock.read_text().replace("sha256:", "sha256:0"))
    assert checkout.make("other", path=os.environ["PATH"], **offline).returncode != 0, "a wrong hash is refused"
