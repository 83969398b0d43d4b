"""A batch: the range that is asked for, the export attempt that serves it, and what the attempt brought.

Pure values and rules. The task instances hand them to each other as small JSON objects.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from stellar_etl_airflow.model.ranges import LedgerRange

_ATTEMPT_START = "%Y%m%dT%H%M%SZ"


def run_folder(object_prefix: str, run_id: str) -> str:
    """The folder of a run's export attempts, without slashes at its ends."""
    own = quote(run_id, safe="")
    if own in (".", ".."):  # on a volume these are other folders
        own = own.replace(".", "%2E")
    return "/".join(part for part in (object_prefix.strip("/"), own) if part)


@dataclass(frozen=True)
class ExportAttempt:
    """One try at exporting a range; every try writes below a prefix of its own.

    Attributes:
        ledgers: the range to export.
        prefix: the bucket folder of this attempt, without slashes at its ends.
        started_at: UTC start of the attempt, RFC 3339; becomes `batch_insert_ts`.
    """

    ledgers: LedgerRange
    prefix: str
    started_at: str

    @classmethod
    def begin(
        cls, ledgers: LedgerRange, *, object_prefix: str, run_id: str, started_at: datetime, suffix: str
    ) -> ExportAttempt:
        """A new attempt, below `{object_prefix}/{percent-encoded run_id}/{attempt}`.

        The attempt's name is its start with a suffix of its own, so that no two attempts share a folder.
        """
        name = f"{started_at.astimezone(UTC):{_ATTEMPT_START}}-{suffix}"
        return cls.at(ledgers, f"{run_folder(object_prefix, run_id)}/{name}")

    @classmethod
    def at(cls, ledgers: LedgerRange, prefix: str) -> ExportAttempt:
        """The attempt that has a prefix, which `begin` made.

        Raises:
            ValueError: the prefix is no attempt's.
        """
        start = prefix.rsplit("/", 1)[-1].partition("-")[0]
        moment = datetime.strptime(start, _ATTEMPT_START)
        return cls(ledgers, prefix, f"{moment:%Y-%m-%dT%H:%M:%SZ}")

    @property
    def name(self) -> str:
        """The attempt's own name, the last part of its prefix."""
        return self.prefix.rsplit("/", 1)[-1]

    @property
    def manifest_object(self) -> str:
        """The name of the object that the exporter writes last."""
        return f"{self.prefix}/{self.ledgers.start}-{self.ledgers.end}-manifest.json"

    def object_name(self, file_name: str) -> str:
        """The object that holds one type's rows; `file_name` comes from `output_file_names`."""
        return f"{self.prefix}/{self.ledgers.start}-{self.ledgers.end}-{file_name}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ExportAttempt:
        """Read what `to_json` made."""
        return cls(LedgerRange(**value["ledgers"]), value["prefix"], value["started_at"])


@dataclass(frozen=True)
class ExportedFile:
    """One verified object of the bucket.

    Attributes:
        uri: `gs://bucket/object`.
        rows: lines in it.
        bytes: its size.
        crc32c: the CRC32C that was verified, base64 of the big-endian value; empty if it is not known.
        left_out: for each row that could not be made, its ledger.
    """

    uri: str
    rows: int
    bytes: int
    crc32c: str = ""
    left_out: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ExportedFile:
        """Read what `Batch.to_json` made of a file."""
        return cls(**{**value, "left_out": tuple(value.get("left_out", ()))})


@dataclass(frozen=True)
class Batch:
    """A verified export: what the tasks after `verify_export` work from.

    Attributes:
        attempt: the attempt that wrote the files.
        network_passphrase: names the network that the ledgers belong to.
        ledgers: how many ledgers were read.
        first_closed_at: close time of the first ledger, RFC 3339 UTC.
        last_closed_at: close time of the last ledger, RFC 3339 UTC.
        files: the verified files by data type.
        newest_closed_at: of a derived table with a chain of rows per entry, when the newest of its ledgers closed: the
            later rows of an entry are made again too. Empty for other tables.
    """

    attempt: ExportAttempt
    network_passphrase: str
    ledgers: int
    first_closed_at: str
    last_closed_at: str
    files: dict[str, ExportedFile] = field(default_factory=dict)
    newest_closed_at: str = ""

    @property
    def range(self) -> LedgerRange:
        """The ledgers of the batch."""
        return self.attempt.ledgers

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Batch:
        """Read what `to_json` made."""
        return cls(
            **{**value, "attempt": ExportAttempt.from_json(value["attempt"])}
            | {"files": {key: ExportedFile.from_json(file) for key, file in value["files"].items()}}
        )


STAGING_DAYS = 7
"""How long BigQuery keeps a staging table that no task deletes: the time to look at rows that failed a check."""


def staging_table_id(table_id: str, dag_id: str, run_id: str) -> str:
    """The name of a run's staging table: short, made of identifier characters, and its own for each run."""
    digest = hashlib.sha256(json.dumps([dag_id, run_id]).encode()).hexdigest()
    return f"{table_id}_staging_{digest[:16]}"
