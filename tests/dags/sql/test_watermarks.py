"""The views of complete ledgers agree with a model that uses neither SQL nor ranges.

The model is a dictionary per dataset and table. Loads, damage, coverage checks and removals change one ledger at a
time. The views must agree with it: they never claim more, and never less than is known to be resolved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import google.cloud.bigquery as bq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellar_etl_airflow.model.coverage import Fault
from stellar_etl_airflow.model.tables import (
    BATCH_STATS_TABLE_ID,
    COVERAGE_TABLE_ID,
    RANGES_VIEW_ID,
    WATERMARKS_VIEW_ID,
)
from stellar_etl_airflow.sql.statement import Statement, table_name
from stellar_etl_airflow.sql.watermarks import of_datasets, ranges_view, watermarks_view
from tests.dags.sql.reference import Reference

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DATASETS = {"local.stellar": "0123456789abcdef0123456789abcdef", "local.published": None}
TABLES = ("history_ledgers", "accounts", "never_loaded")
LAST = 24

FIELDS = {
    BATCH_STATS_TABLE_ID: "table_id STRING, start_ledger INTEGER, end_ledger INTEGER, first_closed_at TIMESTAMP, "
    "last_closed_at TIMESTAMP, exported_at TIMESTAMP, published_at TIMESTAMP, left_out STRING",
    COVERAGE_TABLE_ID: "run_id STRING, checked_at TIMESTAMP, table_id STRING, fault STRING, start_ledger INTEGER, "
    "end_ledger INTEGER, dataset STRING",
}


def name(table_id):
    return table_name("local", "stellar", table_id)


STATS, COVERAGE, RANGES, WATERMARKS = map(
    name, (BATCH_STATS_TABLE_ID, COVERAGE_TABLE_ID, RANGES_VIEW_ID, WATERMARKS_VIEW_ID)
)
OF_RANGES = ranges_view(STATS, COVERAGE, DATASETS, TABLES)
OF_WATERMARKS = watermarks_view(RANGES, STATS, COVERAGE, DATASETS, TABLES)


def closed_at(ledger):
    return BEGIN + timedelta(seconds=5 * ledger)


def text_of(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


@dataclass
class Model:
    """The ledgers, the knowledge about them, and the rows of the two tables with that knowledge."""

    stats: dict = field(default_factory=dict)
    findings: list = field(default_factory=list)
    bad: set = field(default_factory=set)
    known: dict = field(default_factory=dict)
    minutes: int = 0

    def tick(self):
        self.minutes += 1
        return BEGIN + timedelta(days=1, minutes=self.minutes)

    def find(self, checked_at, table, fault, start, end, dataset):
        row = {"table_id": table, "fault": fault, "start_ledger": start, "end_ledger": end, "dataset": dataset}
        self.findings.append({"run_id": text_of(checked_at), "checked_at": text_of(checked_at), **row})

    def export(self, table, ledgers, left_out=()):
        return {"table": table, "ledgers": ledgers, "exported_at": self.tick(), "left_out": left_out}

    def newer(self, load, ledger):
        """Return whether a newer export attempt has published a ledger."""
        at = text_of(load["exported_at"])
        return any(
            table == load["table"] and start <= ledger <= end and row["exported_at"] > at
            for (table, start, end), row in self.stats.items()
        )

    def publish(self, load):
        """Publish ledgers without a newer attempt; keep the row of a newer attempt of the same range."""
        table, (start, end) = load["table"], load["ledgers"]
        own = [ledger for ledger in range(start, end + 1) if not self.newer(load, ledger)]
        for place in [(dataset, table, ledger) for dataset in DATASETS for ledger in own]:
            self.bad.discard(place)
            if place in self.known and self.known[place][0] < load["exported_at"]:
                del self.known[place]
            if place[-1] in load["left_out"]:
                self.bad.add(place)
                self.known[place] = load["exported_at"], True
        times = {"first_closed_at": closed_at(start), "last_closed_at": closed_at(end), "published_at": self.tick()}
        times["exported_at"] = load["exported_at"]
        row = {"table_id": table, "start_ledger": start, "end_ledger": end}
        row |= {key: text_of(one) for key, one in times.items()}
        row["left_out"] = ",".join(str(one) for one in load["left_out"] if start <= one <= end) or None
        before = self.stats.get((table, start, end))
        if before is None or before["exported_at"] <= row["exported_at"]:
            self.stats[table, start, end] = row

    def damage(self, dataset, table, ledgers):
        self.bad |= {(dataset, table, ledger) for ledger in range(ledgers[0], ledgers[1] + 1)}

    def look(self, dataset, table, ledgers):
        checked_at = self.tick()
        self.find(checked_at, table, Fault.LOOKED_AT, *ledgers, dataset)
        for ledger in range(ledgers[0], ledgers[1] + 1):
            place = dataset, table, ledger
            if place in self.known and not self.known[place][1]:
                del self.known[place]
            if place in self.bad:
                self.find(checked_at, table, Fault.LOST_ROWS, ledger, ledger, dataset)
                self.known[place] = checked_at, self.known.get(place, (None, False))[1]

    def remove(self, table, ledgers):
        at = self.tick()
        self.find(at, table, Fault.REMOVED, *ledgers, "")
        for dataset in DATASETS:
            for ledger in range(ledgers[0], ledgers[1] + 1):
                self.bad.add((dataset, table, ledger))
                self.known[dataset, table, ledger] = at, True
        inside = [key for key in self.stats if key[0] == table and ledgers[0] <= key[1] and key[2] <= ledgers[1]]
        for key in inside:
            del self.stats[key]

    def complete(self, dataset, table):
        """Return the ledgers that are known to be complete in one table."""
        loaded = {ledger for of, start, end in self.stats if of == table for ledger in range(start, end + 1)}
        return {ledger for ledger in loaded if (dataset, table, ledger) not in self.known}

    def expected(self):
        """Return the complete ledgers by dataset and table, and by dataset alone."""
        loaded = [table for table in TABLES if any(table == of for of, *_ in self.stats)]
        result = {}
        for dataset in DATASETS:
            sets = [self.complete(dataset, table) for table in loaded]
            result |= {(dataset, table): one for table, one in zip(loaded, sets, strict=True)}
            result[dataset, None] = set.intersection(*sets) if sets else set()
        return {key: one for key, one in result.items() if one}

    def rows(self):
        return {STATS: list(self.stats.values()), COVERAGE: self.findings}


def columns(text):
    return [dict(zip(("name", "type"), one.split(), strict=True), mode="NULLABLE") for one in text.split(", ")]


SCHEMAS = {name(table_id): columns(text) for table_id, text in FIELDS.items()}


def by_reference(model, *queries):
    reference = Reference(SCHEMAS, model.rows())
    return [
        reference.query(Statement(one.replace(WATERMARKS, f"({OF_WATERMARKS})").replace(RANGES, f"({OF_RANGES})")))
        for one in queries
    ]


def literal(value):
    return "NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


@pytest.fixture
def by_laptop(client):
    """Query the real views on the laptop's warehouse."""
    for table_id, text in FIELDS.items():
        fields = [bq.SchemaField(one["name"], one["type"]) for one in columns(text)]
        client.create_table(bq.Table(f"local.stellar.{table_id}", schema=fields))
    for view_id, query in ((RANGES_VIEW_ID, OF_RANGES), (WATERMARKS_VIEW_ID, OF_WATERMARKS)):
        view = bq.Table(f"local.stellar.{view_id}")
        view.view_query = query
        client.create_table(view)

    def answer(model, *queries):
        for quoted, rows in model.rows().items():
            client.query(f"TRUNCATE TABLE {quoted}").result()
            if rows:
                listed = ", ".join(rows[0])
                values = ", ".join(f"({', '.join(literal(row[key]) for key in rows[0])})" for row in rows)
                client.query(f"INSERT INTO {quoted} ({listed}) VALUES {values}").result()
        return [[dict(row.items()) for row in client.query(one).result()] for one in queries]

    return answer


def ledgers_of(rows):
    found = {}
    for row in rows:
        assert row["network"] == DATASETS[row["dataset"]]
        some = found.setdefault((row["dataset"], row["table_id"]), [])
        some += range(row["complete_from"], row["complete_through"] + 1)
    assert all(len(some) == len(set(some)) for some in found.values()), "ranges overlap"
    return {key: set(some) for key, some in found.items()}


def islands(ledgers):
    """Return the first and the last ledger of the first range without a gap."""
    first = last = min(ledgers)
    while last + 1 in ledgers:
        last += 1
    return first, last


def judge(model, answer):
    """Compare the views with the model."""
    ranges, watermarks = answer(model, f"SELECT * FROM {RANGES}", f"SELECT * FROM {WATERMARKS}")
    expected = model.expected()
    assert ledgers_of(ranges) == expected
    loaded = {table for table, *_ in model.stats}
    assert {(row["dataset"], row["table_id"]) for row in watermarks} == {
        (dataset, table) for dataset in DATASETS for table in {*loaded, None}
    }
    for row in watermarks:
        place = row["dataset"], row["table_id"]
        span = islands(expected[place]) if place in expected else (None, None)
        assert (row["complete_from"], row["complete_through"]) == span
        assert row["tables_not_loaded"] == (0 if row["table_id"] else len(TABLES) - len(loaded))
        if place in expected:
            first, last = span
            # The watermark is never too high, and exact if a load of the table begins or ends there.
            assert row["complete_through_closed_at"] <= closed_at(last)
            assert row["complete_from_closed_at"] >= closed_at(first)
            ours = [key for key in model.stats if row["table_id"] in (None, key[0])]
            if any(end == last for _, _, end in ours):
                assert row["complete_through_closed_at"] == closed_at(last)
            if any(start == first for _, start, _ in ours):
                assert row["complete_from_closed_at"] == closed_at(first)


LEDGER = st.integers(1, LAST)
LEDGERS = st.tuples(LEDGER, LEDGER).map(sorted)
TABLE, DATASET = st.sampled_from(TABLES[:2]), st.sampled_from(list(DATASETS))
STEP = st.one_of(
    st.tuples(st.just("load"), TABLE, LEDGERS),
    st.tuples(st.just("load all"), LEDGERS),
    st.tuples(st.just("load without a row"), TABLE, LEDGERS, LEDGER),
    st.tuples(st.just("export"), TABLE, LEDGERS),
    st.tuples(st.just("publish"), st.integers(0, 3)),
    st.tuples(st.just("damage"), DATASET, TABLE, LEDGERS),
    st.tuples(st.just("look"), DATASET, TABLE, LEDGERS),
    st.tuples(st.just("remove"), TABLE, LEDGERS),
)


def play(steps):
    model, exported = Model(), []
    for kind, *arguments in steps:
        match kind:
            case "load":
                model.publish(model.export(*arguments))
            case "load all":
                for table in TABLES[:2]:
                    model.publish(model.export(table, *arguments))
            case "load without a row":
                model.publish(model.export(*arguments[:2], left_out=(arguments[2],)))
            case "export":
                exported.append(model.export(*arguments))
            case "publish":
                if exported:
                    model.publish(exported.pop(arguments[0] % len(exported)))
            case _:
                getattr(model, kind)(*arguments)
    return model


WHOLE = ("load all", [1, LAST])
PRIVATE = next(iter(DATASETS))
FOUND = (("damage", PRIVATE, "accounts", [9, 12]), ("look", PRIVATE, "accounts", [5, 20]))
EXAMPLES = [
    [],
    [WHOLE],
    [("load all", [1, 8]), ("load all", [13, LAST])],
    [("load all", [1, 8]), ("load all", [13, LAST]), ("load", "accounts", [9, 12])],
    [WHOLE, *FOUND],
    [
        WHOLE,
        ("damage", PRIVATE, "accounts", [9, 12]),
        ("look", PRIVATE, "accounts", [5, 20]),
        ("load", "accounts", [8, 10]),
    ],
    [WHOLE, ("export", "accounts", [8, 14]), *FOUND, ("publish", 0)],
    [WHOLE, ("remove", "accounts", [5, 7]), ("look", PRIVATE, "accounts", [1, LAST])],
    [("load without a row", "accounts", [1, LAST], 7), ("load", "history_ledgers", [3, 20])],
    [("load without a row", "accounts", [1, LAST], 7), ("load", "accounts", [6, 8])],
]


@pytest.mark.parametrize("steps", EXAMPLES, ids=lambda steps: "-".join(step[0] for step in steps) or "nothing")
def test_the_views_agree_with_the_model(steps):
    judge(play(steps), by_reference)


@pytest.mark.slow
@settings(max_examples=8, derandomize=True, deadline=None)
@given(st.lists(STEP, min_size=2, max_size=9))
def test_the_views_claim_no_incomplete_ledger_for_one_history(steps):
    judge(play(steps), by_reference)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, min_size=2, max_size=25))
def test_the_views_claim_no_incomplete_ledger_for_many_histories(steps):
    judge(play(steps), by_reference)


def test_the_laptops_warehouse_agrees_with_the_reference(by_laptop):
    steps = [*EXAMPLES[4], ("remove", "history_ledgers", [20, 22]), ("load without a row", "accounts", [11, 15], 13)]
    judge(play(steps), by_laptop)


@pytest.mark.slow
@pytest.mark.parametrize("steps", EXAMPLES)
def test_the_laptops_warehouse_agrees_with_the_reference_for_every_example(steps, by_laptop):
    judge(play(steps), by_laptop)


def test_a_finding_of_rows_that_loads_keep_ends_with_a_later_audit_only():
    """Loads of the ledgers and coverage checks neither correct nor read these rows."""
    everything, table = set(range(1, LAST + 1)), "history_ledgers"

    def complete(model):
        (rows,) = by_reference(model, f"SELECT * FROM {RANGES} WHERE table_id = '{table}'")
        return ledgers_of(rows)[PRIVATE, table]

    model = play([WHOLE])
    audited_at = model.tick()
    model.find(audited_at, table, Fault.KEPT_ROWS, 7, 9, PRIVATE)
    model.find(audited_at, table, Fault.AUDITED, 1, LAST, PRIVATE)
    assert complete(model) == everything - {7, 8, 9}
    model.publish(model.export(table, (1, LAST)))
    model.look(PRIVATE, table, (1, LAST))
    assert complete(model) == everything - {7, 8, 9}
    model.find(model.tick(), table, Fault.AUDITED, 8, 20, PRIVATE)
    assert complete(model) == everything - {7}
    model.find(model.tick(), table, Fault.MISSING_ROWS, 12, 12, PRIVATE)
    model.find(model.tick(), table, Fault.AUDITED, 1, LAST, PRIVATE)
    assert complete(model) == everything - {12}, "a finding that loads correct stays until a load"


def test_a_broken_link_makes_both_of_its_ledgers_incomplete():
    model = play([WHOLE])
    model.find(model.tick(), "history_ledgers", Fault.BROKEN_LINK, 9, 9, PRIVATE)
    (rows,) = by_reference(model, f"SELECT * FROM {RANGES} WHERE table_id = 'history_ledgers'")
    assert ledgers_of(rows)[PRIVATE, "history_ledgers"] == set(range(1, LAST + 1)) - {8, 9}


@pytest.mark.parametrize("fault", [Fault.LAG, Fault.DIRTY, Fault.UNCOUNTED, Fault.UNIDENTIFIED, Fault.STATE_BEHIND])
def test_a_finding_without_published_rows_lowers_no_watermark(fault):
    model = play([WHOLE])
    model.find(model.tick(), "accounts", fault, 3, 9, PRIVATE)
    judge(model, by_reference)


def test_the_lag_is_that_of_the_newest_coverage_check():
    model = play([("load all", [1, 10])])
    for head in (30, 12):
        model.find(model.tick(), "accounts", Fault.LAG, 11, head, PRIVATE)
    (rows,) = by_reference(model, of_datasets(WATERMARKS).sql)
    assert [(row["complete_through"], row["network_head"], row["lag_ledgers"]) for row in rows] == [(10, 12, 2)] * 2


@pytest.mark.parametrize("text", ["a'b", "", "a b", "`a`"])
def test_an_invalid_name_never_enters_a_view(text):
    with pytest.raises(ValueError, match="not the name of a dataset"):
        ranges_view(STATS, COVERAGE, {text: None}, TABLES)
