"""Lakes on the web: the same rows as from a folder, few requests, and every failure of the service."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from stellar_etl.sources.read_ahead import Window, read_ahead
from tests.stellar_etl.program import fail, rows, run, succeed
from tests.stellar_etl.web_lake import Files, Pretended, Server, served

NOT_YET = 75
PATIENCE = "STELLAR_ETL_PATIENCE_SECONDS"


@pytest.fixture
def objects(lake: Path) -> Files:
    return Files(lake)


@pytest.fixture
def server(objects: Files) -> Iterator[Server]:
    with served(objects) as server:
        yield server


def export(server: Server, output: Path, first: int = 5, last: int = 30, *options: object) -> tuple[object, ...]:
    return ("export_all_history", "-s", first, "-e", last, "--datastore-path", server.url, "-o", output, *options)


@pytest.fixture(scope="module")
def expected(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output of an export from the folder."""
    output = tmp_path_factory.mktemp("expected")
    succeed("export_all_history", "-s", 5, "-e", 30, "--datastore-path", lake, "-o", output)
    return output


def assert_same_rows(output: Path, expected: Path) -> None:
    paths = list(expected.glob("*.txt"))
    assert paths
    for path in paths:
        assert path.read_bytes() == (output / path.name).read_bytes(), path.name


def refused(server: Server, tmp_path: Path, status: int = 1, patience: float = 0.5) -> str:
    """Run an export that must end without a file; return its line."""
    output = tmp_path / "out"
    line = fail(*export(server, output), status=status, **{PATIENCE: str(patience)})
    assert not output.exists() or not list(output.iterdir())
    return line


# Requests -------------------------------------------------------------------------------------------------------


def test_one_request_per_object_gives_the_rows_of_a_folder(server: Server, tmp_path: Path, expected: Path) -> None:
    succeed(*export(server, tmp_path / "out"))
    assert_same_rows(tmp_path / "out", expected)
    assert [query["prefix"] for query in server.listings] == ["v1.1/ledgers/pubnet/"]
    assert len(server.reads) == len(set(server.reads)) == 1 + 26


def test_workers_read_in_parallel(objects: Files, server: Server, tmp_path: Path, expected: Path) -> None:
    together = threading.Barrier(10)

    def wait() -> None:
        together.wait(30)

    for sequence in range(12, 22):
        server.faults[objects.name_of(sequence)] = [wait]
    succeed(*export(server, tmp_path / "out"))
    assert_same_rows(tmp_path / "out", expected)
    assert server.most_busy == 10


def test_a_lake_below_its_network_is_found(objects: Files, server: Server, tmp_path: Path, expected: Path) -> None:
    above = server.url.removesuffix("/pubnet")
    succeed(*export(server, tmp_path / "out"), "--datastore-path", above)
    assert_same_rows(tmp_path / "out", expected)
    assert "is not a lake" in fail(*export(server, tmp_path / "no"), "--datastore-path", above, "--testnet")


def test_names_are_listed_if_no_configuration_has_the_layout(
    objects: Files, server: Server, tmp_path: Path, expected: Path
) -> None:
    del objects.files[".config.json"]
    passphrase = "Stellar Sample Network ; generated, not real ; 2026"
    succeed(*export(server, tmp_path / "out"), "--network-passphrase", passphrase)
    assert_same_rows(tmp_path / "out", expected)
    assert len(server.listings) == 3


def test_names_are_listed_if_they_differ_from_the_configuration(
    objects: Files, server: Server, tmp_path: Path, expected: Path
) -> None:
    objects.files[".config.json"] = objects.files[".config.json"].replace(b"64000", b"1000")
    succeed(*export(server, tmp_path / "out"))
    assert_same_rows(tmp_path / "out", expected)


def test_older_names_have_another_suffix(objects: Files, server: Server, tmp_path: Path, expected: Path) -> None:
    objects.files = {name.replace(".xdr.zst", ".xdr.zstd"): data for name, data in objects.files.items()}
    succeed(*export(server, tmp_path / "out"))
    assert_same_rows(tmp_path / "out", expected)
    assert len(server.listings) == 1


def test_a_range_of_a_large_lake_is_read_without_a_listing(tmp_path: Path) -> None:
    with served(Pretended(lambda sequence: 6 * sequence)) as server:
        span = ("-s", 40_000_000, "-e", 40_000_104, "--datastore-path", server.url, "-o", tmp_path / "l.txt")
        succeed("export_ledgers", *span, "--no-verify")  # its ledgers are not chained
        assert [row["sequence"] for row in rows(tmp_path / "l.txt")] == list(range(40_000_000, 40_000_105))
        assert server.requests == 1 + 1 + 105


@pytest.mark.parametrize(("workers", "buffer"), [(1, 200), (3, 200), (10, 2), (1, 1)])
def test_workers_and_buffer_limit_the_bytes_in_transit(
    objects: Files, server: Server, tmp_path: Path, workers: int, buffer: int
) -> None:
    for name in objects.files:
        server.faults[name] = [lambda: time.sleep(0.01)]
    succeed(*export(server, tmp_path / "out", 3, 42, "--num-workers", workers, "--buffer-size", buffer))
    assert server.most_busy <= min(workers, buffer)
    assert len(server.reads) == 41


@pytest.mark.parametrize("option", ["--num-workers", "--buffer-size"])
def test_a_window_must_have_room_for_one_object(server: Server, tmp_path: Path, option: str) -> None:
    assert option in fail(*export(server, tmp_path / "out"), option, 0)
    assert not server.requests


# Reading ahead --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "most"),
    [(Window(4, 7, 1 << 30), 7), (Window(4, 200, 10_000), 10), (Window(4, 200, 10), 2), (Window(1, 1, 10), 1)],
)
def test_the_window_is_limited_by_objects_and_by_bytes(window: Window, most: int) -> None:
    """From an endless source the reader takes only the objects of the window."""
    taken: list[int] = []

    def source() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    for used, (item, data) in enumerate(read_ahead(lambda _: bytes(1000), source(), window)):
        assert (item, len(data)) == (used, 1000)
        assert len(taken) - used <= most
        if used == 50:
            break
    assert len(taken) > 50


def test_an_error_is_raised_in_its_turn() -> None:
    def read(item: int) -> bytes:
        if item == 3:
            raise FileNotFoundError("3")
        return b"x"

    found = []
    with pytest.raises(FileNotFoundError, match="3"):
        for item, _ in read_ahead(read, range(100), Window()):
            found.append(item)
    assert found == [0, 1, 2]


# Temporary errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [[500], [503, 429, 502], [408], ["cut"], ["cut", 500, "cut"], ["hang"]],
    ids=["500", "several", "408", "cut", "cut and 500", "hang"],
)
def test_temporary_errors_are_retried(
    objects: Files, server: Server, tmp_path: Path, expected: Path, faults: list[object]
) -> None:
    for name in (objects.name_of(12), "?"):
        server.faults[name] = list(faults)
    succeed(*export(server, tmp_path / "out"), **{PATIENCE: "5"})
    assert_same_rows(tmp_path / "out", expected)
    assert not any(server.faults.values())


def test_an_interrupted_object_is_read_from_the_interruption_on(
    objects: Files, server: Server, tmp_path: Path, expected: Path
) -> None:
    name = objects.name_of(12)
    server.faults[name] = ["cut", "cut"]
    succeed(*export(server, tmp_path / "out"))
    size = len(objects.files[name])
    half = size // 2
    assert server.ranges == [f"bytes={half}-", f"bytes={half + (size - half) // 2}-"]
    assert_same_rows(tmp_path / "out", expected)


def test_an_object_that_changes_during_the_read_is_read_again(
    objects: Files, server: Server, tmp_path: Path, expected: Path
) -> None:
    name = objects.name_of(12)
    content = objects.files[name]
    other = zstandard.compress(zstandard.ZstdDecompressor().decompressobj().decompress(content), level=19)
    assert other != content

    def change() -> None:
        objects.files[name] = other

    server.faults[name] = ["cut", change]
    succeed(*export(server, tmp_path / "out"))
    assert server.ranges == [f"bytes={len(content) // 2}-"]
    assert server.reads.count(name) == 3
    assert_same_rows(tmp_path / "out", expected)


# Permanent errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (500, "HTTP 500 InternalError"),
        (429, "HTTP 429 TooManyRequests"),
        (403, "HTTP 403 AccessDenied"),
        (301, "HTTP 301"),
        ("hang", "timed out"),
        (b"", "can't be read"),
        (b"no zstd", "can't be read"),
    ],
)
def test_an_unreadable_object_is_named(
    objects: Files, server: Server, tmp_path: Path, fault: object, words: str
) -> None:
    server.faults[objects.name_of(12)] = [fault, ...]
    line = refused(server, tmp_path)
    assert objects.name_of(12) in line
    assert words in line


def test_a_truncated_object_is_named(objects: Files, server: Server, tmp_path: Path) -> None:
    objects.files[objects.name_of(12)] = objects.files[objects.name_of(12)][:-20]
    assert objects.name_of(12) in refused(server, tmp_path)


def test_a_ledger_that_differs_from_its_objects_name_is_named(objects: Files, server: Server, tmp_path: Path) -> None:
    objects.files[objects.name_of(12)] = objects.files[objects.name_of(13)]
    assert "does not hold the ledgers of its name" in refused(server, tmp_path)


def test_ledgers_of_another_network_are_refused(objects: Files, server: Server, tmp_path: Path) -> None:
    objects.files[".config.json"] = objects.files[".config.json"].replace(b"Stellar Sample", b"Some Other")
    assert "another network" in refused(server, tmp_path)


def test_a_gap_names_all_missing_ledgers(objects: Files, server: Server, tmp_path: Path) -> None:
    for sequence in (11, 12, 20):
        del objects.files[objects.name_of(sequence)]
    assert "lacks ledgers 11-12, 20" in refused(server, tmp_path)


def test_ledgers_beyond_the_network_head_are_not_reached_yet(server: Server, tmp_path: Path) -> None:
    line = fail(*export(server, tmp_path / "out", 40, 43), status=NOT_YET)
    assert "ledger 43 has not closed yet" in line
    assert server.requests == 2


@pytest.mark.parametrize(
    ("name", "fault", "words"),
    [
        ("?", 403, "can't be listed: HTTP 403 AccessDenied"),
        ("?", 404, "can't be listed: HTTP 404 NoSuchKey"),
        ("?", 500, "HTTP 500"),
        ("?", b"<html><body>Hello</body></html>", "not a ListObjectsV2 listing"),
        ("?", b"Hello", "not a ListObjectsV2 listing"),
        ("?", b"", "not a ListObjectsV2 listing"),
        ("?", b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "not a ListObjectsV2 listing"),
        (
            *(
                "?",
                b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>",
            ),
            "",
        ),
        ("?", b"<ListBucketResult></ListBucketResult>", "is not a lake"),
        (".config.json", 403, "AccessDenied"),
        (".config.json", b"<html></html>", ".config.json can't be read"),
        (".config.json", b'{"networkPassphrase": "x", "ledgersPerBatch": 0, "batchesPerPartition": 1}', "at least 1"),
    ],
)
def test_an_address_without_a_lake_is_named(
    server: Server, tmp_path: Path, name: str, fault: object, words: str
) -> None:
    if isinstance(fault, bytes) and fault.endswith(b"</NextContinuationToken>"):
        fault, words = fault + b"</ListBucketResult>", "the same next page twice"
    server.faults[name] = [fault, ...]
    line = refused(server, tmp_path)
    assert server.url in line
    assert words in line


def test_an_unreachable_service_is_named(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    for url, words in (
        (f"http://127.0.0.1:{port}/lake", "refused"),
        (f"https://127.0.0.1:{port}/lake", "refused"),
        ("https://no-such-host.invalid/lake", "no-such-host.invalid"),
    ):
        line = refused(Server(None, url), tmp_path)  # type: ignore[arg-type]
        assert url in line
        assert words in line


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("http://example.com/lake", "write https"),
        ("https:///lake", "write it like"),
        ("https://user:secret@example.com/lake", "write it like"),
        ("https://example.com/lake?versions", "write it like"),
        ("https://example.com:port/lake", "--datastore-path"),
        ("s3://bucket/lake", "https://"),
    ],
)
def test_an_invalid_path_is_named(tmp_path: Path, path: str, words: str) -> None:
    line = fail("export_ledgers", "-s", 5, "-e", 6, "--datastore-path", path, "-o", tmp_path / "l.txt")
    assert words in line


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan"])
def test_an_invalid_patience_is_named(server: Server, tmp_path: Path, text: str) -> None:
    line = fail(*export(server, tmp_path / "out"), **{PATIENCE: text})
    assert PATIENCE in line
    assert text in line


@pytest.mark.parametrize("network", ["testnet", "futurenet"])
def test_the_default_lake_is_the_public_networks_only(tmp_path: Path, network: str) -> None:
    line = fail("export_ledgers", "-s", 5, "-e", 6, "-o", tmp_path / "l.txt", f"--{network}")
    assert f"--{network} needs --datastore-path" in line


def test_help_names_the_default_lake() -> None:
    text = "".join(run("get_ledger_range_from_times", "--help").stdout.split())
    assert "aws-public-blockchain.s3.us-east-2.amazonaws.com/v1.1/stellar/ledgers/pubnet" in text
