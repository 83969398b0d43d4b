"""Sizes of an environment, by the operations that the network applies in a day. docs/production.md explains them."""

from __future__ import annotations

from dataclasses import dataclass

MILLIONS = ("1", "5", "20")


@dataclass(frozen=True)
class Workload:
    """One component of Airflow: the number of instances, and the resources of each.

    Composer 3 accepts half a CPU or whole ones, and 1 to 8 GB per CPU
    (https://cloud.google.com/composer/docs/composer-3/environment-scaling).
    """

    count: int
    cpu: float
    memory_gb: float

    def options(self, name: str) -> list[str]:
        """Return the options of `gcloud composer environments create` and `update`."""
        return [f"--{name}-count={self.count}", *self.each(name)]

    def each(self, name: str) -> list[str]:
        """Return the options of one instance."""
        return [f"--{name}-cpu={self.cpu:g}", f"--{name}-memory={self.memory_gb:g}GB"]


@dataclass(frozen=True)
class Size:
    """The resources of an environment.

    Attributes:
        database: Composer's `--environment-size`, which is its database's and its queue's.
        scheduler: parses nothing in Composer 3, and queues tasks.
        dag_processor: parses the DAG files.
        triggerer: runs deferred tasks; two, so that one can fail.
        worker: `count` is the minimum.
        max_workers: the most that Composer starts when tasks are queued.
        concurrency: concurrent tasks per worker.
        max_nodes: the most machines of the pods' node pool.
    """

    database: str
    scheduler: Workload
    dag_processor: Workload
    triggerer: Workload
    worker: Workload
    max_workers: int
    concurrency: int
    max_nodes: int


SIZES = {
    "1": Size(
        "small", Workload(1, 0.5, 2), Workload(1, 1, 4), Workload(2, 0.5, 1), Workload(1, 1, 4), 3, 6, max_nodes=2
    ),
    "5": Size("small", Workload(1, 1, 4), Workload(1, 1, 4), Workload(2, 0.5, 1), Workload(2, 1, 4), 6, 6, max_nodes=4),
    "20": Size(
        "medium", Workload(2, 1, 4), Workload(1, 2, 8), Workload(2, 1, 2), Workload(2, 2, 8), 8, 12, max_nodes=8
    ),
}
"""By millions of operations a day."""
