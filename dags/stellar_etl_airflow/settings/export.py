"""Variables that say what is exported, and where the files go."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from stellar_etl_airflow.model.network import PASSPHRASES
from stellar_etl_airflow.settings.base import Name, SettingsGroup, check_absolute, listed
from stellar_etl_airflow.settings.pods import ClusterSettings
from stellar_etl_airflow.settings.warehouse import entry_of


class BucketSettings(SettingsGroup):
    """Where exported files lie until they are loaded."""

    gcs_exported_data_bucket_name: Name = Field(description="the bucket that the export pods write to")
    gcs_exported_object_prefix: str = Field(description="the folder in the bucket, below which each run has its own")


_VOLUME_KEYS = ("volume_config", "volume_name", "image_output_path", "local_output_path", "output_path")


class ExportSettings(BucketSettings, ClusterSettings):
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
    output_file_names: dict[str, Name] = Field(description="the file name for each data type")
    txmeta_datastore_path: Name = Field(description="the lake of ledgers: gs://…, https://… or a folder")
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
                f"{listed(given)} set, and {listed(missing)} not: pods write to a volume if all five are set, and to "
                f"the bucket if none is"
            )
        for key in ("image_output_path", "local_output_path", "output_path"):
            check_absolute(key, getattr(self, key))
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
        return entry_of("output_file_names", self.output_file_names, data_type)
