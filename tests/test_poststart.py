"""poststart.sh as a worker runs it: it moves finished files only, overwrites none, and a crash loses nothing."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.shared import REPO
from tests.waiting import PATIENCE, wait_until

SCRIPT = REPO / "poststart.sh"
ROWS = b'{"sequence": 3}\n' * 1000


class Mover:
    """The script between two folders; `quiet` is the time in seconds for which a file must not have changed.

    The script counts whole seconds, so tests of anything else set none.
    """

    def __init__(self, source: Path, target: Path, log: Path) -> None:
        self.source, self.target, self.log = source, target, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, quiet: int = 0, path: str = "/usr/bin:/bin", **more: str) -> None:
        settings = {"STELLAR_ETL_QUIET_SECONDS": str(quiet), "STELLAR_ETL_POLL_SECONDS": "0.1", "PATH": path, **more}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", str(SCRIPT), str(self.source), str(self.target)],
                env=settings, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        os.killpg(self.process.pid, by) if by == signal.SIGKILL else self.process.send_signal(by)
        return self.process.wait(PATIENCE)

    def said(self) -> str:
        return self.log.read_text()

    def files(self, folder: Path) -> dict[str, bytes]:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def wait_for(self, *names: str) -> None:
        wait_until(lambda: self.files(self.target).keys() >= set(names), lambda: f"{names} are missing: {self.said()}")

    def hold(self) -> None:
        """Wait until the script has checked everything again.

        It sees a file in the first pass after that in which it moved the file before.
        """
        for _ in range(2):
            (self.source / "marker").write_bytes(b"")
            wait_until(lambda: not (self.source / "marker").exists(), lambda: f"the marker stayed: {self.said()}")


SAME, ANOTHER = "same file system", "another file system"
both = pytest.mark.parametrize("mover", [SAME, ANOTHER], indirect=True)
one_by_default = pytest.mark.parametrize("mover", [pytest.param(SAME, marks=pytest.mark.slow), ANOTHER], indirect=True)


@pytest.fixture
def mover(request, tmp_path):
    """Two folders, the second on another file system if a test requests it and the machine has a writable one."""
    source, target = tmp_path / "local", tmp_path / "output"
    elsewhere = Path("/dev/shm")
    if getattr(request, "param", SAME) == ANOTHER:
        if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is no other file system to write to")
        target = elsewhere / f"poststart-{tmp_path.name}-{os.getpid()}"
    source.mkdir()
    mover = Mover(source, target, tmp_path / "log")
    yield mover
    if mover.process is not None and mover.process.poll() is None:
        mover.stop(signal.SIGKILL)
    shutil.rmtree(target, ignore_errors=True)


def put(folder: Path, name: str, content: bytes = ROWS) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


NAMES = ["a/run%3A1/3-12-ledgers.txt", "a/b c/$(touch x);'\".txt", "a/[x]*.json", "-rf", "new\nline"]


@both
def test_finished_files_move_with_their_folders(mover):
    for name in NAMES:
        put(mover.source, name, name.encode())
    mover.start()
    mover.wait_for(*NAMES)
    assert mover.files(mover.target) == {name: name.encode() for name in NAMES}
    wait_until(lambda: not mover.files(mover.source), "files are left")
    put(mover.source, "a/later.txt")
    mover.wait_for("a/later.txt")
    assert "moved" in mover.said()


def test_files_with_hidden_names_stay(mover):
    put(mover.source, "a/.stellar-etl-1234/0-ledgers.txt")
    put(mover.source, "a/.hidden")
    mover.start()
    mover.hold()
    assert mover.files(mover.target).keys() == {"marker"}


def test_a_file_of_a_slow_writer_is_not_moved_early(mover):
    """The Go program writes so, on a node with invisible processes: the file is closed between writes."""
    path = put(mover.source, "a/slow.txt", b"")
    mover.start(quiet=2)
    for _ in range(12):
        with path.open("ab") as file:
            file.write(b"row\n")
        time.sleep(0.25)
        assert "a/slow.txt" not in mover.files(mover.target)
    mover.wait_for("a/slow.txt")
    assert mover.files(mover.target)["a/slow.txt"] == b"row\n" * 12


def test_an_open_file_stays_even_if_it_does_not_change(mover):
    path = put(mover.source, "open.txt")
    with path.open("ab") as file:
        mover.start()
        mover.hold()
        assert mover.files(mover.target).keys() == {"marker"}
        file.write(b"the end\n")
    mover.wait_for("open.txt")
    assert mover.files(mover.target)["open.txt"] == ROWS + b"the end\n"


HOLDER = """
import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = [os.dup(0) for _ in range(4000)]
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def busy_machine():
    """Run processes with 12 000 open descriptors."""
    holders = [
        subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [holder.stdout.readline() for holder in holders] == [b"held\n"] * 3
    yield
    for holder in holders:
        holder.communicate()


def processor_seconds() -> float:
    """Return the processor time of child processes that have ended, and of their children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_many_files_and_many_open_descriptors_need_little_processor_time(mover, busy_machine):
    """It takes 1.5 s; comparing each file with each descriptor took 8 s."""
    names = [f"{number}.txt" for number in range(50)]
    for name in names:
        put(mover.source, name)
    before = processor_seconds()
    mover.start()
    mover.wait_for(*names)
    assert mover.stop() == 0
    assert processor_seconds() - before < 4


def test_a_new_file_with_an_old_date_is_not_moved_early(mover):
    """Another machine's clock may be behind."""
    path = put(mover.source, "old.txt")
    os.utime(path, (0, 0))
    put(mover.source, "new.txt")
    mover.start(quiet=1)
    mover.wait_for("new.txt", "old.txt")


@both
def test_no_file_is_overwritten(mover):
    put(mover.target, "a/rows.txt", b"older")
    put(mover.source, "a/rows.txt", b"newer")
    mover.start()
    mover.hold()
    wait_until(lambda: "other content" in mover.said(), "the script printed nothing")
    assert mover.files(mover.target) == {"a/rows.txt": b"older", "marker": b""}
    assert mover.files(mover.source) == {"a/rows.txt": b"newer"}
    mover.hold()
    assert mover.said().count("other content") == 1


@both
def test_an_interrupted_move_is_completed(mover):
    """The script is killed between the two names, or in the middle of a copy."""
    put(mover.source, "copied.txt")
    put(mover.target, "copied.txt")
    put(mover.target, ".half.txt.part", ROWS[:100])
    put(mover.source, "half.txt")
    mover.start()
    mover.wait_for("half.txt")
    wait_until(lambda: not mover.files(mover.source), "files are left")
    shown = {name: content for name, content in mover.files(mover.target).items() if not name.startswith(".")}
    assert shown == {"copied.txt": ROWS, "half.txt": ROWS}


@one_by_default
def test_every_file_arrives_complete_after_repeated_kills(mover):
    contents = {f"{number % 3}/{number}.txt": os.urandom(200_000) for number in range(40)}
    for name, content in contents.items():
        put(mover.source, name, content)
    for pause in (0.15, 0.25, 0.4):
        mover.start()
        time.sleep(pause)
        assert mover.stop(signal.SIGKILL) == -signal.SIGKILL
        arrived = {name: data for name, data in mover.files(mover.target).items() if "/." not in name}
        assert arrived.items() <= contents.items()
        assert contents.keys() <= arrived.keys() | mover.files(mover.source).keys()
    mover.start()
    wait_until(lambda: not mover.files(mover.source), "files are left")
    assert mover.files(mover.target) == contents


@both
def test_a_file_that_changes_during_its_copy_is_not_moved(mover, tmp_path):
    """`cp` is slow, as on a large file, while the writer continues."""
    programs = tmp_path / "bin"
    slow = put(programs, "cp", b'#!/bin/bash\n/usr/bin/cp "$@" || exit 1\ntouch "$BEGUN"; sleep 0.5\n')
    slow.write_text(slow.read_text().replace("$BEGUN", str(tmp_path / "begun")))
    put(programs, "ln", b"#!/bin/sh\nexit 1\n").chmod(0o755)  # a file system without hard links
    slow.chmod(0o755)
    path = put(mover.source, "rows.txt")
    mover.start(path=f"{programs}:/usr/bin:/bin")
    wait_until((tmp_path / "begun").exists, "nothing was copied")
    with path.open("ab") as file:
        file.write(b"more\n")
    mover.wait_for("rows.txt")
    wait_until(lambda: not mover.files(mover.source), "the file is left")
    assert mover.files(mover.target) == {"rows.txt": ROWS + b"more\n"}


def test_sigterm_stops_the_script(mover):
    mover.start()
    mover.hold()
    assert mover.stop() == 0
    assert "stopped" in mover.said()


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ([], "two folders are needed"),
        (["a", "a"], "to itself"),
        (["a", "a/b"], "into itself"),
    ],
)
def test_invalid_folders_are_refused(folders, message, tmp_path):
    done = subprocess.run(["bash", str(SCRIPT), *folders], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_script_needs_only_bash_and_coreutils(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    coreutils = "cp date ln mkdir mktemp mv realpath rm rmdir sha256sum sleep stat sync touch"
    for name in ("bash", *coreutils.split()):
        (programs / name).symlink_to(shutil.which(name))
    source = tmp_path / "local"
    put(source, "a/rows.txt")
    mover = Mover(source, tmp_path / "output", tmp_path / "log")
    mover.start(path=str(programs))
    mover.wait_for("a/rows.txt")
    assert mover.stop() == 0
    assert "not found" not in mover.said()


def example_pod() -> dict[str, Any]:
    return yaml.safe_load((REPO / "example_airflow_worker_config.yaml").read_text())["spec"]


def test_the_example_pod_has_no_privilege_and_no_access_to_its_node():
    """The test covers volumes and container settings that give control of the node or of Docker."""
    spec = example_pod()
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert {kind for volume in spec["volumes"] for kind in volume} == {"name", "persistentVolumeClaim", "configMap"}
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        security = container["securityContext"]
        assert not security.get("privileged")
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
    assert "docker" not in (REPO / "example_airflow_worker_config.yaml").read_text().lower()


def test_the_example_starts_the_script_on_mounted_folders():
    (container,) = example_pod()["containers"]
    shell, option, line = container["lifecycle"]["postStart"]["exec"]["command"]
    words = shlex.split(line)
    folders = words[words.index("/opt/stellar-etl/poststart.sh") + 1 :][:2]
    assert {*folders, "/opt/stellar-etl"} == {mount["mountPath"] for mount in container["volumeMounts"]}
    assert (shell, option) == ("/bin/bash", "-c") and words[-1] == "&", (
        "the container starts after the hook has returned"
    )


@one_by_default
def test_sigterm_stops_the_script_at_any_moment_of_its_work(mover):
    """A trap of bash 5.2 that runs while bash reads "$(...)" loses the signal: three to six rounds were enough."""
    for number in range(10):
        put(mover.source, f"{number}.txt")
        mover.start(quiet=0)
        mover.wait_for(f"{number}.txt")
        time.sleep(number / 500)  # the moments, not a wait
        assert mover.stop() == 0
    assert mover.said().count("poststart.sh: stopped") == 10


@both
def test_the_script_continues_after_a_restart(mover):
    put(mover.source, "first.txt")
    mover.start()
    mover.wait_for("first.txt")
    assert mover.stop() == 0
    put(mover.source, "second.txt")
    mover.start()
    mover.wait_for("second.txt")
    assert mover.files(mover.target) == {"first.txt": ROWS, "second.txt": ROWS}


@pytest.mark.parametrize("days", ["30", "0"])
def test_only_old_exported_files_are_deleted(mover: Mover, days: str) -> None:
    old = time.time() - 31 * 24 * 3600
    files = {
        "run-1/attempt-1/3-122-ledgers.txt": old,
        "run-1/attempt-1/3-122-manifest.json": old,
        "run-2/attempt-1/3-122-ledgers.txt": time.time(),
        "notes/of-a-person.txt": old,
    }
    for name, changed in files.items():
        path = mover.target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ROWS)
        os.utime(path, (changed, changed))
    mover.start(STELLAR_ETL_KEEP_DAYS=days)
    mover.hold()
    expired = [] if days == "0" else list(files)[:2]
    assert mover.files(mover.target).keys() - {"marker"} == files.keys() - set(expired)
    assert ("deleted 2 exported files" in mover.said()) == bool(expired)


def test_an_invalid_number_of_days_is_refused(mover: Mover) -> None:
    mover.start(STELLAR_ETL_KEEP_DAYS="a month")
    assert mover.process is not None
    assert mover.process.wait(PATIENCE) == 2
    assert "STELLAR_ETL_KEEP_DAYS must be a number of days, not a month" in mover.said()
