"""Variables and pools that a person changed keep their values until the files change them."""

from __future__ import annotations

from local.stack.imports import read_imported, to_import, write_imported

FILE = {"kept": 1, "changed": [1, 2], "new": {"a": None}}


def test_a_new_stack_gets_everything():
    assert to_import(FILE, {}, []) == FILE


def test_what_airflow_has_and_the_file_did_not_change_stays():
    assert to_import(FILE, FILE, FILE) == {}


def test_what_the_file_changed_or_airflow_lacks_is_imported():
    before = {"kept": 1, "changed": [1], "gone from the file": 7}
    assert to_import(FILE, before, ["kept", "changed", "a person's own"]) == {"changed": [1, 2], "new": {"a": None}}
    assert to_import(FILE, FILE, ["changed", "new"]) == {"kept": 1}


def test_what_is_not_remembered_counts_as_changed():
    assert to_import(FILE, {}, FILE) == FILE


def test_what_was_imported_is_remembered(tmp_path):
    memory = tmp_path / "airflow" / "imported.json"
    assert read_imported(memory) == {}
    write_imported(memory, {"variables": FILE, "pools": {}})
    assert read_imported(memory) == {"variables": FILE, "pools": {}}
