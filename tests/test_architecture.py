"""The code follows docs/architecture.md: packages, their private names, and the imports of the exporter."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.shared import REPO

ROOTS = {"stellar_etl_airflow": REPO / "dags", "stellar_etl": REPO, "local": REPO}


def files() -> list[Path]:
    return [path for package, root in ROOTS.items() for path in (root / package).rglob("*.py")]


def imports(path: Path) -> list[tuple[str, str]]:
    """Return the imports of a file, as (module, name); a whole module has an empty name."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            found += [(node.module or "", alias.name) for alias in node.names]
    return found


def test_packages_import_only_what_their_contracts_allow() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    path = f"{REPO}:{REPO / 'dags'}"
    done = subprocess.run(
        [lint, "--no-cache"],
        cwd=REPO,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_imports_a_private_name() -> None:
    private = [
        f"{path.relative_to(REPO)} imports {name} of {module}"
        for path in files()
        for module, name in imports(path)
        if module.split(".")[0] in ROOTS
        and any(part.startswith("_") and not part.startswith("__") for part in (*module.split("."), name))
    ]
    assert private == []


def test_the_exporter_does_not_import_bigquery() -> None:
    users = [path for path in (REPO / "stellar_etl").rglob("*.py") for module, name in imports(path)
             if f"{module}.{name}".startswith("google.cloud.bigquery")]  # fmt: skip
    assert users == []


def test_the_package_of_the_dags_has_few_entries() -> None:
    entries = [path.name for path in (REPO / "dags" / "stellar_etl_airflow").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 12, entries


def test_each_package_has_a_description() -> None:
    page = (REPO / "docs" / "architecture.md").read_text()
    for package in ("dags/stellar_etl_airflow", "stellar_etl"):
        folders = [path.parent.name for path in (REPO / package).glob("*/__init__.py")]
        assert [name for name in folders if f"`{name}/`" not in page] == []
