"""Variables of exports: content, arguments of the pods, and where files are written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from stellar_etl_airflow.model.network import PASSPHRASES
from stellar_etl_airflow.model.tables import TABLES
from stellar_etl_airflow.settings.base import Name, SettingsGroup, check_absolute, listed, variable
from stellar_etl_airflow.settings.pods import ClusterSettings
from stellar_etl_airflow.settings.warehouse import registered


class BucketSettings(SettingsGroup):
    """Where exported files are stored until they are loaded."""

    gcs_exported_data_bucket_name: Name = variable(
        description="the bucket that the export pods write to", when="at first", shipped="my-project-stellar-etl"
    )
    gcs_exported_object_prefix: str = variable(
        description="the folder in the bucket; each run writes to its own subfolder",
        when="several environments share a bucket",
        shipped="dag-exported",
    )
    export_days: int = variable(
        ge=1,
        description="days after which a lifecycle rule of the bucket deletes exported files; `preflight` and "
        "`ledger_coverage` verify the rule",
        when="files must be kept longer or shorter; `scripts/bootstrap_gcp.sh --export-days` sets both",
        shipped=30,
    )


_VOLUME_KEYS = ("volume_config", "volume_name", "image_output_path", "local_output_path", "output_path")


class NetworkSettings(SettingsGroup):
    """The network, and the lake of its ledgers."""

    txmeta_datastore_path: Name = variable(
        description="the lake of ledgers: gs://…, https://… or a folder",
        when="at first, and for another network",
        shipped="gs://my-project-ledgers/pubnet",
    )
    network_passphrase: str = variable(
        shipped="",
        description="the network's passphrase; empty: chosen by `use_testnet` and `use_futurenet`",
        when="you run your own network",
    )
    use_testnet: bool = variable(
        shipped=False, description="export the test network", when="the ledgers are the test network's"
    )
    use_futurenet: bool = variable(
        shipped=False, description="export the future network", when="the ledgers are the future network's"
    )

    @property
    def passphrase(self) -> str:
        """The passphrase of the network that is exported."""
        if self.network_passphrase:
            return self.network_passphrase
        return PASSPHRASES["testnet" if self.use_testnet else "futurenet" if self.use_futurenet else "pubnet"]


class ExportSettings(NetworkSettings, BucketSettings, ClusterSettings):
    """Arguments of export pods, and where their output goes."""

    export_mode: Literal["one_pass", "per_type"] = variable(
        shipped="one_pass",
        description="`one_pass`: one pod for all tables; `per_type`: one pod per table, one after the other",
        when="the image has no `export_all_history`",
    )
    manifest: Literal["required", "derived"] = variable(
        shipped="required",
        description="`required`: the exporter writes a manifest; `derived`: it is made from the exported files",
        when="the image writes no manifest: `derived`",
    )
    use_captive_core: bool = variable(
        shipped=False,
        description="pass `--captive-core` to the exporter",
        when="the image reads ledgers from its own stellar-core",
    )
    volume_config: Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value == "" else value)] = variable(
        shipped={},
        description="the source of a volume that pods write to, as in a pod's spec; empty: no volume",
        when="pods can't write to a bucket",
    )
    volume_name: str = variable(shipped="", description="the volume's name in the pods", when="pods write to a volume")
    image_output_path: str = variable(
        shipped="", description="where the volume is mounted in the pods", when="pods write to a volume"
    )
    local_output_path: str = variable(
        shipped="", description="the volume's path on the workers", when="pods write to a volume"
    )
    output_path: str = variable(
        shipped="",
        description="the workers' folder to which poststart.sh moves finished files, and from which they are loaded",
        when="pods write to a volume",
    )
    output_file_names: dict[str, Name] = variable(
        description="the file name for each data type",
        when="rarely: other programs read the exports too",
        shipped=lambda: {one.data_type: one.file_name for one in TABLES.values()},
    )
    history_archive_path: str = variable(
        shipped="",
        description="the history archive of full loads: https://… or a folder; empty: the network's own archive",
        when="you run your own network, or another archive is nearer",
    )
    max_failed_transforms: int = variable(
        shipped=0,
        ge=0,
        description="how many rows of a batch may be skipped because their transformation failed",
        when="ledgers with a few unreadable rows must be loaded",
    )

    def check_together(self) -> None:
        """Check that all Variables of the volume are set or none, and that the cluster has volumes.

        Raises:
            ValueError: they contradict each other; the message names them.
        """
        given = [key for key in _VOLUME_KEYS if getattr(self, key)]
        missing = [key for key in _VOLUME_KEYS if key not in given]
        if given and missing:
            raise ValueError(
                f"{listed(given)} set, and {listed(missing)} not: set all five and pods write to a volume, or none and "
                f"they write to the bucket"
            )
        for key in ("image_output_path", "local_output_path", "output_path"):
            check_absolute(key, getattr(self, key))
        if problems := self.misplaced({"volume_config": "Composer 3 has no volumes; pods write to the bucket"}):
            raise ValueError("; ".join(problems))

    def file_name(self, data_type: str) -> str:
        """Return the file name of a data type's rows: from the Variable, or else from the registry.

        Raises:
            SettingsError: the data type is unknown.
        """
        return self.output_file_names.get(data_type) or registered(data_type).file_name
