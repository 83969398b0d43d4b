"""One deployment as commands access it from outside: its Airflow, its Variables and its tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from google.cloud import bigquery

from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.costs import cost_labels
from stellar_etl_airflow.ops.airflow_api import MASKED, AirflowApi
from stellar_etl_airflow.settings.checks import SCHEMAS
from stellar_etl_airflow.settings.groups import known_keys
from stellar_etl_airflow.settings.parsing import load
from stellar_etl_airflow.settings.runs import EnvironmentSettings
from stellar_etl_airflow.settings.warehouse import WarehouseSettings


class Deployment:
    """One deployment.

    Attributes:
        airflow: its Airflow.
        new: the values of Variables that are not set or that Airflow hides, from this release or the user's files.
        command: the name of the command, for the labels of its jobs.
    """

    command = "ops"

    def __init__(
        self, airflow: AirflowApi, new: Mapping[str, Any], client_for: Callable[[str], bigquery.Client]
    ) -> None:
        self.airflow = airflow
        self.new = new
        self._client_for = client_for

    def stored(self) -> dict[str, str]:
        """Return the text of each Variable of this project that is set in Airflow's database."""
        known = known_keys()
        return {key: value for key, value in self.airflow.variables().items() if key in known}

    @cached_property
    def variables(self) -> dict[str, Any]:
        """The Variables after an upgrade: the values that users set, and new values for the others.

        Airflow hides values whose keys look like a secret's, such as `network_passphrase`, and `token_transfers` within
        `table_ids`. Here the new values replace them. They are never written.
        """
        return {**self.new, **{key: revealed(text, self.new.get(key)) for key, text in self.stored().items()}}

    def hidden(self) -> list[str]:
        """Return the keys of Variables that Airflow hides, as a whole or in part."""
        return sorted(key for key, text in self.stored().items() if MASKED in text)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The datasets, with the schema files of this release."""
        config = load(WarehouseSettings, {**self.variables, "schema_filepath": str(SCHEMAS)}.get)
        labels = cost_labels(dag=self.command, environment=load(EnvironmentSettings, self.variables.get).environment)
        return Warehouse(self._client_for(config.bq_project), config, labels)


def revealed(text: str, new: Any) -> Any:
    """Return a Variable's value, with hidden parts replaced by the same parts of a new value."""
    if MASKED not in text:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return new
    return _filled(value, new)


def _filled(value: Any, new: Any) -> Any:
    if value == MASKED or (isinstance(value, list) and MASKED in value):
        return new
    if isinstance(value, dict):
        known = new if isinstance(new, dict) else {}
        filled = {key: _filled(part, known.get(key)) for key, part in value.items()}
        return {key: part for key, part in filled.items() if part is not None}
    return value
