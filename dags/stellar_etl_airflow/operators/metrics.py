"""Send metrics through Airflow's client of StatsD or OpenTelemetry, as Airflow is configured; see docs/metrics.md."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from airflow.sdk.observability import stats

from stellar_etl_airflow.model.metrics import COUNTERS, Measurement

PREFIX = "stellar_etl"

log = logging.getLogger(__name__)


def send(measurements: Iterable[Measurement]) -> None:
    """Send values. Without a configured receiver, Airflow drops them. A value that cannot be sent fails no task."""
    for one in measurements:
        name, tags = f"{PREFIX}.{one.name}", dict(one.tags)
        try:
            if one.name in COUNTERS:
                stats.incr(name, int(one.value), tags=tags)
            else:
                stats.gauge(name, one.value, tags=tags)
        except Exception as error:  # a problem of the receiver must not fail a load
            log.warning("the metric %s cannot be sent: %r", name, error)
