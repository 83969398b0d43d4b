"""The registry names every module that creates rows; the command line imports each only when it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stellar_etl.transforms.registry import CHECKPOINT_TYPES, HISTORY, STATE, TYPES
from stellar_etl.xdr import names
from tests.shared import REPO

PACKAGE = REPO / "stellar_etl" / "transforms"


def test_every_module_is_a_registered_type() -> None:
    """`effects` is a package; `shared` has the common code of several tables."""
    entries = {path.stem for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert entries - {"__init__", "registry", "shared"} == TYPES.keys()
    assert len(TYPES) == len(HISTORY) + len(STATE)


def test_the_types_of_a_checkpoint_name_their_entries() -> None:
    assert STATE.keys() - CHECKPOINT_TYPES.keys() == {"restored_key"}
    found = {type_: transform.entry_type for type_, transform in CHECKPOINT_TYPES.items()}
    assert found.keys() - {"signers"} == {
        type_ for type_ in found if names.LedgerEntryType[found[type_]].lower().replace("_", "") == plain(type_)
    }
    assert found["signers"] == names.ACCOUNT


def plain(type_: str) -> str:
    """Return a type's name in the singular, as its entries are named."""
    singular = type_ if type_ in ("contract_data", "contract_code", "ttl") else type_.removesuffix("s")
    return singular.replace("_", "")


def test_the_command_line_starts_without_importing_a_transform(tmp_path: Path) -> None:
    program = """
import sys
from stellar_etl.cli import main
try:
    main(["export_all_history", "--help"])
except SystemExit:
    pass
print([name for name in sys.modules if name.startswith(("stellar_etl.transforms.", "stellar_etl.xdr"))])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "['stellar_etl.transforms.registry']"
