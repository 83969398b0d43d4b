"""Rows of `contract_code`: one per WebAssembly module that a ledger changed."""

from __future__ import annotations

from typing import Any

from stellar_etl.ledgers.changes import Change
from stellar_etl.ledgers.ledger import Ledger
from stellar_etl.transforms.shared.entries import change_columns, key_columns, of_type
from stellar_etl.xdr import names

ENTRY_TYPE = names.CONTRACT_CODE

items = of_type(ENTRY_TYPE)

_COSTS = {
    "n_instructions": "nInstructions",
    "n_functions": "nFunctions",
    "n_globals": "nGlobals",
    "n_table_entries": "nTableEntries",
    "n_types": "nTypes",
    "n_data_segments": "nDataSegments",
    "n_elem_segments": "nElemSegments",
    "n_imports": "nImports",
    "n_exports": "nExports",
    "n_data_segment_bytes": "nDataSegmentBytes",
}


def row(ledger: Ledger, change: Change) -> dict[str, Any]:
    """Return one module's row; counts are 0 for code from before protocol 21, and unknown for evicted code."""
    code = change.content
    version, measured = code.get("ext", (None, None))
    counts = measured["costInputs"] if measured else {}
    unknown = None if version is None else 0
    return {
        "contract_code_hash": code["hash"].hex(),
        "contract_code_ext_v": version,
        **key_columns(change),
        **{column: counts.get(field, unknown) for column, field in _COSTS.items()},
        **change_columns(ledger, change.kind, change.entry),
    }
