"""The Beam pipeline: files of batches → references → lanes → requests, each with a receipt.

    python -m outbound --input gs://B/P/batches --state gs://B/P/state --url https://… --lanes 4 …

Elements are references, a few hundred bytes each; a worker reads the body when it sends it. All batches of a lane are
one group, so that at most `--lanes` requests are under way, and each lane keeps its share of the rate.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions

from outbound.batches import Bodies, Reference, references
from outbound.credentials import read_secret
from outbound.lane import Lane, Sent
from outbound.objects import Objects, storage_client
from outbound.sender import Ending, Sender, Terms

NAMESPACE = "outbound"
"""The namespace of the job's metrics; the report reads them by it."""


@dataclass(frozen=True)
class Settings:
    """The options of the command line, which are serialized to the workers with the pipeline.

    Attributes:
        input: the folder of the Parquet files.
        state: the folder of receipts and claims.
        url: the receiver's address.
        secret: a reference to the token that each request carries; empty for none.
        lanes: the limit of concurrent requests.
        rate: requests per second of all lanes together; 0 for no limit.
        tries: the most requests for one batch.
        timeout: seconds to wait for a response.
        hold: whether a batch with an unknown outcome is left to a user.
        job: the job's name, for receipts.
    """

    input: str
    state: str
    url: str
    secret: str
    lanes: int
    rate: float
    tries: int
    timeout: float
    hold: bool
    job: str

    def terms(self) -> Terms:
        """Return the terms of a lane, with the secret read now."""
        headers = {"Authorization": f"Bearer {read_secret(self.secret)}"} if self.secret else {}
        interval = self.lanes / self.rate if self.rate else 0.0
        return Terms(self.url, self.tries, self.timeout, self.hold, interval, headers)


class FindBatches(beam.DoFn):
    """Yields the references of a Parquet file, with the lane of each."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def process(self, name: str) -> Iterator[tuple[int, Reference]]:
        """Read the small columns of one file."""
        objects = Objects(storage_client(), self.settings.input)
        with objects.open(name) as file:
            for reference in references(name, file):
                yield reference.batch % self.settings.lanes, reference


class SendLane(beam.DoFn):
    """Sends the batches of one lane; yields nothing, because the receipts are the result."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.counters = {
            name: Metrics.counter(NAMESPACE, name) for name in (*Ending, "rows", "bytes", "retries", "already_settled")
        }
        self.sizes = Metrics.distribution(NAMESPACE, "batch_bytes")
        self.latencies = Metrics.distribution(NAMESPACE, "latency_ms")
        # Dataflow adds no workers for a stage that mostly waits for a receiver.
        self.throttled = Metrics.counter(NAMESPACE, "cumulativeThrottlingSeconds")

    def setup(self) -> None:
        """Read the secret in the worker, so that neither the job's description nor its command line contains it."""
        self.terms = self.settings.terms()
        self.client = storage_client()

    def process(self, element: tuple[int, Iterable[Reference]]) -> None:
        """Send a lane's batches."""
        sender = Sender(self.terms)
        bodies = Bodies(Objects(self.client, self.settings.input))
        lane = Lane(Objects(self.client, self.settings.state), bodies, sender, self.settings.job)
        try:
            for sent in lane.send(element[1]):
                self._count(sent)
        finally:
            sender.close()

    def _count(self, sent: Sent) -> None:
        outcome = sent.outcome
        if outcome is None:
            self.counters["already_settled"].inc()
            return
        self.counters[outcome.ending].inc()
        self.counters["retries"].inc(max(0, outcome.tries - 1))
        self.throttled.inc(round(outcome.throttled))
        self.latencies.update(round(outcome.latency * 1000))
        self.sizes.update(sent.reference.byte_count)
        if outcome.ending is Ending.DELIVERED:
            self.counters["rows"].inc(sent.reference.row_count)
            self.counters["bytes"].inc(sent.reference.byte_count)


def build(pipeline: beam.Pipeline, settings: Settings, names: Sequence[str]) -> None:
    """Add the steps to a pipeline.

    Args:
        pipeline: the pipeline.
        settings: the options of the command line.
        names: the Parquet files.
    """
    (
        pipeline
        | "Files" >> beam.Create(list(names), reshuffle=True)
        | "Find batches" >> beam.ParDo(FindBatches(settings))
        | "Group into lanes" >> beam.GroupByKey()
        | "Send" >> beam.ParDo(SendLane(settings))
    )


def metrics_of(result: Any) -> list[dict[str, Any]]:
    """Return the job's metrics, in the form of Dataflow's `jobs.getMetrics`."""
    found = result.metrics().query(beam.metrics.MetricsFilter().with_namespace(NAMESPACE))
    metrics = [(one.key.metric.name, "scalar", one.result) for one in found["counters"]]
    for one in found["distributions"]:
        values = {"count": one.result.count, "sum": one.result.sum, "min": one.result.min, "max": one.result.max}
        metrics.append((one.key.metric.name, "distribution", values))
    return [
        {"name": {"origin": "user", "name": str(name), "context": {"namespace": NAMESPACE}}, kind: value}
        for name, kind, value in metrics
    ]


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Return our options, and the remaining ones for Beam."""
    parser = argparse.ArgumentParser(prog="python -m outbound", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--input", required=True, help="gs://bucket/folder of the Parquet files")
    parser.add_argument("--state", required=True, help="gs://bucket/folder for receipts and claims")
    parser.add_argument("--url", required=True, help="the receiver's address")
    parser.add_argument("--secret", default="", help="a reference of Secret Manager or Vault: the bearer token")
    parser.add_argument("--lanes", type=int, required=True, help="concurrent requests")
    parser.add_argument("--rate", type=float, default=0.0, help="requests per second; 0: no limit")
    parser.add_argument("--tries", type=int, required=True, help="requests for one batch at most")
    parser.add_argument("--timeout", type=float, required=True, help="seconds to wait for a response")
    parser.add_argument("--on_unknown", choices=("resend", "hold"), required=True)
    parser.add_argument("--job", default="", help="the job's name, for receipts")
    parser.add_argument("--metrics", default="", help="write the metrics of the finished job to this file")
    return parser.parse_known_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the pipeline; on a local runner wait for its end and write its metrics."""
    arguments, beams = parse(argv)
    settings = Settings(
        arguments.input,
        arguments.state,
        arguments.url,
        arguments.secret,
        arguments.lanes,
        arguments.rate,
        arguments.tries,
        arguments.timeout,
        arguments.on_unknown == "hold",
        arguments.job,
    )
    began, before = time.monotonic(), os.times()
    pipeline = beam.Pipeline(options=PipelineOptions(beams))
    build(pipeline, settings, Objects(storage_client(), settings.input).names())
    result = pipeline.run()
    if not arguments.metrics:  # a Flex Template's launcher ends when the job is submitted
        return
    result.wait_until_finish()
    after = os.times()
    used = {
        "TotalVcpuTime": sum(after[:4]) - sum(before[:4]),
        "TotalMemoryUsage": 1024 * (time.monotonic() - began),
    }
    service = [{"name": {"origin": "dataflow/v1b3", "name": name}, "scalar": value} for name, value in used.items()]
    partial = Path(f"{arguments.metrics}.part")
    partial.write_text(json.dumps([*metrics_of(result), *service]))
    partial.replace(arguments.metrics)
