"""The simulated backfill respects its limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.backfill_model import HOUR, Dag, Rates, Table, best, simulate

RATES = Rates(raw=1, pod_start=0, task_start=0, load=(0, 0), check=0, merge=(0, 0), record=0, views=0, fold=(0, 0))
DAG = Dag(export_rate=10, tables=[Table(1)])


def hours(dags=(DAG,), rates=RATES, ledgers=36_000, chunk=1000, pods=1, active_runs=100, processors=1):
    return simulate(dags, rates, ledgers, chunk, pods, active_runs, processors)


def test_pods_share_the_exports():
    assert hours().elapsed == hours().cores == pytest.approx(1)
    assert hours(pods=4).elapsed == pytest.approx(1 / 4)
    assert hours(pods=500).elapsed == pytest.approx(1 / 36)  # there are no more chunks


def test_all_processors_of_a_pod_export():
    assert hours(processors=4).elapsed == pytest.approx(1 / 4)
    assert hours(processors=4).cores == pytest.approx(1)
    slow = replace(RATES, pod_start=100)
    assert hours(rates=slow, processors=4).cores == pytest.approx(1 + 4 * 36 * 100 / HOUR)


def test_active_runs_stay_within_their_limit():
    assert hours(pods=8, active_runs=2).elapsed == pytest.approx(1 / 2)


def test_a_table_has_one_writer_at_a_time():
    slow = replace(RATES, merge=(100, 0))
    found = hours(rates=slow, pods=500)
    assert found.writer == pytest.approx(36 * 100 / HOUR)
    assert found.elapsed == pytest.approx(found.writer + 100 / HOUR)


def test_runs_of_all_dags_record_their_batches_one_at_a_time():
    slow = replace(RATES, record=100)
    found = hours([DAG, DAG], slow, pods=500)
    assert found.recording == pytest.approx(72 * 100 / HOUR)
    assert found.elapsed == pytest.approx(found.recording + 100 / HOUR)


def test_dags_share_pods_and_not_tables():
    slow = replace(RATES, merge=(100, 0))
    assert hours(dags=[DAG, DAG], pods=2).elapsed == pytest.approx(1)
    assert hours(dags=[DAG, DAG], rates=slow, pods=500).elapsed == hours(rates=slow, pods=500).elapsed


CHANGES = Dag(10, [Table(1, has_state=True)])


def test_views_are_checked_in_the_pool_of_their_changes():
    slow = replace(RATES, merge=(100, 0), views=50)
    assert hours([CHANGES], slow, pods=500).writer == pytest.approx(36 * 150 / HOUR)
    assert hours([DAG], slow, pods=500).writer == pytest.approx(36 * 100 / HOUR)


def test_changes_are_folded_once_an_hour_and_at_the_end():
    slow = replace(RATES, fold=(600, 1 / 100))
    assert hours([DAG], slow).elapsed == pytest.approx(1)
    at_the_end = (600 + 36_000 / 100) / HOUR
    assert hours([CHANGES], slow, pods=36).elapsed == pytest.approx(100 / HOUR + at_the_end)
    assert hours([CHANGES], slow, ledgers=72_000).writer == pytest.approx((2 * 600 + 72_000 / 100) / HOUR)


def test_a_load_waits_for_the_fold_of_its_table():
    slow = replace(RATES, merge=(1200, 0), fold=(1000, 0))
    found = hours([CHANGES], slow, ledgers=4000, pods=4)
    assert found.writer == pytest.approx((4 * 1200 + 2 * 1000) / HOUR)  # an hour has three loads
    assert found.elapsed == pytest.approx(found.writer + 100 / HOUR)


def test_slow_statements_need_larger_chunks():
    slow = replace(RATES, merge=(100, 0))
    assert best([DAG], RATES, 36_000, [100, 1000, 10_000], cores=360).chunk == 100
    assert best([DAG], slow, 36_000, [100, 1000, 10_000], cores=360).chunk == 10_000


def test_few_large_chunks_are_exported_by_pods_of_several_processors():
    slow = replace(RATES, merge=(100, 0))
    found = best([DAG], slow, 36_000, [10_000], cores=8, sizes=(1, 2, 4))
    assert (found.processors, found.outcome.elapsed) == (4, pytest.approx((450 + 2 * 100) / HOUR))
    assert best([DAG], slow, 36_000, [10_000], cores=8).outcome.elapsed == pytest.approx((900 + 4 * 100) / HOUR)
