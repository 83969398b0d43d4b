"""The pipeline as a process: 1 GB of batches needs at most a tenth of that in memory."""

from __future__ import annotations

import pytest

from benchmarks.outbound import FOLDER, command_of, measure, write_batches
from tests.local import emulators
from tests.outbound.receiver import make_python, receiving, worker_environment

BATCHES = 1100
"""Batches of a megabyte each, as the benchmark writes them: 5,000 rows of 200 bytes."""


@pytest.mark.slow
def test_a_gigabyte_needs_at_most_a_tenth_of_it_in_memory(tmp_path):
    make_python()
    peaks, place = [], f"gs://{emulators.BUCKET}/{FOLDER}"
    with emulators.running(emulators.bucket(tmp_path)) as bucket, receiving(tmp_path) as receiver:
        for count in (BATCHES // 10, BATCHES):
            file = tmp_path / "gcs" / emulators.BUCKET / FOLDER / str(count) / "part-0.parquet"
            write_batches(file, count)
            command = command_of(receiver.address, f"{place}/{count}", f"{place}/state-{count}", workers=2)
            peaks.append(measure(command, worker_environment(bucket.url))[1])
            file.unlink()
        assert receiver.stats()["batches"] == BATCHES
    assert peaks[1] < 1.25 * peaks[0]
