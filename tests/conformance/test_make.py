"""The command that writes the conformance kit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import make, streams


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kit with one stream that the command may replace."""
    monkeypatch.setattr(make, "DATA", tmp_path / "data")
    make.write(tmp_path / "data" / "cases", [next(streams.kit())])
    return tmp_path / "data"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_without_its_sources_the_command_names_them_and_keeps_the_kit(
    kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(streams, "SHARED", tmp_path / "shared")
    (tmp_path / "shared" / "ledgers" / "pubnet").mkdir(parents=True)
    before = contents(kit)
    with pytest.raises(SystemExit) as stopped:
        make.main([])
    assert stopped.value.code == 1
    message = capsys.readouterr().err
    assert str(tmp_path / "shared" / "golden" / "cases") in message
    assert "pubnet" not in message
    assert contents(kit) == before


def test_a_folder_of_the_kit_is_replaced_as_a_whole_or_not_at_all(kit: Path) -> None:
    first, second, *_ = streams.kit()
    before = contents(kit)
    with pytest.raises(AttributeError):
        make.replace(kit / "cases", [second, None])  # type: ignore[list-item]
    assert contents(kit) == before
    make.replace(kit / "cases", [second])
    assert contents(kit).keys() == {f"cases/{second.name}{suffix}" for suffix in (".xdr.zst", ".jsonl.zst")}
    assert first.name != second.name
