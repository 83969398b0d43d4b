"""FarmHash's Fingerprint64: values of other implementations, for every length class of the function."""

from __future__ import annotations

import hashlib

import pytest

from stellar_etl.ledgers.farmhash import fingerprint64, signed_fingerprint64
from tests.shared import SHARED, needs_shared
from tests.stellar_etl.program import rows

SENTENCE = (
    b"The quick brown fox jumps over the lazy dog, and the dog, being lazy, lets it; "
    b"so it goes on, day after day after day, until the end."
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1footrue", -1541654101129638711), ("2applefalse", 2794438866806483259), ("3true", -4880158226897771312)],
)
def test_it_equals_bigquerys_farm_fingerprint(text: str, expected: int) -> None:
    """The examples come from BigQuery's documentation of FARM_FINGERPRINT."""
    assert signed_fingerprint64(text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0x9AE16A3B2F90404F),
        ("a", 0xB3454265B6DF75E3),
        ("ab", 0xAA8D6E5242ADA51E),
        ("abc", 0x24A5B3A074E7F369),
        ("abcd", 0x1A5502DE4A1F8101),
        ("abcdefgh", 0xFEE9D22990C82909),
    ],
)
def test_short_texts_have_the_published_values(text: str, expected: int) -> None:
    """The values come from the tests of FarmHash's ports to other languages."""
    assert fingerprint64(text.encode()) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, 0x9AE16A3B2F90404F),
        (1, 0x12F77CD62637857A),
        (3, 0x85887769DDCC73FD),
        (4, 0xF4ED8B2E41E836A5),
        (7, 0xFB3B4353192E2B87),
        (8, 0x46D0FFB3EE9D8C07),
        (16, 0x3BF6BD3BEBD31655),
        (17, 0xC7A32DA958C02DBD),
        (32, 0xB65964DEE7761262),
        (33, 0xF25FEA09DB06B3D6),
        (64, 0x39367215673CFAB4),
        (65, 0x1AB8BB86E7758FA8),
        (128, 0x89FAFBAEACEFEFA2),
        (129, 0x185B18305C5DB8AD),
        (133, 0xB3DC56F0B5EDF66E),
    ],
)
def test_both_ends_of_every_length_class_have_googles_values(size: int, expected: int) -> None:
    """Google's C++ code computed them (the package pyfarmhash 0.5.1)."""
    assert fingerprint64(SENTENCE[:size]) == expected


def test_every_length_up_to_300_has_googles_value() -> None:
    """One digest over 300 values, computed with Google's C++ code (the package pyfarmhash 0.5.1)."""
    data = bytes(33 + (index * index + 7 * index) % 94 for index in range(300))
    values = b"".join(fingerprint64(data[:size]).to_bytes(8, "little") for size in range(300))
    assert hashlib.sha256(values).hexdigest() == "585369055fbff9f2457c27ac97147624b7bd617f5b66a31ca82185dc73adbb7b"


def test_lumens_have_their_well_known_id() -> None:
    assert signed_fingerprint64(b"native") == -5706705804583548011


def test_the_highest_bit_is_the_sign() -> None:
    for size in range(len(SENTENCE)):
        value, signed = fingerprint64(SENTENCE[:size]), signed_fingerprint64(SENTENCE[:size])
        assert -(2**63) <= signed < 2**63
        assert signed % 2**64 == value


@needs_shared
def test_recorded_assets_have_their_recorded_ids() -> None:
    ids = {}
    for row in rows(SHARED / "golden" / "30820015" / "assets.ndjson"):
        ids[row["asset_code"], row["asset_issuer"], row["asset_type"]] = row["asset_id"]
    for path in sorted((SHARED / "golden").glob("3082*/operations.ndjson")):
        for details in (row["details"] for row in rows(path)):
            for stem in ("asset", "source_asset", "buying_asset", "selling_asset"):
                if f"{stem}_id" in details:
                    parts = (details.get(f"{stem}_code", ""), details.get(f"{stem}_issuer", ""))
                    ids[*parts, details[f"{stem}_type"]] = details[f"{stem}_id"]
    assert len(ids) > 50
    for parts, expected in ids.items():
        assert signed_fingerprint64("".join(parts).encode()) == expected, parts
