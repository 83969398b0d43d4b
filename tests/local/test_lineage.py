"""The graph that `python -m local lineage` draws, from events as OpenLineage's file transport writes them."""

from __future__ import annotations

import json

import pytest

from local.commands import main
from local.lineage import Graph, as_mermaid, as_text, read_events, read_graph

BUCKET = "gs://a-bucket"


def dataset(namespace, name, *columns):
    fields = [{"name": column, "type": "STRING"} for column in columns]
    return {"namespace": namespace, "name": name, "facets": {"schema": {"fields": fields}} if columns else {}}


def event(job, inputs, outputs, kind="COMPLETE"):
    return {"eventType": kind, "job": {"name": job}, "inputs": inputs, "outputs": outputs}


def batch(run, digest):
    lake = dataset("file", "/srv/lake")
    rows = dataset(BUCKET, f"dag-exported/{run}/20260101T001000Z-0123-4567/9-26-ledgers.txt", "sequence", "closed_at")
    staging = dataset("bigquery", f"p.d.history_ledgers_staging_{digest}", "sequence", "closed_at")
    published = dataset("bigquery", "p.d.history_ledgers", "sequence", "closed_at")
    return [
        event("a_dag.export", [], [], "START"),
        event("a_dag.export", [lake], [rows]),
        event("a_dag.ledgers.load", [rows], [staging]),
        event("a_dag.ledgers.merge", [staging], [], "FAIL"),
        event("a_dag.ledgers.merge", [staging], [published]),
        event("enriched.merge", [published], [dataset("bigquery", "p.d.enriched", "id")]),
    ]


@pytest.fixture
def graph():
    return read_graph([*batch("run-1", "0" * 16), *batch("run-2", "f" * 16)])


def test_the_runs_of_a_table_are_one_path(graph):
    assert as_text(graph).splitlines() == [
        "/srv/lake",
        "└─ gs://a-bucket/dag-exported/*/*/*-ledgers.txt  2 columns   a_dag.export",
        "   └─ p.d.history_ledgers_staging_*              2 columns   a_dag.ledgers.load",
        "      └─ p.d.history_ledgers                     2 columns   a_dag.ledgers.merge",
        "         └─ p.d.enriched                         1 columns   enriched.merge",
    ]


def test_the_flow_chart_has_the_same_arrows(graph):
    lines = as_mermaid(graph).splitlines()
    assert lines[0] == "flowchart LR"
    assert sum(" --> " in line for line in lines) == len(graph.jobs) == 4
    assert '    d4["p.d.history_ledgers_staging_*"]' in lines


def test_a_shared_source_of_two_tables_is_shown_once():
    edges = ["ab", "ac", "bd", "cd", "de"]
    text = as_text(Graph({(source, target): frozenset("x") for source, target in edges}, {}))
    assert (text.count("─ d"), text.count("─ e")) == (2, 1)


def test_a_stack_without_lineage_shows_how_to_record_it(tmp_path, capsys):
    assert main(["lineage", "--dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "local: no task has reported lineage yet: run ./run_local.sh --keep --lineage\n"


def test_events_are_read_in_the_order_of_writing(tmp_path):
    for number in (2, 1):
        (tmp_path / f"event-{number}.json").write_text(json.dumps({"number": number}))
    assert [one["number"] for one in read_events(tmp_path)] == [1, 2]
