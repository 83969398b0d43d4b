"""The command: `python -m stellar_etl_airflow.upgrade --airflow URL [--variables FILE…] [--go]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from stellar_etl_airflow.bigquery.clients import client_of
from stellar_etl_airflow.bigquery.tables import WarehouseError
from stellar_etl_airflow.model.schema import SchemaError
from stellar_etl_airflow.ops.airflow_api import AirflowApi, AirflowApiError, add_airflow_option
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.environments import CHECKOUT, DEFAULT_FILE, add_variables_option, read_variables
from stellar_etl_airflow.upgrade.deployment import NAME, Deployment
from stellar_etl_airflow.upgrade.steps import STEPS, Step


class UpgradeError(RuntimeError):
    """The deployment cannot be upgraded in its current state; the message says what to do first."""


def upgrade(deployment: Deployment, go: bool, steps: Sequence[Step] = STEPS, say: Callable[[str], None] = print) -> int:
    """Print the changes of each step, and make them if `go` is true.

    Args:
        deployment: the deployment.
        go: whether to make the changes.
        steps: the steps.
        say: prints a line.

    Returns:
        The number of changes.

    Raises:
        UpgradeError: a Variable is invalid, a DAG must be paused first, or a step left changes after it ran.
    """
    if wrong := deployment.problems():
        raise UpgradeError("\n".join([*wrong, "correct these Variables first; nothing was changed"]))
    if hidden := deployment.hidden():
        say(f"Airflow hides parts of {', '.join(hidden)}: values of the files are used here, and are not written")
    planned = [(step, list(step.changes(deployment))) for step in steps]
    if busy := [message for step, changes in planned if changes for message in deployment.busy(step.paused)]:
        if go:
            raise UpgradeError("\n".join([*dict.fromkeys(busy), "nothing was changed"]))
        for message in dict.fromkeys(busy):
            say(f"before --go: {message}")
    count = 0
    for step, changes in planned:
        say(f"{step.name}: " + ("up to date" if not changes else ""))
        for change in changes:
            say(f"  {change.text}")
            if go:
                change.make()
        count += len(changes)
        if go and (left := [change.text for change in step.changes(deployment)]):
            raise UpgradeError(f"{step.name}: changes are left: {'; '.join(left)}")
    say(f"{count} changes" + ("" if go or not count else "; nothing was changed, use --go to make them"))
    return count


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Return 0, or 1 after printing an error to standard error."""
    parser = argparse.ArgumentParser(
        prog=f"python -m stellar_etl_airflow.{NAME}",
        description="Upgrade a deployment from any earlier release to this one: new Variables and pools, new columns, "
        "migrations. Existing values are kept. Prints its changes, and makes them with --go.",
    )
    add_airflow_option(parser)
    add_variables_option(
        parser,
        f"files of values for Variables that are not set, and for those that Airflow hides; later files override "
        f"earlier ones and {DEFAULT_FILE}",
    )
    parser.add_argument("--go", action="store_true", help="make the changes")
    arguments = parser.parse_args(argv)
    try:
        new = read_variables(CHECKOUT / DEFAULT_FILE, *arguments.variables)
        upgrade(Deployment(AirflowApi(arguments.airflow), new, client_of), arguments.go)
    except (
        *(UpgradeError, AirflowApiError, SettingsError, SchemaError, WarehouseError),
        GoogleAPICallError,
        GoogleAuthError,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
