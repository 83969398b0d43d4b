"""A batch: the requested range, the export attempt for it, and the attempt's result.

Pure values and rules. Tasks pass them on as small JSON objects.
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
    """Return the folder of a run's export attempts, without slashes at its ends."""
    own = quote(run_id, safe="")
    if own in (".", ".."):  # a volume would resolve them as the folder itself or its parent
        own = own.replace(".", "%2E")
    return "/".join(part for part in (object_prefix.strip("/"), own) if part)


@dataclass(frozen=True)
class ExportAttempt:
    """One try at exporting a range. Every try writes below its own prefix.

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
        """Return a new attempt, below `{object_prefix}/{percent-encoded run_id}/{attempt}`.

        The attempt's name is its start with a unique suffix, so that two attempts never share a folder.
        """
        name = f"{started_at.astimezone(UTC):{_ATTEMPT_START}}-{suffix}"
        return cls.at(ledgers, f"{run_folder(object_prefix, run_id)}/{name}")

    @classmethod
    def at(cls, ledgers: LedgerRange, prefix: str) -> ExportAttempt:
        """Return the attempt of a prefix that `begin` made.

        Raises:
            ValueError: the prefix is not the prefix of an attempt.
        """
        start = prefix.rsplit("/", 1)[-1].partition("-")[0]
        moment = datetime.strptime(start, _ATTEMPT_START)
        return cls(ledgers, prefix, f"{moment:%Y-%m-%dT%H:%M:%SZ}")

    @property
    def name(self) -> str:
        """The attempt's name, which is the last part of its prefix."""
        return self.prefix.rsplit("/", 1)[-1]

    @property
    def manifest_object(self) -> str:
        """The name of the manifest, which the exporter writes last."""
        return f"{self.prefix}/{self.ledgers.start}-{self.ledgers.end}-manifest.json"

    def object_name(self, file_name: str) -> str:
        """Return the object with one type's rows. `file_name` comes from `output_file_names`."""
        return f"{self.prefix}/{self.ledgers.start}-{self.ledgers.end}-{file_name}"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ExportAttempt:
        """Return the attempt that `to_json` wrote."""
        return cls(LedgerRange(**value["ledgers"]), value["prefix"], value["started_at"])


@dataclass(frozen=True)
class ExportedFile:
    """One verified object of the bucket.

    Attributes:
        uri: `gs://bucket/object`.
        rows: number of lines.
        bytes: size in bytes.
        crc32c: the verified CRC32C, base64 of the big-endian value; empty if unknown.
        left_out: the ledger of each row that the exporter skipped because it could not be made.
    """

    uri: str
    rows: int
    bytes: int
    crc32c: str = ""
    left_out: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ExportedFile:
        """Return a file that `Batch.to_json` wrote."""
        return cls(**{**value, "left_out": tuple(value.get("left_out", ()))})


@dataclass(frozen=True)
class Batch:
    """A verified export, the input of the tasks after `verify_export`.

    Attributes:
        attempt: the attempt that wrote the files.
        network_passphrase: the passphrase of the ledgers' network.
        ledgers: the number of ledgers read.
        first_closed_at: close time of the first ledger, RFC 3339 UTC.
        last_closed_at: close time of the last ledger, RFC 3339 UTC.
        files: the verified files by data type.
        newest_closed_at: only for a derived table with a chain of rows per entry: the latest close time in the table.
            The later rows of an entry are derived again too. Empty for other tables.
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
        """The ledger range of the batch."""
        return self.attempt.ledgers

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Batch:
        """Return the batch that `to_json` wrote."""
        return cls(
            **{**value, "attempt": ExportAttempt.from_json(value["attempt"])}
            | {"files": {key: ExportedFile.from_json(file) for key, file in value["files"].items()}}
        )


STAGING_DAYS = 7
"""Days after which BigQuery deletes a staging table that no task deleted: time to inspect rows that failed a check."""


def staging_table_id(table_id: str, dag_id: str, run_id: str) -> str:
    """Return the name of a run's staging table: short, unique per run, and a valid identifier."""
    digest = hashlib.sha256(json.dumps([dag_id, run_id]).encode()).hexdigest()
    return f"{table_id}_staging_{digest[:16]}"
