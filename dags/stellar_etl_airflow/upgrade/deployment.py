"""The deployment that is upgraded."""

from __future__ import annotations

from collections.abc import Sequence

from stellar_etl_airflow.ops.deployment import Deployment as SeenDeployment
from stellar_etl_airflow.settings.checks import check

NAME = "upgrade"


class Deployment(SeenDeployment):
    """A deployment, and the reasons why it cannot be upgraded."""

    command = NAME

    def problems(self) -> list[str]:
        """Return a message per Variable that is invalid in this release."""
        return check(self.variables)

    def busy(self, dag_ids: Sequence[str]) -> list[str]:
        """Return a message per DAG that is not paused or has active runs."""
        dags = self.airflow.dags()
        messages = []
        for dag_id in dag_ids:
            if dag_id in dags and not dags[dag_id]["is_paused"]:
                messages.append(f"DAG {dag_id} is not paused: airflow dags pause -y {dag_id}")
            elif dag_id in dags and (runs := self.airflow.active_runs(dag_id)):
                messages.append(f"DAG {dag_id} has active runs: wait for {', '.join(sorted(runs))}")
        return messages
