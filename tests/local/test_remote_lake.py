"""A remote lake with the public lake's layout, on a slow and unreliable server that answers as Amazon S3 does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.plan import PlanError
from local.remote_lake import download, folder_of, newest_interval, open_remote, plan_download
from local.run import _parser, job_of
from local.stack import StackError
from stellar_etl.sources.lake import open_lake
from stellar_etl.sources.ledger_range import ledger_range
from tests.stellar_etl.web_lake import PUBLIC, Pretended, Server, served

NEWEST = 60_000_000
BEGUN = datetime(2026, 11, 1, tzinfo=UTC)
CLOSED = {"first": NEWEST - 1000}
LATENCY = 0.005


def closed(sequence: int) -> int:
    """Return the close time: a ledger every five seconds, and the newest one at 12:34:56."""
    return int(datetime(2026, 11, 1, 12, 34, 56, tzinfo=UTC).timestamp()) - 5 * (NEWEST - sequence)


@dataclass
class Slow(Pretended):
    """Objects with a delay."""

    def content(self, name: str) -> bytes | None:
        time.sleep(LATENCY)
        return super().content(name)


@pytest.fixture
def server() -> Iterator[Server]:
    with served(Slow(closed, newest=NEWEST)) as server:
        yield server


START, END = datetime(2026, 11, 1, 12, 20, tzinfo=UTC), datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
"""The newest ten minutes: the schedule's last interval whose end the lake has reached."""
LEDGERS = 120 + 1
"""The ledgers of the interval, and the first one after it."""


def ignore(*_: Any) -> None:
    pass


def test_the_newest_interval_is_the_default(server, tmp_path):
    assert newest_interval(open_remote(server.url), 10) == (START, END)
    assert newest_interval(open_remote(server.url), 60) == (START.replace(hour=11, minute=0), END.replace(minute=0))
    job = job_of(_parser().parse_args(["--lake", server.url, "--dir", str(tmp_path)]))
    assert (job.plan.start, job.plan.end, len(job.plan.intervals), job.plan.by_schedule) == (START, END, 1, True)
    assert (job.address, job.dataset) == (server.url, "stellar_pubnet")
    assert job.lake == str(folder_of(tmp_path, server.url))


def test_the_copy_has_the_range_and_its_size_was_announced(server, tmp_path):
    needed = plan_download(open_remote(server.url), tmp_path, START, END)
    assert f"{len(needed.missing)} objects to download, about " in str(needed)
    seen = []
    download(needed, lambda *news: seen.append(news))
    assert [done for done, _, _ in seen] == list(range(1, len(needed.missing) + 1))
    assert seen[-1][2] == pytest.approx(needed.size, rel=0.2)
    copy = open_lake(str(tmp_path), "pubnet", PUBLIC)
    assert ledger_range(copy, START, END) == {"start": needed.first, "end": needed.last}
    ledgers = list(copy.read(needed.first, needed.last))
    assert len(ledgers) == needed.last - needed.first + 1 == LEDGERS
    assert server.most_busy > 1, "objects are downloaded in parallel"


def test_copied_objects_are_not_downloaded_again(server, tmp_path):
    download(plan_download(open_remote(server.url), tmp_path, START, END), ignore)
    # The search for the range reads further objects.
    before = server.reads.copy()
    again = plan_download(open_remote(server.url), tmp_path, START, END)
    assert again.missing == []
    assert "all are in" in str(again)
    new_reads = server.reads[len(before) :]
    assert len(new_reads) < 20
    longer = plan_download(open_remote(server.url), tmp_path, START - timedelta(minutes=1), END)
    assert 0 < len(longer.missing) <= 12


def test_a_throttled_download_succeeds(server, tmp_path):
    needed = plan_download(open_remote(server.url), tmp_path, START, END)
    for span in needed.missing[::20]:
        server.faults[span.name] = [429, 503]
    download(needed, ignore)
    assert plan_download(open_remote(server.url), tmp_path, START, END).missing == []


def test_a_failed_download_names_the_object_and_continues_there(server, tmp_path):
    needed = plan_download(open_remote(server.url), tmp_path, START, END)
    bad = needed.missing[-1].name
    server.faults[bad] = [403]
    with pytest.raises(StackError, match=bad.rsplit("/", 1)[-1]):
        download(needed, ignore)
    again = plan_download(open_remote(server.url), tmp_path, START, END)
    assert again.missing == [] or len(again.missing) < len(needed.missing) // 2


def test_a_range_beyond_the_lakes_newest_ledger_is_refused(server, tmp_path):
    with pytest.raises(StackError, match="the network has not reached this time"):
        plan_download(open_remote(server.url), tmp_path, START, END + timedelta(hours=1))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (lambda url: ["--lake", url.replace("pubnet", "nowhere")], "is not a lake, or is empty"),
        (lambda url: ["--lake", url, "--from", "2026-11-01T12:00:00Z"], "give both --from and --to"),
        (lambda _: ["--lake", "http://lake.example/pubnet"], "http is allowed only for this machine"),
    ],
)
def test_an_unreadable_lake_is_refused_before_anything_starts(
    server, tmp_path, arguments: Callable[[str], list[str]], words: str
):
    with pytest.raises(PlanError, match=words):
        job_of(_parser().parse_args([*arguments(server.url), "--dir", str(tmp_path / "stack")]))
    assert not (tmp_path / "stack").exists()


def test_two_lakes_with_one_name_have_separate_copies():
    root = Path("/stack")
    assert folder_of(root, "https://a.example/pubnet") != folder_of(root, "gs://b/pubnet/")
