"""The simulated backfill keeps to the limits that it is about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.backfill_model import HOUR, Dag, Rates, Table, best, simulate

RATES = Rates(raw=1, pod_start=0, task_start=0, load=(0, 0), check=0, merge=(0, 0), state_merge=0)
DAG = Dag(export_rate=10, tables=[Table(1)])


def hours(dags=(DAG,), rates=RATES, ledgers=36_000, chunk=1000, pods=1, active_runs=100):
    return simulate(dags, rates, ledgers, chunk, pods, active_runs)


def test_pods_share_the_exports():
    assert hours().elapsed == hours().pods == pytest.approx(1)
    assert hours(pods=4).elapsed == pytest.approx(1 / 4)
    assert hours(pods=500).elapsed == pytest.approx(1 / 36)  # no more than there are chunks


def test_no_more_runs_are_active_than_are_allowed():
    assert hours(pods=8, active_runs=2).elapsed == pytest.approx(1 / 2)


def test_a_table_has_one_writer_at_a_time():
    slow = replace(RATES, merge=(100, 0))
    found = hours(rates=slow, pods=500)
    assert found.writer == pytest.approx(36 * 200 / HOUR)  # a merge, and a row of batch stats
    assert found.elapsed == pytest.approx(found.writer + 100 / HOUR)


def test_dags_share_the_pods_and_not_the_tables():
    slow = replace(RATES, merge=(100, 0))
    assert hours(dags=[DAG, DAG], pods=2).elapsed == pytest.approx(1)
    assert hours(dags=[DAG, DAG], rates=slow, pods=500).elapsed == hours(rates=slow, pods=500).elapsed


def test_a_state_table_is_merged_under_its_changes_pool():
    slow = replace(RATES, merge=(100, 0), state_merge=50)
    assert hours([Dag(10, [Table(1, has_state=True)])], slow).writer == pytest.approx(36 * 350 / HOUR)


def test_slow_statements_want_larger_chunks():
    slow = replace(RATES, merge=(100, 0))
    assert best([DAG], RATES, 36_000, [100, 1000, 10_000], pods=360)[0] == 100
    assert best([DAG], slow, 36_000, [100, 1000, 10_000], pods=360)[0] == 10_000
