"""Write a certificate of a range of ledgers from the warehouse: `python -m stellar_etl_airflow.certify`.

The file has the headers' hash chain, counts from the headers, and a digest of the rows of each table. Anybody with the
lake can verify it with `stellar-etl verify-certificate`, without the warehouse. Docs: `docs/certificates.md`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError

from stellar_etl_airflow.bigquery.clients import client_of
from stellar_etl_airflow.bigquery.tables import WarehouseError, read_dataset
from stellar_etl_airflow.bigquery.warehouse import Warehouse
from stellar_etl_airflow.model.network import NETWORK_LABEL
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.schema import SchemaError
from stellar_etl_airflow.model.tables import ASSETS, CHANGES, LEDGERS, TABLES, Table
from stellar_etl_airflow.settings.base import SettingsError
from stellar_etl_airflow.settings.environments import add_variables_option, read_variables
from stellar_etl_airflow.settings.parsing import load
from stellar_etl_airflow.settings.warehouse import Target, WarehouseSettings
from stellar_etl_airflow.sql.coverage import closed_between
from stellar_etl_airflow.sql.digests import certified_fields, differing_ledgers, header_links, table_digest
from stellar_etl_airflow.sql.statement import Parameter, range_parameters

FORMAT = "stellar-ledger-certificate/1"

MOST_LEDGERS = 100_000
"""Maximum number of ledgers in a certificate: the digests of all ledgers form one text in BigQuery."""

CERTIFIED: dict[str, Table] = {
    data_type: table for data_type, table in {**TABLES, **CHANGES}.items() if table is not ASSETS
}
"""The tables of a certificate: all exported ones except assets, whose rows depend on other ranges."""


class CertificateError(RuntimeError):
    """The range cannot be certified; the message names the reason."""


def parse_ledgers(text: str) -> LedgerRange:
    """Parse `A-B`.

    Raises:
        CertificateError: the text is not a range, or the range is too long.
    """
    found = re.fullmatch(r"(\d{1,10})-(\d{1,10})", text)
    ledgers = LedgerRange(*map(int, found.groups())) if found else None
    if ledgers is None or not 1 <= ledgers.start <= ledgers.end:
        raise CertificateError(f"--ledgers {text!r} is not a range of ledgers; write it like 100-199")
    if (size := ledgers.end - ledgers.start + 1) > MOST_LEDGERS:
        raise CertificateError(f"--ledgers {text} has {size} ledgers; a certificate has at most {MOST_LEDGERS}")
    return ledgers


def chain(links: Sequence[Mapping[str, Any]], ledgers: LedgerRange) -> dict[str, str]:
    """Return the part `headers` of a certificate.

    Args:
        links: the rows of `header_links`.
        ledgers: the range.

    Raises:
        CertificateError: a ledger is missing or duplicated, or its previous hash differs from the ledger before.
    """
    sequences = [row["sequence"] for row in links]
    if sequences != list(range(ledgers.start, ledgers.end + 1)):
        raise CertificateError(
            f"the table has {len(set(sequences))} of ledgers {ledgers.start} to {ledgers.end}, in {len(sequences)} rows"
        )
    for before, row in pairwise(links):
        if row["previous_ledger_hash"] != before["ledger_hash"]:
            raise CertificateError(
                f"the previous hash in ledger {row['sequence']} is not the hash of the ledger before"
            )
    hashes = [row["ledger_hash"] for row in links]
    return {
        "previous_hash": links[0]["previous_ledger_hash"],
        "first_hash": hashes[0],
        "last_hash": hashes[-1],
        "digest": hashlib.sha256("".join(hashes).encode()).hexdigest(),
    }


class Certifier:
    """Makes certificates of one target.

    Args:
        warehouse: the warehouse.
        target: the dataset whose rows are certified.
    """

    def __init__(self, warehouse: Warehouse, target: Target) -> None:
        self.warehouse, self.target = warehouse, target

    def parameters(self, ledgers: LedgerRange) -> tuple[Parameter, ...]:
        """Return the parameters of a range, with the close times of its ends.

        Raises:
            CertificateError: none of its ledgers are loaded.
        """
        headers = self.warehouse.published(LEDGERS, self.target)
        (row,) = self.warehouse.query(closed_between(headers, ledgers.start, ledgers.end))
        if row["start_time"] is None:
            raise CertificateError(f"none of ledgers {ledgers.start} to {ledgers.end} are loaded")
        times = (row[name].astimezone(UTC).isoformat() for name in ("start_time", "end_time"))
        return range_parameters(ledgers.start, ledgers.end, *times)

    def certify(self, ledgers: LedgerRange) -> dict[str, Any]:
        """Return the certificate of a range.

        Raises:
            CertificateError: the range is incomplete.
        """
        parameters = self.parameters(ledgers)
        links = self.warehouse.query(header_links(self.warehouse.published(LEDGERS, self.target), parameters))
        headers = chain(links, ledgers)
        label = read_dataset(self.warehouse.client, self.target.dataset_id).labels.get(NETWORK_LABEL)
        return {
            "format": FORMAT,
            "network": label,
            "dataset": self.target.dataset_id,
            "start_ledger": ledgers.start,
            "end_ledger": ledgers.end,
            "headers": headers,
            "counts": {name: sum(row[name] for row in links) for name in ("transactions", "operations")},
            "tables": {data_type: self._table(table, parameters) for data_type, table in CERTIFIED.items()},
        }

    def differences(self, other: Target, ledgers: LedgerRange) -> list[str]:
        """Compare the rows of a range with those of another target. Return a line per ledger and table that differ.

        Raises:
            CertificateError: none of the ledgers are loaded.
        """
        parameters, lines = self.parameters(ledgers), []
        for table in CERTIFIED.values():
            fields = certified_fields(self.warehouse.schema(table.table_id))
            ours, theirs = (self.warehouse.published(table, target) for target in (self.target, other))
            statement = differing_ledgers(table, ours, theirs, fields, parameters)
            lines += [
                f"{self.warehouse.config.table_id(table.data_type)}, ledger {row['sequence']}: {row['found']} rows in "
                f"{self.target.dataset_id} and {row['found_there']} in {other.dataset_id} differ"
                for row in self.warehouse.query(statement, table=table.table_id)
            ]
        return lines

    def _table(self, table: Table, parameters: tuple[Parameter, ...]) -> dict[str, Any]:
        fields = certified_fields(self.warehouse.schema(table.table_id))
        name = self.warehouse.published(table, self.target)
        (row,) = self.warehouse.query(table_digest(table, name, fields, parameters), table=table.table_id)
        columns = [field["name"] for field in fields]
        return {"columns": columns, "rows": int(row["found"]), "digest": row["digest"]}


def chosen_target(config: WarehouseSettings, dataset: str | None) -> Target:
    """Return the target of a name; None is the private one.

    Raises:
        CertificateError: the target does not exist.
    """
    targets = {target.dataset_id: target for target in config.targets}
    name = dataset or f"{config.bq_project}.{config.bq_dataset}"
    if name not in targets:
        raise CertificateError(f"--dataset {name!r} is not one of {', '.join(targets)}")
    return targets[name]


def main() -> int:
    """Run the command. Return 0, or 1 after printing an error in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m stellar_etl_airflow.certify",
        description="Write a certificate of ledgers, which stellar-etl verify-certificate recomputes from the lake.",
    )
    parser.add_argument("--ledgers", required=True, metavar="A-B", help=f"the range, at most {MOST_LEDGERS} ledgers")
    add_variables_option(
        parser,
        "files of Airflow Variables in the order of import; they name the datasets",
        required=True,
    )
    parser.add_argument("--dataset", metavar="PROJECT.DATASET", help="one of the datasets (default: the private one)")
    parser.add_argument(
        "--against",
        metavar="PROJECT.DATASET",
        help="another one of the datasets: compare the rows of each ledger with it, and write no certificate",
    )
    parser.add_argument("--output", default="-", metavar="FILE", help="default: standard output")
    arguments = parser.parse_args()
    try:
        ledgers = parse_ledgers(arguments.ledgers)
        config = load(WarehouseSettings, read_variables(*arguments.variables).get)
        target = chosen_target(config, arguments.dataset)
        certifier = Certifier(Warehouse(client_of(config.bq_project), config), target)
        if arguments.against:
            lines = certifier.differences(chosen_target(config, arguments.against), ledgers)
            print("\n".join(lines) or f"{target.dataset_id} and {arguments.against} have the same rows")
            return 1 if lines else 0
        text = json.dumps(certifier.certify(ledgers), indent=2) + "\n"
    except (CertificateError, SettingsError, SchemaError, WarehouseError, GoogleAPICallError, GoogleAuthError) as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.output == "-":
        sys.stdout.write(text)
    else:
        Path(arguments.output).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
