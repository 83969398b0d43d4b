"""The choice of ledgers for audits, and the probability that audits find damage, compared with simulation."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest

from stellar_etl_airflow.model.audits import Sample, chosen_range
from stellar_etl_airflow.model.ranges import LedgerRange

RANGES = [LedgerRange(3, 44), LedgerRange(60, 64), LedgerRange(100, 199)]
LEDGERS = [ledger for one in RANGES for ledger in range(one.start, one.end + 1)]


def test_a_run_always_chooses_the_same_ledgers_and_runs_differ():
    chosen = [chosen_range(RANGES, 10, f"run {number}") for number in range(40)]
    assert chosen == [chosen_range(RANGES, 10, f"run {number}") for number in range(40)]
    assert len(set(chosen)) > 10


def test_every_ledger_is_equally_likely():
    runs, seen = 8_000, Counter()
    for number in range(runs):
        one = chosen_range(RANGES, 10, str(number))
        seen.update(range(one.start, one.end + 1))
    assert seen.keys() == set(LEDGERS)
    expected = runs / Sample.of(RANGES, 10, timedelta(hours=1)).chunks
    assert all(abs(count - expected) < 6 * expected**0.5 for count in seen.values())


def test_a_sample_counts_ledgers_chunks_and_runs():
    sample = Sample.of(RANGES, 10, timedelta(hours=6))
    assert (sample.ledgers, sample.chunks, sample.runs_per_year) == (147, 5 + 1 + 10, 4 * 365)
    assert Sample(**sample.to_json()) == sample
    assert chosen_range([], 10, "run") is None


def simulated(sample, damage):
    """Return the share of simulated years in which audits find damage; `damage` draws the damage of one year."""
    years, found = 4_000, 0
    numbers = random.Random(7)
    for _ in range(years):
        chunks = {ledger // sample.size for ledger in damage(numbers)}
        found += any(numbers.randrange(sample.chunks) in chunks for _ in range(round(sample.runs_per_year)))
    return found / years


SAMPLES = [Sample(200, 20, 10, 15), Sample(500, 100, 5, 40), Sample(60, 60, 1, 20)]


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
@pytest.mark.parametrize("damaged", [1, 4, 11, 23])
def test_the_probability_agrees_with_simulation(sample, damaged):
    """The damage begins at any ledger from which it ends within the chunks."""

    def damage(numbers):
        start = numbers.randrange((sample.ledgers - damaged) // sample.size * sample.size)
        return range(start, start + damaged)

    assert sample.finds(damaged) == pytest.approx(simulated(sample, damage), abs=0.035)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
@pytest.mark.parametrize("share", [0.001, 0.01, 0.2])
def test_the_probability_of_scattered_damage_agrees_with_simulation(sample, share):
    def damage(numbers):
        return [ledger for ledger in range(sample.ledgers) if numbers.random() < share]

    assert sample.finds_share(share) == pytest.approx(simulated(sample, damage), abs=0.035)


def test_the_statement_names_sample_probabilities_and_assumption():
    text = Sample.of([LedgerRange(3, 60_000_002)], 60, timedelta(hours=1)).text
    assert "60 of 60000000 complete ledgers; the schedule makes at least 8760 audits a year" in text
    assert "one ledger with a probability of 0.87 %, of 100 consecutive ledgers with 2.3 %" in text
    assert "one ledger in 100,000 at random with 99.5 %" in text
    assert "assumes that damage is at any ledger with the same probability" in text


def test_extreme_samples_have_probabilities():
    tiny = Sample.of([LedgerRange(3, 12)], 60, timedelta(days=1))
    assert (tiny.chunks, tiny.finds(1), tiny.finds(5000), tiny.finds_share(1.0)) == (1, 1.0, 1.0, 1.0)
    assert 0 < Sample.of([LedgerRange(3, 60_000_000)], 1, timedelta(days=7)).finds(1) < 1e-5
