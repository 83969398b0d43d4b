"""Variables and checks of any content give a valid model or a SettingsError; SQL contains only checked names."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stellar_etl_airflow.model.checks import Check, Kind
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.checks import check
from stellar_etl_airflow.settings.groups import GROUPS, known_keys
from stellar_etl_airflow.settings.parsing import MissingError, load
from stellar_etl_airflow.settings.warehouse import CheckSettings
from stellar_etl_airflow.sql.checks import CheckError, check_staging, column_rules
from stellar_etl_airflow.sql.statement import ArrayParameter, identifier, table_name
from tests.hostile.inputs import DEEP, anything, numbers, outcome, tampered, texts, tried
from tests.shared import REPO

SHIPPED = json.loads((REPO / "airflow_variables.json").read_text())
KEYS = sorted(known_keys())


@tried(600)
@given(st.sampled_from(KEYS), anything, st.booleans())
@example("checks", [{"table": "accounts", "kind": "range", "column": "balance", "minimum": float("nan")}], True)
def test_any_value_of_any_key_is_valid_or_refused(key, value, as_text):
    """The value has the form of `airflow variables import`, and the text form of Airflow's database."""
    variables = SHIPPED | {key: json.dumps(value) if as_text else value}
    for group in GROUPS:
        if key in group.model_fields:
            result = outcome("Variables", lambda g=group: load(g, variables.get), SettingsError, MissingError)
            assert not isinstance(result, SettingsError) or key in str(result) or "Airflow Variables" in str(result)
    for message in check(variables):
        assert len(message.splitlines()) == 1


@tried(150)
@given(data=st.data())
def test_modified_shipped_values_are_valid_or_refused(data):
    key = data.draw(st.sampled_from(sorted(key for key, value in SHIPPED.items() if isinstance(value, (dict, list)))))
    variables = SHIPPED | {key: data.draw(tampered(SHIPPED[key]))}
    for message in outcome("files of Variables", lambda: check(variables)):
        assert len(message.splitlines()) == 1


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 50_000, "9" * 5000])
def test_unparsable_text_is_refused(text):
    for key, group in [(key, some) for some in GROUPS for key in some.model_fields]:
        get = (SHIPPED | {key: text}).get
        result = outcome("Variables", lambda g=group, v=get: load(g, v), SettingsError, MissingError)
        assert not isinstance(result, SettingsError) or len(str(result)) < 10_000, "the message repeats the whole text"


# Checks ------------------------------------------------------------------------------------------------------------

FIELDS = [
    {"name": "amount", "type": "INTEGER"},
    {"name": "price", "type": "FLOAT"},
    {"name": "exact", "type": "NUMERIC"},
    {"name": "name", "type": "STRING"},
    {"name": "closed_at", "type": "TIMESTAMP"},
    {"name": "day", "type": "DATE"},
    {"name": "ok", "type": "BOOLEAN"},
    {"name": "tags", "type": "STRING", "mode": "REPEATED"},
    {"name": "blob", "type": "BYTES"},
]
columns = st.sampled_from([field["name"] for field in FIELDS]) | texts
marked = st.text(st.sampled_from("'\"`;\\-@)\n\0 =é"), max_size=8).map(lambda text: f"mark{text}mark")
"""Texts that differ from SQL wherever they appear."""
values = marked | numbers | st.booleans() | st.sampled_from(["2026-01-01", "2026-01-01T00:00:00Z"])
checks = st.fixed_dictionaries(
    {"table": st.just("t"), "kind": st.sampled_from([kind.value for kind in Kind]), "column": columns | marked},
    optional={
        "values": st.lists(values, min_size=1, max_size=3),
        "minimum": values,
        "maximum": values,
        "metric": st.sampled_from(["COUNT", "SUM", "MIN", "MAX", "AVG"]),
        "where": st.lists(
            st.fixed_dictionaries({"column": columns, "operator": st.sampled_from(["=", "!=", "<"]), "value": values}),
            max_size=2,
        ),
    },
)
WORDS = re.compile(r"`[A-Za-z_]\w*`|@check_\d+_\d+|[A-Za-z_]+\w*|\d+|[\s(),.<>=!*-]")
"""The parts from which a rule's SQL may be built."""


@tried(800)
@given(checks)
@example({"table": "t", "kind": "range", "column": "price", "minimum": float("nan")})
@example({"table": "t", "kind": "range", "column": "price", "maximum": 1e999})
@example({"table": "t", "kind": "range", "column": "amount", "minimum": 1 << 80})
@example({"table": "t", "kind": "range", "column": "price", "minimum": 10**400})
@example({"table": "t", "kind": "accepted_values", "column": "name", "values": ["a"]})
def test_checks_give_sql_of_checked_names_and_parameters(written):
    settings = outcome("checks", lambda: load(CheckSettings, {"checks": [written]}.get), SettingsError, MissingError)
    if isinstance(settings, SettingsError):
        return
    rules = outcome("checks", lambda: column_rules(settings.of("t"), "`p.d.t`", FIELDS), CheckError)
    if isinstance(rules, CheckError):
        return
    (rule,) = rules
    for sql in (rule.count, rule.rows, check_staging("`p.d.t`", rules, ()).sql):
        rest = WORDS.sub("", sql.replace("`p.d.t`", ""))
        assert not rest and "mark" not in sql, sql
        assert set(re.findall(r"`(\w+)`", sql)) <= {field["name"] for field in FIELDS} | {"check_0"}
        assert set(re.findall(r"@(\w+)", sql)) <= {parameter.name for parameter in rule.parameters}
    for parameter in rule.parameters:
        for value in parameter.values if isinstance(parameter, ArrayParameter) else [parameter.value]:
            assert value is not None
            if parameter.type == "INT64":
                assert -(1 << 63) <= int(value) < 1 << 63
            if parameter.type in ("FLOAT64", "NUMERIC"):
                assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", value), value


@tried(200)
@given(texts, st.sampled_from(list(Kind)))
def test_invalid_checks_of_other_sources_are_refused(column, kind):
    outcome(
        "checks",
        lambda: column_rules([Check(kind, column)], "`p.d.t`", [{"name": column, "type": "STRING"}]),
        CheckError,
        ValueError,
    )


@tried(300)
@given(texts | st.from_regex(r"[a-z`.'-]{1,9}"), texts)
def test_names_in_sql_are_checked(name, other):
    for made in (
        outcome("names", lambda: identifier(name), ValueError),
        outcome("names", lambda: table_name("project", name, other), ValueError),
    ):
        assert isinstance(made, ValueError) or re.fullmatch(r"`[A-Za-z0-9_.-]+`", made), made
