"""Variables and pools that a user changed keep their values until the files change them."""

from __future__ import annotations

from local.stack.imports import read_imported, to_import, write_imported

FILE = {"kept": 1, "changed": [1, 2], "new": {"a": None}}


def test_a_new_stack_imports_everything():
    assert to_import(FILE, {}, []) == FILE


def test_a_users_value_stays_if_the_file_did_not_change_it():
    assert to_import(FILE, FILE, FILE) == {}


def test_values_that_the_file_changed_or_airflow_lacks_are_imported():
    before = {"kept": 1, "changed": [1], "gone from the file": 7}
    assert to_import(FILE, before, ["kept", "changed", "a person's own"]) == {"changed": [1, 2], "new": {"a": None}}
    assert to_import(FILE, FILE, ["changed", "new"]) == {"kept": 1}


def test_a_value_without_a_record_counts_as_changed():
    assert to_import(FILE, {}, FILE) == FILE


def test_imported_values_are_recorded(tmp_path):
    memory = tmp_path / "airflow" / "imported.json"
    assert read_imported(memory) == {}
    write_imported(memory, {"variables": FILE, "pools": {}})
    assert read_imported(memory) == {"variables": FILE, "pools": {}}
