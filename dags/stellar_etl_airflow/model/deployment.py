"""The deployment that writes a dataset. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from stellar_etl_airflow.model.costs import label_value

DEPLOYMENT_LABEL = "stellar_deployment"
"""The dataset label that names the only deployment that writes to the dataset."""

DEPLOYMENT_VARIABLE = "STELLAR_ETL_DEPLOYMENT"
"""The environment variable of the workers that distinguishes deployments with the same Airflow Variables."""

UNNAMED = "unnamed"


def deployment_name(environment: str, process: Mapping[str, str]) -> str:
    """Return the value of `DEPLOYMENT_LABEL`.

    Args:
        environment: the Airflow Variable `environment`.
        process: the environment variables of the process.
    """
    parts = (environment, process.get(DEPLOYMENT_VARIABLE, ""))
    return label_value("--".join(filter(None, parts))) or UNNAMED
