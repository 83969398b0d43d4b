"""Images, built without a container engine: the steps of a Dockerfile's build stage, run in a folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.shared import REPO

Instruction = list[str]
"""An instruction's name and the rest of it."""


class Image:
    """A Dockerfile of two stages, and the folder in which its build stage ran.

    Attributes:
        stages: the instructions of each stage.
        root: the folder that stands for the image's root; None if the image is not built.
    """

    def __init__(self, dockerfile: str, root: Path | None = None) -> None:
        text = re.sub(r"^#.*\n", "", (REPO / dockerfile).read_text(), flags=re.MULTILINE).replace("\\\n", "")
        instructions = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
        starts = [number for number, (name, _) in enumerate(instructions) if name == "FROM"]
        self.stages = [instructions[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
        self.root = root

    def only(self, name: str) -> str:
        """Return the rest of the last stage's only instruction of a name."""
        (rest,) = (rest for found, rest in self.stages[-1] if found == name)
        return rest

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the last stage."""
        return dict(re.findall(r'(\w+)="?([^"\s]+)"?', self.only("ENV")))

    def place(self, path: str) -> str:
        """Return the local path of a path in the image."""
        return f"{self.root}{path}"

    def run(self, program: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Start a program by its name on the image's PATH, as the image's user if this user may do that."""
        uid, gid = map(int, self.only("USER").split(":"))
        assert uid > 0
        assert gid > 0
        if can_be_another():
            options |= {"user": uid, "group": gid, "extra_groups": []}
        folder = self.environment["PATH"].partition(":")[0]
        given = {"env": {}, "cwd": "/", "capture_output": True, "text": True, "check": False, **options}
        return subprocess.run([f"{self.place(folder)}/{program}", *arguments], **given)


@contextmanager
def built(dockerfile: str, pip: bool = True) -> Iterator[Image]:
    """Run the build stage of a Dockerfile in a publicly readable folder, which is deleted at the end.

    Args:
        dockerfile: its path in the repository.
        pip: whether pip itself installs the packages. Otherwise uv does, if it can, from the same lock with the same
            checks, in a tenth of the time.
    """
    root = Path(tempfile.mkdtemp(prefix="image-"))
    root.chmod(0o755)
    (root / "opt").mkdir()
    image = Image(dockerfile, root)
    tools = {"python ": f"{shlex.quote(sys.executable)} ", "pip ": f"{shlex.quote(sys.executable)} -m pip "}
    uv = shlex.quote(str(Path(sys.executable).with_name("uv")))
    for name, rest in image.stages[0][1:]:
        if name == "COPY":
            source, target = rest.split()
            copied = Path(image.place(target))
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
        if not pip:
            by_uv = rf"{uv} pip install --python \2 \3"
            command = re.sub(
                r"(\S+ -m pip --python (\S+) install --no-cache-dir (.*))", rf"{{ {by_uv} || \1; }}", command
            )
        subprocess.run(command, shell=True, check=True, executable="/bin/sh", capture_output=True)
    yield image
    shutil.rmtree(root)


def can_be_another() -> bool:
    """Return whether another user may start this Python: not if it is below /root."""
    python = Path(sys.executable).resolve()
    return os.geteuid() == 0 and all(folder.stat().st_mode & 0o001 for folder in (python, *python.parents))
