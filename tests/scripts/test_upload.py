"""upload_static_to_gcs.sh on the local bucket: a complete version, the old or the new one, and no unrelated file."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from google.cloud.storage import Client

from tests.local.emulators import BUCKET, bucket, running, storage_client
from tests.scripts.programs import Programs, serving
from tests.scripts.storage import Storage
from tests.shared import REPO

SCRIPT = "upload_static_to_gcs.sh"
DAG = "from airflow.sdk import DAG\nfrom stellar_etl_airflow.{module} import NAME\ndag = DAG(NAME, schedule=None)\n"
FOREIGN = {
    "dags/other_dag.py": b"theirs",
    "dags/other/module.py": b"theirs",
    "plugins/other.py": b"theirs",
    "data/x": b"1",
    "logs/dag/1.log": b"2",
}
OURS = ("dags/", "plugins/")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(bucket(tmp_path_factory.mktemp("bucket"))) as server:
        yield server


@pytest.fixture(scope="module")
def programs():
    with serving() as server:
        yield server


class Checkout:
    """A small checkout with the real script, short DAGs, and a PATH on which `program` is a stand-in."""

    def __init__(self, folder: Path, url: str, client: Client, programs: Programs, program: str) -> None:
        self.folder, self.client, self.storage = folder / "checkout", client, Storage(url)
        programs.answer = self.storage.answer
        self.bin = folder / "bin"
        self.bin.mkdir()
        programs.write(self.bin, program)
        (self.folder / "scripts").mkdir(parents=True)
        shutil.copy(REPO / SCRIPT, self.folder)
        self.write("scripts/make_venv.sh", "#!/bin/sh\n").chmod(0o755)
        (self.folder / ".venv").symlink_to(REPO / ".venv")
        self.parse_for_real(False)
        self.version_1()

    def parse_for_real(self, real: bool) -> None:
        """The script's real parsing of DAGs takes seconds; tests of the later steps skip it."""
        (self.folder / "scripts/parse_dags.py").unlink(missing_ok=True)
        shutil.copy(REPO / "scripts/parse_dags.py", self.folder / "scripts")
        if not real:
            self.write("scripts/parse_dags.py", "")

    def write(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def version_1(self) -> None:
        self.write("dags/.airflowignore", "/stellar_etl_airflow/\n")
        self.write("dags/one_dag.py", DAG.format(module="one"))
        self.write("dags/two_dag.py", DAG.format(module="two"))
        self.write("dags/stellar_etl_airflow/one.py", "NAME = 'one'\n")
        self.write("dags/stellar_etl_airflow/two.py", "NAME = 'two'\n")
        self.write("dags/stellar_etl_airflow/__pycache__/one.pyc", "no")
        self.write("dags/queries/a.sql", "SELECT 1")
        self.write("schemas/a_schema.json", "[]")
        self.write("plugins/a_plugin.py", "import a_page\n")
        self.write("plugins/a_page/__init__.py", "")
        self.write("plugins/a_page/static/page.js", "'one'")
        self.write("plugins/a_page/static/old.css", "")

    def version_2(self) -> None:
        """One changed, one removed and one new file in each kind of folder."""
        self.write("dags/stellar_etl_airflow/one.py", "NAME = 'one again'\n")
        self.write("dags/.airflowignore", "/stellar_etl_airflow/\n/queries/\n")
        (self.folder / "dags/two_dag.py").unlink()
        (self.folder / "dags/stellar_etl_airflow/two.py").unlink()
        (self.folder / "dags/queries/a.sql").unlink()
        (self.folder / "dags/queries").rmdir()
        self.write("dags/three_dag.py", DAG.format(module="deep.three"))
        self.write("dags/stellar_etl_airflow/deep/three.py", "NAME = 'three'\n")
        self.write("schemas/b_schema.json", "[]")
        self.write("plugins/a_page/static/page.js", "'two'")
        (self.folder / "plugins/a_page/static/old.css").unlink()
        self.write("plugins/a_page/app.py", "")

    def files(self) -> dict[str, bytes]:
        """Return the checkout's files that belong in the bucket, by their name there."""
        return {
            f"{prefix}{path.relative_to(self.folder / top).as_posix()}": path.read_bytes()
            for top, prefix in (("dags", "dags/"), ("schemas", "dags/schemas/"), ("plugins", "plugins/"))
            for path in (self.folder / top).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    def upload(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.storage.begin(environment)
        return subprocess.run(
            ["bash", str(self.folder / SCRIPT), *(arguments or (BUCKET,))],
            env={
                "PATH": f"{self.bin}:{REPO}/.venv/bin:/usr/sbin:/sbin:{self.programs()}",
                "TMPDIR": str(self.bin.parent),
            },
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )

    def programs(self) -> Path:
        """The machine's programs without its gcloud and gsutil, which no test may reach."""
        folder = self.bin.parent / "programs"
        if not folder.exists():
            folder.mkdir()
            for place in ("/usr/bin", "/bin"):
                for program in Path(place).iterdir():
                    if program.name not in ("gcloud", "gsutil") and not (folder / program.name).exists():
                        (folder / program.name).symlink_to(program)
        return folder

    def done_steps(self) -> int:
        return self.storage.steps

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        return {blob.name: blob.download_as_bytes() for blob in self.client.list_blobs(BUCKET, prefix=prefix)}

    def clear(self) -> None:
        for blob in list(self.client.list_blobs(BUCKET)):
            blob.delete()

    def put(self, objects: dict[str, bytes]) -> None:
        for name, content in objects.items():
            self.client.bucket(BUCKET).blob(name).upload_from_string(content)


@pytest.fixture
def checkout(request, service, programs, tmp_path):
    made = Checkout(tmp_path, service.url, storage_client(service), programs, getattr(request, "param", "gcloud"))
    made.clear()
    made.put(FOREIGN)
    return made


both = pytest.mark.parametrize("checkout", ["gcloud", "gsutil"], indirect=True)


@both
def test_a_second_upload_replaces_changed_and_deletes_removed_files(checkout):
    first = checkout.upload()
    assert first.returncode == 0, first.stderr
    version_1 = checkout.files()
    theirs = {name: data for name, data in FOREIGN.items() if name.startswith(OURS)}
    assert {**checkout.objects("dags/"), **checkout.objects("plugins/")} == {**version_1, **theirs}
    checkout.version_2()
    second = checkout.upload(f"gs://{BUCKET}/dags")
    assert second.returncode == 0, second.stderr
    for line in (
        "added: dags/three_dag.py",
        "changed: dags/stellar_etl_airflow/one.py",
        "gone: dags/queries/a.sql",
        "added: plugins/a_page/app.py",
        "changed: plugins/a_page/static/page.js",
        "gone: plugins/a_page/static/old.css",
    ):
        assert line in second.stderr
    left = checkout.objects()
    assert {name: left[name] for name in FOREIGN} == FOREIGN
    assert {name: left[name] for name in left.keys() - FOREIGN.keys() if name.startswith(OURS)} == checkout.files()
    kept = {name.split("/", 3)[3] for name in left if name.startswith("stellar-etl/versions/")}
    assert kept == checkout.files().keys(), "only the newest version is kept"


def test_the_real_dags_are_parsed_and_uploaded(checkout):
    checkout.parse_for_real(True)
    shutil.rmtree(checkout.folder / "dags")
    for folder in ("schemas", "plugins"):
        shutil.rmtree(checkout.folder / folder)
    for folder in ("dags", "schemas", "plugins"):
        shutil.copytree(REPO / folder, checkout.folder / folder)
    done = checkout.upload()
    assert done.returncode == 0, done.stderr
    there = checkout.objects()
    assert "plugins/ledger_coverage_page/static/index.html" in there
    assert checkout.files().items() <= there.items()
    assert there["dags/.airflowignore"] == (REPO / "dags/.airflowignore").read_bytes()
    variables = json.loads((REPO / "airflow_variables.json").read_text())
    # Composer mounts the bucket's folder dags/ there (https://cloud.google.com/composer/docs/composer-3/cloud-storage).
    schemas = variables["schema_filepath"].removeprefix("/home/airflow/gcs/")
    assert f"{schemas}/history_ledgers_schema.json" in there


def test_a_dag_that_does_not_parse_uploads_nothing(checkout):
    checkout.parse_for_real(True)
    checkout.write("dags/broken_dag.py", "import airflow.nothing  # makes a dag\n")
    done = checkout.upload()
    assert done.returncode == 1
    assert "broken_dag.py does not parse: ModuleNotFoundError: No module named 'airflow.nothing'" in done.stderr
    assert checkout.objects() == FOREIGN
    assert checkout.done_steps() == 0


def test_a_dry_run_changes_nothing_and_lists_every_change(checkout):
    assert checkout.upload().returncode == 0
    before = checkout.objects()
    checkout.version_2()
    done = checkout.upload("--dry-run", BUCKET)
    assert done.returncode == 0, done.stderr
    assert checkout.objects() == before
    for line in ("added: dags/three_dag.py", "changed: dags/stellar_etl_airflow/one.py", "gone: dags/two_dag.py"):
        assert line in done.stderr
    assert "4 added, 3 changed, 4 gone" in done.stderr


def ours(objects: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in objects.items() if name.startswith(OURS) and name not in FOREIGN}


def between_versions(checkout: Checkout) -> dict[str, bytes]:
    """Put version 1 into the bucket and version 2 into the checkout; return all objects of the bucket."""
    for folder in ("dags", "schemas", "plugins"):
        shutil.rmtree(checkout.folder / folder)
    checkout.version_1()
    old = checkout.files()
    checkout.clear()
    checkout.put({**FOREIGN, **old})
    checkout.put({f"stellar-etl/versions/1/{name}": data for name, data in old.items()})
    checkout.version_2()
    return checkout.objects()


def unnumbered(objects: dict[str, bytes]) -> dict[str, bytes]:
    """Return the objects without the names of versions."""
    return {re.sub("versions/[^/]*-[^/]*", "versions/new", name): content for name, content in objects.items()}


@pytest.mark.parametrize(
    ("how", "stride"),
    [
        ("FAIL_FOR", 47),
        pytest.param("FAIL_FOR", 1, marks=pytest.mark.slow),
        pytest.param("LOSE_REPLY", 1, marks=pytest.mark.slow),
    ],
)
def test_after_any_failed_step_the_old_version_is_complete_and_a_rerun_succeeds(checkout, how, stride):
    """Each request fails once, before or after it took effect."""
    old, new = between_versions(checkout), checkout.files()
    assert checkout.upload().returncode == 0
    steps = checkout.done_steps()
    completed, outcomes = [], set()
    between_versions(checkout)
    for at in range(steps, 0, -stride):
        done = checkout.upload(**{"FAIL_AT": str(at), "FAIL_FOR": "1", how: "1"})
        there = checkout.objects()
        outcomes.add(done.returncode)
        assert {name: there[name] for name in FOREIGN} == FOREIGN
        assert ours(there) == (new if done.returncode == 0 else ours(old)), f"step {at} of {steps}: {done.stderr}"
        assert done.returncode == 0 or "503" in done.stderr
        if unnumbered(there) not in completed:
            completed.append(unnumbered(there))
            again = checkout.upload()
            assert again.returncode == 0, again.stderr
            assert ours(checkout.objects()) == new, f"step {at} of {steps}"
            there = {}
        if there != old:
            between_versions(checkout)
    assert outcomes == {0, 1}, "only the deletion of older versions may fail with the new version in place"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["KILL", "GONE"])
def test_after_a_kill_or_a_lasting_failure_the_next_run_succeeds(checkout, how):
    """The script cannot restore anything then: it only promises that another run is enough."""
    old, new = between_versions(checkout), checkout.files()
    assert checkout.upload().returncode == 0
    steps, mixtures = checkout.done_steps(), 0
    for at in range(steps // 3, steps, 4):
        between_versions(checkout)
        done = checkout.upload(FAIL_AT=str(at), **{how: "1"})
        there = checkout.objects()
        assert {name: there[name] for name in FOREIGN} == FOREIGN
        if ours(there) not in (ours(old), new):
            mixtures += 1
            assert how == "KILL" or "files of two versions" in done.stderr
        again = checkout.upload()
        assert again.returncode == 0, again.stderr
        assert ours(checkout.objects()) == new
    assert mixtures


def test_sigterm_restores_the_old_version(checkout):
    old = between_versions(checkout)
    slow = checkout.bin / "gcloud"
    slow.write_text(slow.read_text().replace("exec", 'case "$*" in *"rsync --checksums"*) kill $PPID;; esac\nexec', 1))
    done = checkout.upload()
    assert done.returncode in (143, -signal.SIGTERM)
    assert "is restored" in done.stderr
    assert checkout.objects() == old


def test_unrelated_files_of_the_same_names_stop_the_upload(checkout):
    checkout.put({"dags/one_dag.py": b"somebody's"})
    before = checkout.objects()
    done = checkout.upload()
    assert done.returncode == 1
    assert "dags/one_dag.py" in done.stderr and "--take-over" in done.stderr
    assert checkout.objects() == before
    assert checkout.upload("--take-over", BUCKET).returncode == 0
    assert ours(checkout.objects()) == checkout.files()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Not_A_Bucket"], "'Not_A_Bucket' is not the name of a bucket"),
        (["gs://a/b/c"], "'gs://a/b/c' is not the name of a bucket"),
        (["no-such-bucket"], "gs://no-such-bucket can't be listed: nothing was uploaded"),
        (["a-bucket", "another"], "one bucket, not a-bucket and another"),
        (["--no-such-option"], "unknown option --no-such-option"),
        ([], "usage:"),
    ],
)
def test_an_invalid_bucket_is_named(checkout, arguments, message):
    done = checkout.upload(*(arguments or [""]))
    assert done.returncode != 0
    assert message in done.stderr


@pytest.mark.parametrize("checkout", ["none"], indirect=True)
def test_a_missing_program_is_reported(checkout):
    done = checkout.upload()
    assert done.returncode == 1
    assert "gcloud and gsutil are missing" in done.stderr


def test_a_version_of_a_release_without_plugins_is_recognised(checkout):
    """Such releases stored the content of dags/ without the folder's name, and nothing of plugins/."""
    old = {name: data for name, data in checkout.files().items() if name.startswith("dags/")}
    checkout.put(old)
    checkout.put({name.replace("dags/", "stellar-etl/versions/1/", 1): data for name, data in old.items()})
    checkout.version_2()
    done = checkout.upload()
    assert done.returncode == 0, done.stderr
    assert ours(checkout.objects()) == checkout.files()
