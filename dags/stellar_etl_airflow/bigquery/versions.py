"""The versions of one change log in one target: the table, its labels and views, and the steps that change them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from stellar_etl_airflow.bigquery.jobs import query_job, target_label
from stellar_etl_airflow.bigquery.tables import (
    WarehouseError,
    ensure_table,
    ensure_view,
    is_view,
    make_view,
    stored_query,
)
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.bigquery.writers import wait_for_writers
from stellar_etl_airflow.model.partitions import BEGINNING
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import STATES, Table
from stellar_etl_airflow.model.versions import MOST_FOLDED, MOST_SET_BACK, OPEN_LEDGER, Day, Folded, LabelError, Plan
from stellar_etl_airflow.settings.warehouse import Target
from stellar_etl_airflow.sql.records import moved
from stellar_etl_airflow.sql.statement import Statement
from stellar_etl_airflow.sql.versions import (
    Change,
    Log,
    Note,
    Show,
    Step,
    at_function,
    at_function_id,
    current_view,
    current_view_id,
    days_to_fold,
    days_to_open,
    differences,
    first_change,
    history_view,
    history_view_id,
    last_close,
    steps_of,
    steps_of_set_back,
    versions_table_id,
)

log = logging.getLogger(__name__)

OLD_SUFFIX = "_state"
"""Suffix of the point-in-time tables of earlier releases: `<table>_state`, merged by key."""


def plan_fold(
    query: Callable[[Statement], Iterable[Mapping[str, Any]]],
    pair: Log,
    before: Folded,
    start: Folded,
    at: datetime,
    to_ledger: int = OPEN_LEDGER,
    *,
    begins: bool = False,
    folds: bool = True,
    removed: bool = False,
    most: int = MOST_FOLDED,
) -> Plan:
    """Plan a fold from a mark on.

    Args:
        query: runs a query; returns its rows.
        pair: the change log and its versions.
        before: the mark in the labels.
        start: the mark to start from.
        at: the current time.
        to_ledger: the last ledger to fold.
        begins: whether the versions begin with the stored full load.
        folds: whether to fold changes.
        removed: whether to fold days without changes too, if an earlier fold included changes of them.
        most: the maximum number of partitions per statement.
    """
    rows = query(days_to_fold(pair, start, to_ledger, removed=removed)) if folds else []
    days = [Day(row["day"], int(row["ledger"]), row["closed_at"]) for row in rows]
    closing = [row["day"] for row in query(days_to_open(pair, start))]
    return Plan.of(before, start, days, closing, at, begins=begins, most=most)


class Versions:
    """The versions of one change log in one target.

    Args:
        warehouse: the warehouse.
        table: the change log's entry in the registry.
        target: the target.
    """

    def __init__(self, warehouse: Warehouse, table: Table, target: Target) -> None:
        self.warehouse, self.table, self.target = warehouse, table, target
        self.changes_id = warehouse.config.table_id(table.data_type)

    def _full_id(self, table_id: str) -> str:
        return f"{self.target.dataset_id}.{table_id}"

    @property
    def full_id(self) -> str:
        """The table of versions, as `project.dataset.table`."""
        return self._full_id(versions_table_id(self.changes_id))

    def ensure(self) -> None:
        """Create the table of versions and its views, or add missing columns.

        Existing views are not changed: only a task with a slot of the table's pool knows their mark.

        Raises:
            WarehouseError: the target has a point-in-time table of an earlier release, or a table has a view's name.
        """
        missing = [name for name in self.view_ids() if not is_view(self.warehouse.client, self._full_id(name))]
        if missing and self.warehouse.has(self.old_id, self.target):
            raise WarehouseError(
                f"{self._full_id(self.old_id)} is a point-in-time table of an earlier release: run python -m "
                f"stellar_etl_airflow.upgrade, which creates {self.full_id} instead"
            )
        self.make_table()
        if missing:
            folded = self.folded()
            self._write_function(folded)
            for name, query in self.queries(folded).items():
                make_view(self.warehouse.client, self._full_id(name), query)

    def _write_function(self, folded: Folded) -> None:
        function = self.warehouse.name(at_function_id(self.changes_id), self.target)
        self.warehouse.query(at_function(function, self.log(), folded), table=self.table.table_id)

    def drop_function(self) -> None:
        """Drop the table function."""
        self.warehouse.client.delete_routine(self._full_id(at_function_id(self.changes_id)), not_found_ok=True)

    def make_table(self) -> None:
        """Create the table of versions, or add missing columns."""
        ensure_table(self.warehouse.client, self.full_id, self.warehouse.versions_layout(self.table))

    @property
    def old_id(self) -> str:
        """The name of the point-in-time table of earlier releases."""
        return f"{self.changes_id}{OLD_SUFFIX}"

    def view_ids(self) -> tuple[str, str]:
        """Return the names of the views."""
        return current_view_id(self.changes_id), history_view_id(self.changes_id)

    def folded(self) -> Folded:
        """Read the mark.

        Raises:
            NotFound: the table of versions does not exist.
            WarehouseError: its labels have no valid mark.
        """
        try:
            return Folded.from_labels(self.warehouse.client.get_table(self.full_id).labels)
        except LabelError as error:
            raise WarehouseError(
                f"table {self.full_id}: {error}. Delete its labels fold_*, then run the DAG state_rebuild for it"
            ) from None

    def names(self) -> Log:
        """Return the change log and its versions without columns, for queries that only need keys and ledgers."""
        changes = self.warehouse.published(self.table, self.target)
        return Log(self.table, changes, self.warehouse.name(versions_table_id(self.changes_id), self.target), {})

    def log(self) -> Log:
        """Return the change log and its versions with the tables' current columns."""
        names = self.names()
        fields = (self.warehouse.fields(name) for name in (names.changes, names.versions))
        return replace(names, columns=self.warehouse.moved(self.table, *fields))

    def queries(self, folded: Folded) -> dict[str, str]:
        """Return the queries of the views for a mark, by the views' names."""
        pair = self.log()
        current, history = self.view_ids()
        return {current: current_view(pair, folded), history: history_view(pair, folded)}

    def exists(self) -> bool:
        """Whether the table of versions exists."""
        return self.warehouse.has(versions_table_id(self.changes_id), self.target)

    def views(self) -> dict[str, str]:
        """Return the current queries of the views, by `project.dataset.view`."""
        return {self._full_id(name): query for name, query in self.queries(self.folded()).items()}

    def do(self, step: Step) -> None:
        """Do a step that is not a statement: write the labels, or the views."""
        client = self.warehouse.client
        match step:
            case Note():
                table = client.get_table(self.full_id)
                table.labels = {**table.labels, **step.folded.to_labels()}  # None deletes a label
                client.update_table(table, ["labels"])
                log.info("%s: folded up to ledger %d", self.full_id, step.folded.ledger - 1)
            case Show():
                queries = {self._full_id(name): query for name, query in self.queries(step.folded).items()}
                stale = [name for name, query in queries.items() if stored_query(client, name) != query]
                if stale:  # the function first, so that it is up to date if the views are
                    self._write_function(step.folded)
                for name in stale:
                    ensure_view(client, name, queries[name])
            case _:
                raise TypeError(f"{step} must run as a job")

    def wait_for_changes(self) -> None:
        """Wait until no job of a killed task writes the change log, because a fold must include those changes."""
        label = target_label(self._full_id(self.changes_id))
        wait_for_writers(self.warehouse.client, self.warehouse.project, self.warehouse.location, label)

    def set_back(self, ledgers: LedgerRange, first_closed_at: datetime, most: timedelta = MOST_SET_BACK) -> None:
        """Set the mark and the views back, before ledgers of the change log are replaced.

        Args:
            ledgers: the ledgers.
            first_closed_at: the close time of the first ledger, or earlier.
            most: the maximum time that the mark may move back.
        """
        before = self.folded()
        for step in steps_of_set_back(before, before.set_back(ledgers.start, ledgers.end, first_closed_at, most)):
            self.do(step)

    def set_back_to_delete(self, ledgers: LedgerRange) -> None:
        """Set the mark back, however far, before changes of some ledgers are deleted."""
        if not self.exists():
            return  # without versions there are no views
        (row,) = self.warehouse.query(first_change(self.names(), ledgers), table=self.table.table_id)
        if row["ledger"] is not None:
            self.set_back(LedgerRange(row["ledger"], ledgers.end), row["closed_at"], timedelta.max)

    def plan(
        self,
        before: Folded,
        start: Folded,
        to_ledger: int = OPEN_LEDGER,
        *,
        begins: bool = False,
        folds: bool = True,
        removed: bool = False,
    ) -> Plan:
        """Plan a fold from a mark on, now. The arguments are those of `plan_fold`."""
        query = partial(self.warehouse.query, table=self.table.table_id)
        return plan_fold(
            query,
            self.names(),
            before,
            start,
            datetime.now(UTC),
            to_ledger,
            begins=begins,
            folds=folds,
            removed=removed,
        )

    def steps(self, plan: Plan) -> list[Step]:
        """Return the steps of a plan."""
        pair = self.log()
        if not plan.begins:
            return steps_of(plan, pair)
        base = self.warehouse.base(self.table, self.target)
        columns = self.warehouse.moved(self.table, self.warehouse.fields(base), self.warehouse.fields(pair.versions))
        return steps_of(plan, pair, base, columns)

    def migrate(self) -> None:
        """Create the versions from a point-in-time table of an earlier release, and drop that table.

        This can be repeated: nothing reads the versions before the last step writes the views.
        """
        warehouse = self.warehouse
        self.make_table()
        before, ledger = self.folded(), warehouse.base_ledger(self.table, self.target)
        start = before.rebuilt()
        if ledger:
            base = warehouse.base(self.table, self.target)
            (row,) = warehouse.query(last_close(self.table, base), table=self.table.table_id)
            start = before.begun(ledger, row["closed_at"] or BEGINNING)
        plan = self.plan(before, start, begins=ledger > 0)
        for step in self.steps(plan):
            if isinstance(step, Change):
                job = query_job(step.name, step.statement, warehouse.config.maximum_bytes_billed)
                warehouse.run(job, table=self.table.table_id)
        for last in (Note(plan.after), Show(plan.after)):
            self.do(last)
        warehouse.client.delete_table(self._full_id(self.old_id), not_found_ok=True)

    def old_differences(self) -> dict[str, int]:
        """Count the wrong entries of the point-in-time table of an earlier release, by kind.

        Returns:
            `missing`, `extra` and `different`, compared with the stored changes and full load.
        """
        warehouse = self.warehouse
        ledger = warehouse.base_ledger(self.table, self.target)
        base = warehouse.base(self.table, self.target) if ledger else None
        old, changes = warehouse.name(self.old_id, self.target), warehouse.published(self.table, self.target)
        into, of_changes = warehouse.fields(old), warehouse.fields(changes)
        of_base = warehouse.fields(base) if base else of_changes
        column_sets = [{field["name"] for field in fields} for fields in (into, of_changes, of_base)]
        names = [name for name in warehouse.columns(self.table.table_id) if all(name in one for one in column_sets)]
        pair = Log(self.table, changes, old, moved(of_changes, into, names))
        statement = differences(pair, base, moved(of_base, into, names), ledger)
        (row,) = warehouse.query(statement, table=self.table.table_id)
        return {kind: int(row[kind]) for kind in ("missing", "extra", "different")}


def versions_of(warehouse: Warehouse, table: Table) -> list[Versions]:
    """Return the versions of a table in each target; empty if it is not a change log."""
    return [Versions(warehouse, table, target) for target in warehouse.config.targets if table.entry_keys]


def ensure_versions(warehouse: Warehouse, table: Table) -> None:
    """Create the tables of versions of a change log, and their views, in each target."""
    for versions in versions_of(warehouse, table):
        versions.ensure()


def every_version(warehouse: Warehouse) -> Iterator[Versions]:
    """Yield the versions of every change log in each target."""
    for table in STATES.values():
        yield from versions_of(warehouse, table)
