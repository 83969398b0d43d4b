"""The metrics that the DAGs send, computed from findings and loads. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stellar_etl_airflow.model.coverage import NO_FAULTS, OF_AUDITS, Fault, Finding

METRICS = {
    "lag_seconds": "time from the table's latest ledger to the network's latest ledger, in seconds",
    "lag_ledgers": "ledgers of the network that are not in the table yet",
    "gap_ledgers": "ledgers that are missing in the table or were never loaded into it",
    "findings": "findings of the latest coverage check",
    "oldest_dirty_seconds": "time since the oldest republished ledgers that the point-in-time views do not show yet",
    "day_rows": "rows that were loaded in the last 24 hours",
    "day_bytes": "bytes of the exported files that were loaded in the last 24 hours",
    "day_cost": "cost of the loads of the last 24 hours: queries, pods, and storage for a month, in the currency of "
    "the prices in the Variables",
    "watermark_age_seconds": "time since the last complete ledger of the dataset closed, in seconds",
    "failed_checks": "checks that kept rows out of the published table",
    "audited_rows": "rows that the latest audit compared",
    "audit_findings": "rows that the latest audit found missing, extra or different",
}
"""The metrics by name, without the prefix `stellar_etl.`, with their meaning."""

COUNTERS = frozenset({"failed_checks"})
"""The metrics that are counters; the others are gauges."""


@dataclass(frozen=True)
class Measurement:
    """One value of a metric.

    Attributes:
        name: a key of `METRICS`.
        value: the value.
        tags: the dimensions, such as `table`.
    """

    name: str
    value: float
    tags: Mapping[str, str] = field(default_factory=dict)


def of_coverage(findings: Sequence[Finding], table_ids: Mapping[str, str]) -> Iterator[Measurement]:
    """Yield the metrics of a coverage check. Faults that are resolved become 0.

    Args:
        findings: all findings of the check, including lags and a `LOOKED_AT` per compared table.
        table_ids: the name of each type's table.
    """
    gaps: Counter[tuple[str, str]] = Counter()
    dirty: dict[tuple[str, str], int] = {}
    checked = dict.fromkeys((one.dataset, one.data_type) for one in findings)
    for one in findings:
        place = one.dataset, one.data_type
        if one.fault is Fault.LAG:
            tags = {"dataset": one.dataset, "table": table_ids[one.data_type]}
            yield Measurement("lag_seconds", one.lag_seconds or 0, tags)
            yield Measurement("lag_ledgers", one.count, tags)
        elif one.fault in (Fault.MISSING, Fault.NOT_LOADED):
            gaps[place] += one.end_ledger - one.start_ledger + 1
        elif one.fault is Fault.DIRTY:
            dirty[place] = max(dirty.get(place, 0), one.lag_seconds or 0)
    for dataset, data_type in checked:
        tags = {"dataset": dataset, "table": table_ids[data_type]}
        yield Measurement("gap_ledgers", gaps[dataset, data_type], tags)
        yield Measurement("oldest_dirty_seconds", dirty.get((dataset, data_type), 0), tags)
    found = Counter(one.fault for one in findings)
    for fault in Fault:
        if fault not in (*NO_FAULTS, *OF_AUDITS):
            yield Measurement("findings", found[fault], {"fault": fault})


def of_loads(loads: Iterable[Mapping[str, Any]], table_ids: Iterable[str]) -> Iterator[Measurement]:
    """Yield the metrics of a day's loads for every table; 0 for a table without a load.

    Args:
        loads: `table_id`, `row_count`, `byte_count` and `cost` of each table with loads.
        table_ids: the names of all tables.
    """
    loaded = {row["table_id"]: row for row in loads}
    for table_id in table_ids:
        for name, column in (("day_rows", "row_count"), ("day_bytes", "byte_count"), ("day_cost", "cost")):
            value = loaded[table_id][column] if table_id in loaded else 0
            yield Measurement(name, float(value), {"table": table_id})


def of_audit(findings: Iterable[Finding], rows: int) -> Iterator[Measurement]:
    """Yield the metrics of an audit.

    Args:
        findings: the findings of the audit.
        rows: the number of rows of a new export that were compared.
    """
    yield Measurement("audited_rows", rows)
    found: Counter[Fault] = Counter()
    for one in findings:
        found[one.fault] += one.count
    for fault in OF_AUDITS:
        yield Measurement("audit_findings", found[fault], {"fault": fault})
