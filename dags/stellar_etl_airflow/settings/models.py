"""The Airflow Variables as typed models, one for each place that needs them.

A task reads the group it needs when it runs, never while a DAG file is parsed: DAGs import with no Variable
set, and a missing or wrong Variable fails only the tasks that need it, with an error that names the key and
what is expected. Every key is listed, with its type and default, in `airflow_variables.json` and the README.
"""

from __future__ import annotations

import difflib
import json
import reprlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from stellar_etl_airflow.model.checks import Check
from stellar_etl_airflow.model.schema import SchemaError, read_schema
from stellar_etl_airflow.model.tables import LOADING_DAGS, PUBLISHED, TABLES, Publish, Table
from stellar_etl_airflow.sql.checks import CheckError, column_rules


class SettingsError(ValueError):
    """A Variable is missing, misspelt or of the wrong type; the message names it and what is expected."""


_Name = Annotated[str, Field(min_length=1)]

_HIDDEN = "hidden"
_Secret = Annotated[str, _HIDDEN]
"""A text that no message and no table shows."""


class _Group(BaseModel):
    # What checks values is made when a group is first read: whoever reads a DAG file imports all groups.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Partition(_Group):
    """One entry of `partition_fields`."""

    type: Literal["HOUR", "DAY", "MONTH", "YEAR"] = "DAY"
    field: _Name


@dataclass(frozen=True)
class Target:
    """A dataset that tables are published in.

    Attributes:
        label: tells the jobs of one task apart; a part of their ids.
        project: the Google Cloud project.
        dataset: the dataset.
    """

    label: str
    project: str
    dataset: str

    @property
    def dataset_id(self) -> str:
        """`project.dataset`."""
        return f"{self.project}.{self.dataset}"


class SchemaSettings(_Group):
    """Where columns are described."""

    schema_filepath: _Name = Field(description="the folder of the schema files, as the workers see it")


class WarehouseSettings(SchemaSettings):
    """Where tables live, and how they are made."""

    bq_project: _Name = Field(description="the Google Cloud project that holds the datasets")
    bq_dataset: _Name = Field(description="the dataset that the tables are published in")
    public_project: str = Field(default="", description="the project of a second dataset; empty: `bq_project`")
    public_dataset: str = Field(
        default="", description="a second dataset that every table is published in too; empty: none"
    )
    table_ids: dict[str, _Name] = Field(description="the table name for each data type")
    partition_fields: dict[str, Partition] = Field(description="how each table is partitioned, by table name")
    cluster_fields: dict[str, list[_Name]] = Field(
        description="the columns that each table is clustered by, by table name"
    )
    maximum_bytes_billed: Annotated[int, Field(gt=0)] = Field(
        default=1 << 40, description="a query that would read more bytes than this is refused by BigQuery"
    )

    @model_validator(mode="after")
    def _two_targets(self) -> Self:
        if self.public_dataset and (self.public_project or self.bq_project) == self.bq_project:
            if self.public_dataset == self.bq_dataset:
                raise ValueError("'public_dataset' must be another dataset than 'bq_dataset'")
        elif self.public_project and not self.public_dataset:
            raise ValueError("'public_project' is set and 'public_dataset' is not: set both, or neither")
        return self

    @property
    def targets(self) -> tuple[Target, ...]:
        """The datasets that tables are published in: the private one, then the public one if there is one."""
        private = Target("private", self.bq_project, self.bq_dataset)
        if not self.public_dataset:
            return (private,)
        return (private, Target("public", self.public_project or self.bq_project, self.public_dataset))

    def table_id(self, data_type: str) -> str:
        """The name of a data type's table.

        Raises:
            SettingsError: `table_ids` lacks it.
        """
        return _entry("table_ids", self.table_ids, data_type)


class TableCheck(_Group):
    """One entry of `checks`: the check's own parts stand beside the table's name."""

    table: _Name
    check: Check

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "check" in value:
            raise ValueError("a check is an object with table, kind, column and so on")
        return {"table": value.get("table"), "check": {key: part for key, part in value.items() if key != "table"}}


class CheckSettings(_Group):
    """What rows are held to beside what the registry says."""

    checks: list[TableCheck] = Field(
        default_factory=list, description="checks of your own on staged rows: table, kind, column and so on"
    )

    def of(self, table_id: str) -> list[Check]:
        """The checks of one table."""
        return [entry.check for entry in self.checks if entry.table == table_id]


class BucketSettings(_Group):
    """Where exported files lie until they are loaded."""

    gcs_exported_data_bucket_name: _Name = Field(description="the bucket that the export pods write to")
    gcs_exported_object_prefix: str = Field(description="the folder in the bucket, below which each run has its own")


class GoogleSettings(_Group):
    """As whom Google Cloud is used."""

    api_key_path: str = Field(
        default="",
        description="a Google key file, as the workers see it; empty: the connection's, or Workload Identity",
    )

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        _check_absolute("api_key_path", self.api_key_path)
        return self


COMPOSER_NAMESPACE = "composer-user-workloads"
"""Where Composer 3 runs every pod, whatever namespace is asked for
(https://cloud.google.com/composer/docs/composer-3/use-kubernetes-pod-operator)."""

COMPOSER_KUBECONFIG = "/home/airflow/composer_kube_config"
"""How Composer's workers reach the environment's own cluster (the same page)."""

_COMPOSER_RESOURCES = ("cpu", "memory", "ephemeral-storage")


class PlaceSettings(_Group):
    """The cluster that pods run in."""

    pod_place: Literal["gke", "composer3", "kubeconfig"] = Field(
        default="gke",
        description="the cluster that pods run in: of GKE or Composer 2, Composer 3's own, or a kubeconfig's",
    )

    def misplaced(self, reasons: Mapping[str, str]) -> list[str]:
        """What is set and has no place on Composer 3; nothing elsewhere.

        Args:
            reasons: why, by key.
        """
        given = [key for key in reasons if self.pod_place == "composer3" and getattr(self, key)]
        return [f"'pod_place' is 'composer3', and {key!r} is set: {reasons[key]}" for key in given]


PASSPHRASES = {
    "pubnet": "Public Global Stellar Network ; September 2015",
    "testnet": "Test SDF Network ; September 2015",
    "futurenet": "Test SDF Future Network ; October 2022",
}
"""The passphrases of the networks that have a name of their own
(https://developers.stellar.org/docs/networks)."""

_VOLUME_KEYS = ("volume_config", "volume_name", "image_output_path", "local_output_path", "output_path")


def _listed(keys: Iterable[str]) -> str:
    names = [repr(key) for key in keys]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


_SHOWN = reprlib.Repr()
"""Shows values in messages, none at any length."""
_SHOWN.maxstring = _SHOWN.maxother = 500
_SHOWN.maxdict = _SHOWN.maxlist = 20


def _check_absolute(key: str, path: str) -> None:
    if path and not path.startswith("/"):
        raise ValueError(f"{key!r} must be an absolute path, not {_SHOWN.repr(path)}")


class ExportSettings(BucketSettings, PlaceSettings):
    """What the pods are told to export, and how it comes back."""

    export_mode: Literal["one_pass", "per_type"] = Field(
        default="one_pass", description="one pod for all tables, or one pod a table in turn"
    )
    manifest: Literal["required", "derived"] = Field(
        default="required", description="whether the exporter writes a manifest, or it is made from the exported files"
    )
    network_passphrase: str = Field(
        default="", description="the network's passphrase; empty: as `use_testnet` and `use_futurenet` say"
    )
    use_captive_core: bool = Field(default=False, description="pass `--captive-core` to the exporter")
    volume_config: dict[str, Any] = Field(
        default_factory=dict, description="the source of a volume that pods write to, as in a pod's spec; empty: none"
    )
    volume_name: str = Field(default="", description="the volume's name in the pods")
    image_output_path: str = Field(default="", description="where the volume is mounted in the pods")
    local_output_path: str = Field(default="", description="where the workers see the volume")
    output_path: str = Field(
        default="", description="the workers' folder that poststart.sh moves finished files to, and that is loaded"
    )
    output_file_names: dict[str, _Name] = Field(description="the file name for each data type")
    txmeta_datastore_path: _Name = Field(description="the lake of ledgers: gs://…, https://… or a folder")
    history_archive_path: str = Field(
        default="", description="the history archive of full loads: https://… or a folder; empty: the network's own"
    )
    max_failed_transforms: int = Field(
        default=0, ge=0, description="how many rows of a batch may be left out because they could not be made"
    )
    use_testnet: bool = Field(default=False, description="export the test network")
    use_futurenet: bool = Field(default=False, description="export the future network")

    @field_validator("volume_config", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return {} if value == "" else value

    @model_validator(mode="after")
    def _whole_volume(self) -> Self:
        given = [key for key in _VOLUME_KEYS if getattr(self, key)]
        missing = [key for key in _VOLUME_KEYS if key not in given]
        if given and missing:
            raise ValueError(
                f"{_listed(given)} set, and {_listed(missing)} not: pods write to a volume if all five are set, and to "
                f"the bucket if none is"
            )
        for key in ("image_output_path", "local_output_path", "output_path"):
            _check_absolute(key, getattr(self, key))
        if problems := self.misplaced({"volume_config": "no volume can be made there; pods write to the bucket"}):
            raise ValueError("; ".join(problems))
        return self

    @property
    def passphrase(self) -> str:
        """The passphrase of the network that is exported."""
        network = "testnet" if self.use_testnet else "futurenet" if self.use_futurenet else "pubnet"
        return self.network_passphrase or PASSPHRASES[network]

    def file_name(self, data_type: str) -> str:
        """The file name of a data type's rows.

        Raises:
            SettingsError: `output_file_names` lacks it.
        """
        return _entry("output_file_names", self.output_file_names, data_type)


class Toleration(_Group):
    """One entry of `tolerations`, as in a pod's spec."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = Field(default=None, alias="tolerationSeconds")


class SecretKey(_Group):
    """One entry of `pod_secrets`: a Kubernetes secret in the pods' namespace, and a key in it."""

    secret: _Name
    key: _Name


_NOT_ON_COMPOSER_3 = {
    "affinity": "pods don't choose their nodes there",
    "tolerations": "pods don't choose their nodes there",
    "k8s_service_account": "none can be made there; pods run as the environment",
    "kubernetes_sidecar_image": "it takes Airflow's own sidecar alone",
    "kube_config_location": "Composer's own is used",
}


class PodSettings(GoogleSettings, PlaceSettings):
    """How and where pods run, and as whom."""

    image_name: _Name = Field(description="the exporter's image")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="when the cluster pulls the image"
    )
    namespace: _Name = Field(default="default", description="the pods' namespace")
    k8s_namespace: str = Field(default="", description="the pods' namespace; wins over `namespace` if set")
    k8s_service_account: str = Field(default="", description="the pods' Kubernetes service account, empty: the default")
    affinity: dict[str, Any] = Field(default_factory=dict, description="the pods' affinity, as in a pod's spec")
    tolerations: list[Toleration] = Field(
        default_factory=list, description="the taints that pods bear, as in a pod's spec"
    )
    resources: dict[str, dict[str, dict[str, str]]] = Field(
        default_factory=dict, description="requests and limits of the pods, by builder, or `default`"
    )
    kube_config_location: str = Field(default="", description="a kubeconfig file; empty: the connection's cluster")
    kubernetes_sidecar_image: str = Field(
        default="", description="the image of the container that hands a pod's result over; empty: Airflow's"
    )
    pod_secrets: dict[Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")], SecretKey] = Field(
        default_factory=dict,
        description="pods' environment variables out of Kubernetes secrets: secret and key, by name",
    )

    @model_validator(mode="after")
    def _fits_its_place(self) -> Self:
        problems = self.misplaced(_NOT_ON_COMPOSER_3)
        if self.pod_place == "composer3":
            problems += self._not_as_composer_has_it()
        if self.pod_place == "kubeconfig" and not self.kube_config_location:
            problems.append(
                "'pod_place' is 'kubeconfig', and 'kube_config_location' is not: name the file, as the workers see it"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _not_as_composer_has_it(self) -> Iterator[str]:
        for key in ("namespace", "k8s_namespace"):
            name = getattr(self, key)
            if name not in ("", "default", COMPOSER_NAMESPACE):
                yield f"'pod_place' is 'composer3', and {key!r} is {name!r}: pods run in {COMPOSER_NAMESPACE!r} there"
        asked = {name for sizes in self.resources.values() for amounts in sizes.values() for name in amounts}
        for name in sorted(asked - set(_COMPOSER_RESOURCES)):
            known = ", ".join(_COMPOSER_RESOURCES)
            yield f"'pod_place' is 'composer3', and 'resources' asks for {name!r}: pods get {known} there"

    @property
    def pods_namespace(self) -> str:
        """The pods' namespace."""
        return COMPOSER_NAMESPACE if self.pod_place == "composer3" else self.k8s_namespace or self.namespace

    @property
    def kubeconfig(self) -> str:
        """The kubeconfig file, empty: the connection says which cluster it is."""
        return COMPOSER_KUBECONFIG if self.pod_place == "composer3" else self.kube_config_location


class WaitSettings(_Group):
    """How long the network is waited for."""

    ledger_wait_timeout: int = Field(
        default=3600, ge=0, description="seconds that a task waits for ledgers that have not closed, before it fails"
    )
    # If a rescheduled task starts again before the scheduler heard that its process had ended, it passes for one that
    # was killed, and the try is lost: seen with 2 seconds, and Airflow too advises a minute.
    ledger_wait_interval: Annotated[int, Field(ge=10)] = Field(
        default=60, description="seconds from one look for ledgers that have not closed to the next, at least 10"
    )


class DelaySettings(_Group):
    """When the scheduled runs of a DAG begin their work."""

    start_delay: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="seconds that the schedule's runs of a DAG wait before they begin, by DAG"
    )


class CoverageSettings(_Group):
    """How loaded history is looked over."""

    coverage_days: int = Field(
        default=7, ge=0, description="days before the newest ledger that each look takes in; 0: all loaded history"
    )
    coverage_auto_heal: bool = Field(default=False, description="whether what is wrong is loaded again at once")
    coverage_alert_lag: int = Field(
        default=3600, ge=0, description="seconds that a table may be behind the network before a look fails; 0: any"
    )


class OwnerSettings(_Group):
    """Who the DAGs belong to: the one group that is read while a DAG file is parsed."""

    owner: _Name = Field(default="stellar-etl", description="who owns the tasks, in Airflow's lists")


class EnvironmentSettings(_Group):
    """Which deployment this is."""

    environment: str = Field(
        default="", description="this deployment's name, as labels of jobs and pods have it; empty: they have none"
    )


class CostSettings(_Group):
    """What BigQuery's work costs."""

    price_per_tib: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=6.25, description="what BigQuery takes for reading a TiB, in your currency; 0: nothing by the byte"
    )


class AlertSettings(EnvironmentSettings):
    """The Sentry project that failures are reported to."""

    sentry_dsn: _Secret = Field(
        default="", description="the Sentry project that hears of a task's last failure; empty: none does"
    )
    sentry_environment: str = Field(
        default="", description="the environment that Sentry's events name; empty: `environment`"
    )


class MessageSettings(_Group):
    """Who hears of failures in chat and by email."""

    slack_connection: str = Field(
        default="",
        description="the Airflow connection by which Slack hears of failures; empty: it doesn't",
    )
    slack_channel: str = Field(
        default="",
        description="the channel, if the connection is of Slack's API; empty: the connection is an incoming webhook",
    )
    alert_email_to: str = Field(
        default="", description="addresses that hear of failures by email, with commas between them; empty: none does"
    )
    email_connection: _Name = Field(default="smtp_default", description="the Airflow connection by which email is sent")
    alert_window: Annotated[int, Field(ge=0)] = Field(
        default=900, description="seconds after a message in which no other one is sent: what happens is held back"
    )
    runbook_url: str = Field(
        default="", description="the address of docs/runbook.md for links in messages; empty: they name the file"
    )

    @property
    def anybody(self) -> bool:
        """Whether anybody hears."""
        return bool(self.slack_connection or self.alert_email_to)


class TimeoutSettings(_Group):
    """How long tasks may run."""

    task_timeout: dict[str, Annotated[int, Field(gt=0)]] = Field(
        default_factory=dict, description="seconds that a task may run, by builder"
    )


GROUPS: tuple[type[_Group], ...] = (
    WarehouseSettings,
    CheckSettings,
    ExportSettings,
    PodSettings,
    TimeoutSettings,
    WaitSettings,
    DelaySettings,
    CoverageSettings,
    CostSettings,
    OwnerSettings,
    AlertSettings,
    MessageSettings,
)
"""Together these name every Variable of the project."""

Group = TypeVar("Group", bound=_Group)


def known_keys() -> dict[str, str]:
    """Every Variable's key, with what it is for."""
    return {key: field.description or "" for group in GROUPS for key, field in group.model_fields.items()}


def shown(key: str, value: Any) -> str:
    """A Variable's value as people may see it: a secret's is masked, and that of a key that nobody knows."""
    fields = [group.model_fields[key] for group in GROUPS if key in group.model_fields]
    if not fields or (value and any(_HIDDEN in field.metadata for field in fields)):
        return "***"
    return json.dumps(value, ensure_ascii=False)


def _entry(variable: str, mapping: Mapping[str, str], key: str) -> str:
    try:
        return mapping[key]
    except KeyError:
        raise SettingsError(
            f"Airflow Variable {variable!r} has no entry {key!r}; add one, such as "
            f"{{{key!r}: {TABLES[key].table_id if variable == 'table_ids' and key in TABLES else key + '.txt'!r}}}"
        ) from None


def _parsed(group: type[_Group], key: str, raw: Any) -> Any:
    """A Variable's text as the value that the model validates: JSON where the field isn't text."""
    if not isinstance(raw, str):
        return raw
    annotation = group.model_fields[key].annotation
    if annotation is str or get_origin(annotation) is Literal:
        return raw
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw  # left to the model, whose error says what it expects


def load(group: type[Group], get: Callable[[str], Any]) -> Group:
    """Reads one group of Variables.

    Args:
        group: the model to fill.
        get: gives a Variable's value by key, None where it isn't set.

    Raises:
        SettingsError: naming every key that is missing or wrong, with what is expected of it.
    """
    values, missing = {}, []
    for key, field in group.model_fields.items():
        raw = get(key)
        if raw is not None:
            values[key] = _parsed(group, key, raw)
        elif field.is_required():
            missing.append(f"Airflow Variable {key!r} is not set: {field.description}")
    if missing:
        raise SettingsError(f"{'; '.join(missing)}. Import airflow_variables.json, or set it under Admin > Variables.")
    try:
        return group.model_validate(values)
    except ValidationError as error:
        raise SettingsError("; ".join(_explained(error, group))) from None


def _explained(error: ValidationError, group: type[_Group]) -> Iterable[str]:
    for problem in error.errors():
        if not problem["loc"]:  # of several Variables together
            yield f"Airflow Variables: {problem['msg'].removeprefix('Value error, ')}"
            continue
        key, *path = problem["loc"]
        where = "".join(f"[{part!r}]" for part in path)
        field = group.model_fields.get(str(key))
        purpose = f" ({field.description})" if field is not None else ""
        secret = field is not None and _HIDDEN in field.metadata
        given = "what is given" if secret else _SHOWN.repr(problem["input"])
        yield f"Airflow Variable {key!r}{where}{purpose}: {problem['msg']}, not {given}"


BUILDERS = (
    "build_apply_gcs_changes_to_bq_task",
    "build_backfill_tasks",
    "build_batch_stats",
    "build_bq_insert_job_task",
    "build_check_task",
    "build_coverage_tasks",
    "build_dataset_reset_task",
    "build_delete_data_task",
    "build_export_task",
    "build_full_load_task",
    "build_gcs_to_bq_task",
    "build_state_rebuild_task",
    "build_time_task",
    "build_verify_task",
)
"""The keys of `task_timeout`."""

POD_BUILDERS = ("build_coverage_tasks", "build_export_task", "build_time_task")
"""The keys of `resources`, beside `default`."""


def _unknown(what: str, given: Iterable[str], known: Collection[str]) -> list[str]:
    messages = []
    for key in sorted(set(given) - set(known)):
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        messages.append(f"unknown {what} {key!r}{hint}")
    return messages


def check_keys(variables: Mapping[str, Any]) -> list[str]:
    """A message for each key that the project doesn't know, with the right spelling where one is close."""
    return _unknown("Airflow Variable", variables, known_keys())


def check_entries(get: Callable[[str], Any]) -> list[str]:
    """A message for each entry that no table and no builder has, and for each that a table lacks.

    Args:
        get: gives a Variable's value by key; each must be valid by itself.
    """
    warehouse, export = load(WarehouseSettings, get), load(ExportSettings, get)
    names = [warehouse.table_ids.get(data_type, table.table_id) for data_type, table in PUBLISHED.items()]
    entries: dict[str, tuple[Mapping[str, Any], Collection[str]]] = {
        "cluster_fields": (warehouse.cluster_fields, names),
        "start_delay": (load(DelaySettings, get).start_delay, LOADING_DAGS),
        "output_file_names": (export.output_file_names, TABLES),
        "partition_fields": (warehouse.partition_fields, names),
        "resources": (load(PodSettings, get).resources, ("default", *POD_BUILDERS)),
        "table_ids": (warehouse.table_ids, PUBLISHED),
        "task_timeout": (load(TimeoutSettings, get).task_timeout, BUILDERS),
    }
    messages = []
    for key, (given, known) in entries.items():
        messages += _unknown(f"entry of Airflow Variable {key!r}:", given, known)
        if key in ("table_ids", "output_file_names"):
            messages += [f"Airflow Variable {key!r} has no entry {name!r}" for name in known if name not in given]
    return messages + list(_misfits(load(CheckSettings, get).checks, dict(zip(names, PUBLISHED.values(), strict=True))))


SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
"""The schema files of this checkout."""


def _misfits(checks: Iterable[TableCheck], tables: Mapping[str, Table]) -> Iterator[str]:
    """A message for each check of a table, column or value that there is not."""
    for number, entry in enumerate(checks):
        where = f"Airflow Variable 'checks'[{number}]"
        if entry.table not in tables:
            yield from _unknown(f"table in {where}:", [entry.table], tables)
            continue
        try:
            column_rules([entry.check], "staging", read_schema(str(SCHEMAS), tables[entry.table].table_id))
        except CheckError as error:
            yield f"{where} ({entry.table}): {error}"


def check_tables(get: Callable[[str], Any], schemas: Path = SCHEMAS) -> list[str]:
    """A message for each table that would be made without partitions, clusters or columns.

    Tables that are matched by key over all their rows have no partitions.

    Args:
        get: gives a Variable's value by key; each must be valid by itself.
        schemas: the folder of the schema files.
    """
    warehouse = load(WarehouseSettings, get)
    messages = []
    for data_type, table in PUBLISHED.items():
        name = warehouse.table_ids.get(data_type, table.table_id)
        if name not in warehouse.partition_fields and table.publish is Publish.REPLACE_RANGE:
            messages.append(f"Airflow Variable 'partition_fields' has no entry {name!r}: the table has no partition")
        if not warehouse.cluster_fields.get(name):
            messages.append(f"Airflow Variable 'cluster_fields' has no entry {name!r}: the table has no cluster")
        try:
            read_schema(str(schemas), table.table_id)
        except SchemaError as error:
            messages.append(f"Airflow Variable 'table_ids'[{data_type!r}]: the table {name!r} has no schema: {error}")
    return messages


def check(variables: Mapping[str, Any]) -> list[str]:
    """What is wrong with Variables, a message each; empty if nothing is."""
    messages = check_keys(variables)
    valid = True
    for group in GROUPS:
        try:
            load(group, variables.get)
        except SettingsError as error:
            messages.append(str(error))
            valid = False
    return list(dict.fromkeys(messages + check_entries(variables.get) if valid else messages))
