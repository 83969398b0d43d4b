"""Outbound exports as `dags/outbound/*.yaml` declare them, and the Variables that they share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

import yaml
from croniter import croniter
from pydantic import Field, ValidationError, field_validator, model_validator

from stellar_etl_airflow.model.outbound import MOST_ROWS
from stellar_etl_airflow.model.tables import PUBLISHED, STATES
from stellar_etl_airflow.settings.base import SHOWN, Name, SettingsError, SettingsGroup, unknown, variable
from stellar_etl_airflow.sql.outbound import CLOSED_BETWEEN, every_closed_column, every_column

FOLDER = Path(__file__).resolve().parents[2] / "outbound"
"""The declarations of this checkout."""

SECRET = re.compile(r"projects/[^/\s]+/secrets/[^/\s]+/versions/[^/\s]+|vault:[^#\s]+#[^#\s]+")
"""A reference to a secret: of Secret Manager, or of Vault as `vault:path#field`."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_COLUMN = r"^[A-Za-z_][A-Za-z_0-9]{0,299}$"
Column = Annotated[str, Field(pattern=_COLUMN)]

CURRENT = "_current"
"""Suffix of the data type in the name of a view of current entries."""

SOURCES = (*PUBLISHED, *(f"{data_type}{CURRENT}" for data_type in STATES))
"""Names that a query may have in braces: published tables and views of current entries."""


class Batch(SettingsGroup):
    """Maximum size of a batch."""

    rows: int = Field(default=MOST_ROWS, ge=1, le=MOST_ROWS)
    bytes: int = Field(default=1_000_000, ge=1_000, le=50_000_000)


class HttpSink(SettingsGroup):
    """An HTTP receiver. Batches are sent by POST."""

    kind: Literal["http"]
    connection: Name
    secret: str = ""
    batch: Batch = Batch()
    rate_per_second: float = Field(default=0, ge=0, allow_inf_nan=False)
    lanes: int = Field(default=4, ge=1, le=1000)
    tries: int = Field(default=8, ge=1, le=100)
    timeout: float = Field(default=30, gt=0, le=600)
    on_unknown: Literal["resend", "hold"] = "resend"
    max_dead_batches: int = Field(default=0, ge=0)

    @field_validator("secret")
    @classmethod
    def _is_reference(cls, value: str) -> str:
        if value and not SECRET.fullmatch(value):
            # Do not show the value: it may be a secret.
            raise ValueError("it must be projects/P/secrets/S/versions/V or vault:path#field, not the secret itself")
        return value


class FilesSink(SettingsGroup):
    """A folder of a bucket that files are written to. Without `bucket` it is in the bucket of exports."""

    kind: Literal["files"]
    format: Literal["parquet", "avro", "ndjson"]
    bucket: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])?$")] = ""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._=/-]+$")]


class Engine(SettingsGroup):
    """How the Dataflow job runs."""

    max_workers: int = Field(default=4, ge=1, le=1000)
    flexrs: bool = False
    region: Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+[0-9]+$")] = "us-central1"
    on_kill: Literal["leave", "cancel"] = "leave"


class Delta(SettingsGroup):
    """The published table whose loads a delta export follows."""

    table: Name
    ledger: Column

    @field_validator("table")
    @classmethod
    def _is_published(cls, value: str) -> str:
        if messages := unknown("data type", [value], PUBLISHED):
            raise ValueError(messages[0])
        return value


class Declaration(SettingsGroup):
    """One outbound export.

    Attributes:
        description: what is sent, and to whom.
        query: the SQL file beside the declaration, with tables in braces, such as `{trustlines_current}`.
        table: instead of a query, the published table or view whose columns are sent.
        key: the columns that identify a row.
        columns: the columns that are sent, in this order.
        mode: `full` sends all rows at each run; `delta` sends rows of ledgers that were loaded since the last run.
        delta: only for mode `delta`: the table whose loads are followed.
        schedule: a cron expression in UTC; empty: runs are triggered manually.
    """

    description: Name
    query: str = ""
    table: str = ""
    key: Annotated[list[Column], Field(min_length=1)]
    columns: Annotated[list[Column], Field(min_length=1)]
    mode: Literal["full", "delta"]
    delta: Delta | None = None
    schedule: str = ""
    sink: Annotated[HttpSink | FilesSink, Field(discriminator="kind")]
    engine: Engine = Engine()

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        if value and not croniter.is_valid(value):
            raise ValueError(f"{value!r} is not a cron expression")
        return value

    @field_validator("table")
    @classmethod
    def _is_source(cls, value: str) -> str:
        if value and (messages := unknown("table", [value], SOURCES)):
            raise ValueError(messages[0])
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if bool(self.query) == bool(self.table):
            raise ValueError("set either 'query' or 'table'")
        if (self.mode == "delta") != (self.delta is not None):
            raise ValueError("mode 'delta' needs 'delta', and mode 'full' must not have it")
        for field in ("key", "columns"):
            names = [name.lower() for name in getattr(self, field)]
            if len(set(names)) < len(names):
                raise ValueError(f"{field!r} names a column twice")
        if missing := [name for name in self.key if name not in self.columns]:
            raise ValueError(
                f"'key' has {', '.join(missing)}, which 'columns' lacks: the receiver cannot identify rows"
            )
        return self

    def sources(self, folder: Path | None = None) -> list[str]:
        """Return the names in `SOURCES` that the query reads.

        Args:
            folder: the folder of the declarations; None is this checkout's.
        """
        if self.table:
            return [self.table]
        text = ((folder or FOLDER) / self.query).read_text()
        return sorted({name for _, name, _, _ in Formatter().parse(text) if name})

    def sql(self, names: Mapping[str, str], folder: Path | None = None) -> str:
        """Return the query with the names of tables filled in.

        Args:
            names: the quoted name of each of `SOURCES`.
            folder: the folder of the declarations; None is this checkout's.

        Raises:
            SettingsError: the file is missing, names an unknown table, or does not use the close times.
        """
        if self.table:
            source = names[self.table]
            if self.delta is None:
                return every_column(source)
            return every_closed_column(source, PUBLISHED[self.table.removesuffix(CURRENT)].closed_at_column)
        path = (folder or FOLDER) / self.query
        try:
            text = path.read_text().format_map(names)
        except OSError as error:
            raise SettingsError(f"query {path} can't be read: {error.strerror}") from None
        except KeyError as error:
            raise SettingsError(f"query {path}: {'; '.join(unknown('table', [error.args[0]], names))}") from None
        except (ValueError, IndexError) as error:
            raise SettingsError(f"query {path}: braces may only contain names of tables: {error}") from None
        named = [name for name in CLOSED_BETWEEN if re.search(rf"@{name}\b", text)]
        if self.delta is not None and len(named) < len(CLOSED_BETWEEN):
            raise SettingsError(
                f"query {path}: the query of a delta export needs a condition on the close time of its table, such as "
                f"WHERE closed_at BETWEEN @{CLOSED_BETWEEN[0]} AND @{CLOSED_BETWEEN[1]}; without it each run reads the "
                f"whole table"
            )
        if self.delta is None and named:
            raise SettingsError(f"query {path}: @{named[0]} has a value in exports of mode 'delta' only")
        return text


def read_declaration(path: Path) -> Declaration:
    """Return the export that a file declares.

    Raises:
        SettingsError: the declaration is invalid; the message names the file, each wrong entry and what is expected.
    """
    where = f"outbound export {path.name}"
    if not _NAME.fullmatch(path.stem):
        raise SettingsError(f"{where}: the file name must consist of lowercase letters, digits and _, at most 40")
    try:
        value = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(f"{where} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{where} is not YAML: {error}") from None
    try:
        return Declaration.model_validate(value)
    except ValidationError as error:
        raise SettingsError("; ".join(f"{where}: {_explained(problem)}" for problem in error.errors())) from None


def _explained(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    hidden = "secret" in problem["loc"] or not isinstance(problem["input"], str | int | float)
    return f"{place or 'the declaration'}: {message}" + ("" if hidden else f", not {SHOWN.repr(problem['input'])}")


def declared(folder: Path | None = None) -> dict[str, Path]:
    """Return the file of each declared export, by name."""
    return {path.stem: path for path in sorted((folder or FOLDER).glob("*.yaml"))}


def find_declaration(name: str, folder: Path | None = None) -> Declaration:
    """Return an export by name.

    Raises:
        SettingsError: the name is unknown; the message suggests a close spelling.
    """
    files = declared(folder)
    if name not in files:
        raise SettingsError("; ".join(unknown("outbound export", [name], files)))
    return read_declaration(files[name])


def check_declarations(folder: Path | None = None) -> list[str]:
    """Return a message per problem of the declarations and their queries."""
    messages = []
    for path in declared(folder).values():
        try:
            read_declaration(path).sql(dict.fromkeys(SOURCES, "`t`"), folder)
        except SettingsError as error:
            messages.append(str(error))
    return messages


class Prices(SettingsGroup):
    """Prices of Dataflow."""

    vcpu_hour: float = Field(ge=0, allow_inf_nan=False)
    gb_hour: float = Field(ge=0, allow_inf_nan=False)
    shuffle_gb: float = Field(ge=0, allow_inf_nan=False)


class OutboundSettings(SettingsGroup):
    """Variables that all outbound exports share."""

    outbound_template: Name = variable(
        shipped="gs://my-project-stellar-etl/outbound/template.json",
        description="the Flex Template of outbound exports, made by `gcloud dataflow flex-template build`",
        when="outbound exports are used",
    )
    outbound_image: Name = variable(
        shipped="us-docker.pkg.dev/my-project/stellar/outbound:0.1.0",
        description="the image of outbound/Dockerfile for the workers of outbound exports",
        when="outbound exports are used",
    )
    outbound_service_account: str = variable(
        shipped="",
        description="the service account of the workers of outbound exports; empty: the project's default",
        when="the workers read secrets, or must not use the default account",
    )
    outbound_prices: Prices = variable(
        shipped={"gb_hour": 0.003557, "shuffle_gb": 0.011, "vcpu_hour": 0.056},
        description="Dataflow's prices for batch jobs, in your currency: per vCPU and hour, GB and hour, shuffled GB",
        when="the region, FlexRS or the currency has other prices",
    )
