"""Schema changes add columns, and never change or drop one."""

from __future__ import annotations

import pytest

from stellar_etl_airflow.model.schema import SchemaError, grown, has_grown, read_schema


def field(name, type_="STRING", mode="NULLABLE", fields=None):
    made = {"name": name, "type": type_, "mode": mode}
    return made | {"fields": fields} if fields is not None else made


def test_a_new_column_comes_last_and_is_nullable():
    have = [field("a")]
    result = grown(have, [field("b", "INTEGER", "REQUIRED"), field("a")])
    assert result == [field("a"), field("b", "INTEGER", "NULLABLE")]
    assert has_grown(have, result)


def test_a_new_nested_column_is_added_inside_its_record():
    have = [field("details", "RECORD", fields=[field("x")])]
    result = grown(have, [field("details", "STRUCT", fields=[field("x"), field("y", "FLOAT64")])])
    assert [inner["name"] for inner in result[0]["fields"]] == ["x", "y"]
    assert has_grown(have, result)


def test_a_column_that_only_the_table_has_stays():
    have = [field("a"), field("mine")]
    result = grown(have, [field("a")])
    assert result == have
    assert not has_grown(have, result)


def test_both_spellings_of_a_type_are_equal():
    assert not has_grown([field("a", "INT64")], grown([field("a", "INT64")], [field("a", "INTEGER")]))


def test_a_required_column_is_relaxed():
    assert grown([field("a", mode="REQUIRED")], [field("a")])[0]["mode"] == "NULLABLE"


@pytest.mark.parametrize("wanted", [field("a", "INTEGER"), field("a", mode="REPEATED")])
def test_a_different_type_or_a_list_is_refused_by_name(wanted):
    with pytest.raises(SchemaError, match="column details.a is STRING NULLABLE in the table"):
        grown(
            [field("details", "RECORD", fields=[field("a")])],
            [field("details", "RECORD", fields=[wanted])],
        )


def test_a_missing_schema_file_names_the_variable(tmp_path):
    with pytest.raises(SchemaError, match="history_x_schema.json.*'schema_filepath'"):
        read_schema(str(tmp_path), "history_x")


@pytest.mark.parametrize("text", ["{", "{}", "[1]"])
def test_an_unusable_schema_file_is_named(tmp_path, text):
    (tmp_path / "history_x_schema.json").write_text(text)
    with pytest.raises(SchemaError, match="history_x_schema.json"):
        read_schema(str(tmp_path), "history_x")
