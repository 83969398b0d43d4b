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


class RangeError(ValueError):
    """The asked range can't be served as it stands; the message says what to change."""


@dataclass(frozen=True)
class TimeRange:
    """A half-open interval of close times, in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class LedgerRange:
    """A range of ledger sequences, both ends included."""

    start: int
    end: int

    @classmethod
    def from_half_open(cls, value: Mapping[str, Any]) -> LedgerRange:
        """The range to export for `{"start": N, "end": M}`, as `get_ledger_range_from_times` writes it.

        `end` is the first ledger after the interval. An interval in which no ledger closed has
        `start == end`; its one ledger is exported all the same, which is harmless because rows are
        replaced by ledger.
        """
        try:
            start, end = whole_number("start", value["start"]), whole_number("end", value["end"])
        except (KeyError, TypeError, ValueError) as error:
            raise RangeError(
                f"a ledger range must look like {{'start': N, 'end': M}}, but the time pod returned {value!r}"
            ) from error
        return cls(start, max(end - 1, start))


def whole_number(name: str, value: Any) -> int:
    """A param that is a whole number; nothing is rounded to one.

    Raises:
        RangeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise RangeError(f"param {name}: {value!r} is not a whole number")
    return value


def _utc(name: str, value: Any) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise RangeError(f"param {name}: {value!r} is not a time; write it like 2026-01-01T00:10:00Z") from error
    if moment.tzinfo is None:
        raise RangeError(f"param {name}: {value!r} has no time zone; write it like 2026-01-01T00:10:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise RangeError(f"param {name}: {value!r} is before year 1 or after year 9999 in UTC") from None


RANGE_PARAMS = ("start_time", "end_time", "start_ledger", "end_ledger")

CHECKPOINT_PARAM = "checkpoint_ledger"
"""The param of a full load."""

CHECKPOINT_LEDGERS = 64
"""The network puts its state by each time that this many ledgers have closed
(https://developers.stellar.org/docs/validators/admin-guide/environment-preparation#history-archives)."""


def has_range_params(params: Mapping[str, Any]) -> bool:
    """Whether a run is asked for a range of its own."""
    return any(params.get(name) is not None for name in RANGE_PARAMS)


def _checkpoint(ledger: int) -> LedgerRange:
    after = ledger + (-ledger - 1) % CHECKPOINT_LEDGERS
    if ledger < 1 or after != ledger:
        near = [str(one) for one in (after - CHECKPOINT_LEDGERS, after) if one > 0]
        raise RangeError(f"param {CHECKPOINT_PARAM}: {ledger} is no checkpoint; near it is {' and '.join(near)}")
    return LedgerRange(ledger, ledger)


def asked_range(
    params: Mapping[str, Any], interval_start: datetime | None, interval_end: datetime | None
) -> TimeRange | LedgerRange:
    """What a run is to load: by params if any is set, else its data interval.

    Args:
        params: the run's params; `start_time` and `end_time`, or `start_ledger` and `end_ledger`, or neither; or
            `checkpoint_ledger`.
        interval_start: start of the data interval, None for a run that has none.
        interval_end: end of the data interval.

    Raises:
        RangeError: params of both kinds, one of a pair, the wrong way round, or nothing to go by.
    """
    given: dict[str, Any] = {name: params[name] for name in RANGE_PARAMS if params.get(name) is not None}
    if params.get(CHECKPOINT_PARAM) is not None:
        if given:
            raise RangeError(f"the param {CHECKPOINT_PARAM} stands alone; this run has {', '.join(sorted(given))} too")
        return _checkpoint(whole_number(CHECKPOINT_PARAM, params[CHECKPOINT_PARAM]))
    if not given:
        if interval_start is None or interval_end is None or interval_start >= interval_end:
            raise RangeError(
                "this run has no data interval: trigger it with the params start_time and end_time, "
                "or start_ledger and end_ledger"
            )
        return TimeRange(interval_start.astimezone(UTC), interval_end.astimezone(UTC))
    if given.keys() == {"start_time", "end_time"}:
        times = TimeRange(_utc("start_time", given["start_time"]), _utc("end_time", given["end_time"]))
        if times.start >= times.end:
            raise RangeError(
                f"param start_time ({times.start.isoformat()}) must be before end_time ({times.end.isoformat()})"
            )
        return times
    if given.keys() == {"start_ledger", "end_ledger"}:
        ledgers = LedgerRange(
            whole_number("start_ledger", given["start_ledger"]), whole_number("end_ledger", given["end_ledger"])
        )
        if not 1 <= ledgers.start <= ledgers.end:
            raise RangeError(
                f"param start_ledger ({ledgers.start}) must be at least 1 and at most end_ledger ({ledgers.end})"
            )
        return ledgers
    raise RangeError(
        "give the params start_time and end_time, or start_ledger and end_ledger, or none of them; "
        f"this run has {', '.join(sorted(given))}"
    )


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
        """Reads what `to_json` made."""
        return cls(LedgerRange(**value["ledgers"]), value["prefix"], value["started_at"])


@dataclass(frozen=True)
class ExportedFile:
    """One verified object of the bucket.

    Attributes:
        uri: `gs://bucket/object`.
        rows: lines in it.
        bytes: its size.
        crc32c: the CRC32C that was verified, base64 of the big-endian value; empty if it is not known.
    """

    uri: str
    rows: int
    bytes: int
    crc32c: str = ""


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
    """

    attempt: ExportAttempt
    network_passphrase: str
    ledgers: int
    first_closed_at: str
    last_closed_at: str
    files: dict[str, ExportedFile] = field(default_factory=dict)

    @property
    def range(self) -> LedgerRange:
        """The ledgers of the batch."""
        return self.attempt.ledgers

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Batch:
        """Reads what `to_json` made."""
        return cls(
            **{**value, "attempt": ExportAttempt.from_json(value["attempt"])}
            | {"files": {key: ExportedFile(**file) for key, file in value["files"].items()}}
        )


def staging_table_id(table_id: str, dag_id: str, run_id: str) -> str:
    """The name of a run's staging table: short, made of identifier characters, and its own for each run."""
    digest = hashlib.sha256(json.dumps([dag_id, run_id]).encode()).hexdigest()
    return f"{table_id}_staging_{digest[:16]}"


def extra_fields(fields: Mapping[str, str]) -> str:
    """The value of the exporter's `--extra-fields`.

    `k=v,k=v` read as one CSV record, so a pair that holds a comma, a quote or a line break is quoted
    (https://pkg.go.dev/github.com/spf13/pflag#StringToString).
    """

    def quoted(pair: str) -> str:
        return '"' + pair.replace('"', '""') + '"' if any(char in pair for char in ',"\r\n') else pair

    return ",".join(quoted(f"{key}={value}") for key, value in fields.items())
