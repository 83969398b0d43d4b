"""Summaries for the page, created by the task's code."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from stellar_etl_airflow.model.coverage import Fault
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.summary import Found, Repair, Summary
from stellar_etl_airflow.model.tables import PUBLISHED

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DATASETS = ("local.stellar", "local.published")
TABLES = {table.table_id: table for table in PUBLISHED.values()}


def closed_at(ledger, head):
    return NOW - timedelta(seconds=5 * (head - ledger))


def watermark(dataset, table_id, through, head):
    """Return a row of `ledger_watermarks`."""
    return {
        "network": "0123456789abcdef" * 2,
        "dataset": dataset,
        "table_id": table_id,
        "complete_from": 3,
        "complete_from_closed_at": closed_at(3, head),
        "complete_through": through,
        "complete_through_closed_at": closed_at(through, head),
        "network_head": head,
        "network_head_checked_at": NOW,
        "lag_ledgers": head - through,
        "last_changed_at": NOW,
        "table_count": len(TABLES) if table_id is None else 1,
        "tables_not_loaded": 0,
    }


def without(first, last, *holes):
    """Return the remaining ranges of one."""
    starts = [first, *(end + 1 for _, end in holes)]
    ends = [*(start - 1 for start, _ in holes), last]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if start <= end]


def made(head, gaps=None, dirty=None, repairs=(), tables=TABLES, datasets=DATASETS, last=None):
    """Return the document of tables that are loaded from 3 on, except gaps and dirty ranges, by table.

    Args:
        head: the network's latest ledger.
        gaps: by table, ranges without a load, in order.
        dirty: by table, ranges that a check found wrong, in order and separate from gaps.
        repairs: runs that load ledgers again.
        tables: the tables.
        datasets: the datasets.
        last: the last ledger that is loaded.
    """
    gaps, dirty, last = gaps or {}, dirty or {}, last or head - 2
    loaded = {table_id: without(3, last, *gaps.get(table_id, ())) for table_id in tables}
    complete = {
        table_id: without(3, last, *sorted([*gaps.get(table_id, ()), *dirty.get(table_id, ())])) for table_id in tables
    }
    through = {table_id: complete[table_id][0][1] for table_id in tables}
    hours = [NOW - timedelta(hours=hour) for hour in range(168, -1, -1)]
    found = Found(
        watermarks=[
            watermark(dataset, table_id, min(through.values()) if table_id is None else through[table_id], head)
            for dataset in datasets
            for table_id in (None, *tables)
        ],
        complete=[
            {"dataset": dataset, "table_id": table_id, "complete_from": start, "complete_through": end}
            for dataset in datasets
            for table_id in tables
            for start, end in complete[table_id]
        ],
        loaded=[
            {"table_id": table_id, "start_ledger": start, "end_ledger": end}
            for table_id in tables
            for start, end in loaded[table_id]
        ],
        findings=[
            {
                "dataset": dataset,
                "table_id": table_id,
                "fault": Fault.LOST_ROWS.value,
                "start_ledger": start,
                "end_ledger": end,
                "since": NOW - timedelta(hours=5),
                "last_seen": NOW,
            }
            for table_id, ranges in dirty.items()
            for start, end in ranges
            for dataset in datasets
        ],
        lags=[
            {"table_id": table_id, "checked_at": hour, "found": 2 + at % 5, "lag_seconds": 10 + 60 * (at % 5)}
            for at, hour in enumerate(hours)
            for table_id in tables
        ],
        batches=[
            {
                "dataset": dataset,
                "noted_at": hour,
                "complete_through": max(1, min(through.values()) - 720 * (168 - at)),
                "complete_through_closed_at": hour - timedelta(seconds=30 + 300 * (at % 7)),
            }
            for at, hour in enumerate(hours)
            for dataset in datasets
        ],
        costs=[
            {
                "day": (NOW - timedelta(days=day)).date(),
                "table_id": table_id,
                "loads": 144,
                "gib_billed": 2.5,
                "queries": 0.02 * (1 + number % 4),
                "pods": 0.05 * (1 + (day + number) % 3),
                "storage": 0.01,
            }
            for day in range(30)
            for number, table_id in enumerate(tables)
        ],
        audits=[
            {
                "run_id": f"scheduled__{NOW - timedelta(days=day):%Y-%m-%d}",
                "audited_at": NOW - timedelta(days=day),
                "start_ledger": 1000 * (day + 1),
                "end_ledger": 1000 * (day + 1) + 63,
                "table_count": len(tables),
                "row_count": 98_765,
                "missing_rows": int(day == 1),
                "extra_rows": 0,
                "different_rows": 2 * int(day == 1),
                "is_healed": day == 1,
                "detection_probability": 0.5,
            }
            for day in range(3)
        ],
    )
    summary = Summary(found, tables, repairs)
    places = sorted({problem.place for problem in summary.problems})
    names = ("table_id", "start_ledger", "end_ledger")
    keys = [dict(zip(names, place, strict=True)) for place in places]
    loads = [
        {**key, "dag_id": tables[key["table_id"]].dag_id, "batch_id": f"scheduled__{key['start_ledger']}"}
        for key in keys
        if key["table_id"] in dirty
    ]
    times = [
        {
            **key,
            "closed_before": closed_at(key["start_ledger"] - 1, head),
            "closed_after": closed_at(key["end_ledger"] + 1, head),
        }
        for key in keys
    ]
    return summary.to_json(NOW, loads, times, {"runbook": "https://example.com/runbook.md"})


HEAD = 60_000_000


def large_summary(holes=300):
    """Return a summary of sixty million ledgers of every table of two datasets, each with hundreds of findings."""
    chance = random.Random(22)

    def scattered():
        starts = sorted(chance.sample(range(100, HEAD - 1000, 50), 2 * holes))
        return [(start, start + chance.randrange(40)) for start in starts]

    gaps, dirty = {}, {}
    for table_id in TABLES:
        every = scattered()
        gaps[table_id], dirty[table_id] = every[::2], every[1::2]
    repairs = [
        Repair("state_table_export", f"heal__{start}", LedgerRange(start, start + 9)) for start in range(9, 900, 90)
    ]
    return made(HEAD, gaps, dirty, repairs)
