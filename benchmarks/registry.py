"""Every benchmark by name. A new benchmark is a module with a `BENCHMARK`, and a line here."""

from __future__ import annotations

from benchmarks import (
    api_requests,
    backfill,
    batch,
    changes,
    dag_files,
    decode,
    growth,
    history,
    loading,
    main_job,
    memory,
    one_pass,
    outbound,
    processes,
    servers,
)
from benchmarks.rows import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    "decode": decode.BENCHMARK,
    "history": history.BENCHMARK,
    "processes": processes.BENCHMARK,
    "one_pass": one_pass.BENCHMARK,
    "changes": changes.BENCHMARK,
    "memory": memory.BENCHMARK,
    "loading": loading.BENCHMARK,
    "main_job": main_job.BENCHMARK,
    "batch": batch.BENCHMARK,
    "api_requests": api_requests.BENCHMARK,
    "dag_files": dag_files.BENCHMARK,
    "growth": growth.BENCHMARK,
    "servers": servers.BENCHMARK,
    "backfill": backfill.BENCHMARK,
    "outbound": outbound.BENCHMARK,
}
