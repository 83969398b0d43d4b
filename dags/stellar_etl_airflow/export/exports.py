"""The content of an export: its pods' command lines, and the files that they write. Pure.

`one_pass` reads each ledger once, for all tables, in one pod; an export of both history and changes has a pod for each.
`per_type` runs one pod per table, one after the other, with the commands that the Go program has too
(https://github.com/stellar/stellar-etl). A pod writes to the bucket, or to a volume, under the same names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from stellar_etl_airflow.model.batch import ExportAttempt
from stellar_etl_airflow.model.ranges import LedgerRange
from stellar_etl_airflow.model.tables import CHANGES, LEDGERS
from stellar_etl_airflow.settings.export import ExportSettings, NetworkSettings

ALL_TYPES = "all"
"""The name of the step that exports all types of history in one pass."""

CHANGES_STEP = "changes"
"""The name of the step that exports all changes of ledger entries."""

FULL_LOAD_STEP = "bucket_list"
"""The name of the only step of a full load."""

HISTORY_MANIFEST = "history-manifest.json"
"""The manifest of the history pod in an export that has a pod for changes too, which writes the usual manifest."""

_COMMANDS = {"token_transfers": "export_token_transfer"}
"""The commands that are not named `export_{type}`."""


@dataclass(frozen=True)
class Step:
    """One pod of an export.

    Attributes:
        name: a data type, `ALL_TYPES`, `CHANGES_STEP` or `FULL_LOAD_STEP`.
        arguments: the arguments after `stellar-etl`.
        leaves: the objects that show that the step is done: the manifest, which is written last, or the data files.
        manifests: the manifests that it writes.
    """

    name: str
    arguments: tuple[str, ...]
    leaves: frozenset[str]
    manifests: tuple[str, ...]


@dataclass(frozen=True)
class Export:
    """The export of a run, independent of the attempt.

    Attributes:
        settings: the Variables.
        data_types: the tables' types.
        ledgers: the range.
        fields: the columns of every row that describe the run, without the start of the attempt.
    """

    settings: ExportSettings
    data_types: tuple[str, ...]
    ledgers: LedgerRange
    fields: Mapping[str, str]

    @property
    def file_names(self) -> dict[str, str]:
        """The file name of each exported type.

        A derived manifest needs the ledgers' headers, which have the expected row counts. If the tables do not include
        ledgers, the headers are exported too, but not loaded. So are all types of changes, if the tables include one:
        one command writes them all.
        """
        # The program chooses the names of the files of changes.
        changes = {data_type: f"{data_type}.txt" for data_type in CHANGES} if CHANGES.keys() & self.data_types else {}
        return changes | {data_type: self.settings.file_name(data_type) for data_type in self._history}

    @property
    def _history(self) -> list[str]:
        """The types that history commands write."""
        types = [data_type for data_type in self.data_types if data_type not in CHANGES]
        if self.settings.manifest == "derived" and LEDGERS.data_type not in types:
            types.append(LEDGERS.data_type)
        return types

    @property
    def source(self) -> str:
        """The source of the ledgers."""
        return self.settings.txmeta_datastore_path

    def manifests(self, attempt: ExportAttempt) -> list[str]:
        """Return the names of the manifests that the pods write; empty if the manifest is derived."""
        return [name for step in self.steps(attempt) for name in step.manifests]

    def leaves(self, attempt: ExportAttempt) -> list[str]:
        """Return the names of all files that the pods write, the manifests last."""
        return [*map(attempt.object_name, self.file_names.values()), *self.manifests(attempt)]

    def steps(self, attempt: ExportAttempt) -> list[Step]:
        """Return the pods of an attempt, in the order in which they run."""
        steps = []
        history = self._history
        if len(history) < len(self.file_names):
            steps.append(self._changes_step(attempt))
        if history and self.settings.export_mode == "one_pass":
            steps.append(self._history_step(attempt, history))
        else:
            steps += [self._type_step(attempt, data_type) for data_type in history]
        return steps

    def _history_step(self, attempt: ExportAttempt, types: Sequence[str]) -> Step:
        """Return the step for all history types, in one pod that reads each ledger once."""
        names = {data_type: self.file_names[data_type] for data_type in types}
        command, manifest = ["export_all_history", "--types", ",".join(names)], attempt.manifest_object
        command += ["--file-names", extra_fields(names)]
        if len(names) < len(self.file_names) and self.settings.manifest == "required":
            command += ["--manifest-name", HISTORY_MANIFEST]
            manifest = attempt.object_name(HISTORY_MANIFEST)
        return self._step(ALL_TYPES, attempt, tuple(command), attempt.prefix, names, manifest)

    def _type_step(self, attempt: ExportAttempt, data_type: str) -> Step:
        """Return the step for one history type."""
        file_name = self.file_names[data_type]
        name, command = attempt.object_name(file_name), _COMMANDS.get(data_type, f"export_{data_type}")
        return self._step(data_type, attempt, (command,), name, {data_type: file_name}, f"{name}.manifest.json")

    def _changes_step(self, attempt: ExportAttempt) -> Step:
        """Return the step for all types of changes, which one command writes. One batch yields one file per type."""
        names = {data_type: name for data_type, name in self.file_names.items() if data_type in CHANGES}
        size = self.ledgers.end - self.ledgers.start + 1
        command = ("export_ledger_entry_changes", "--batch-size", str(size))
        return self._step(CHANGES_STEP, attempt, command, attempt.prefix, names, attempt.manifest_object)

    def _step(
        self,
        name: str,
        attempt: ExportAttempt,
        command: tuple[str, ...],
        output: str,
        files: Mapping[str, str],
        manifest: str,
    ) -> Step:
        derived = self.settings.manifest == "derived"
        arguments = (*command, *self._range, "--output", f"{self._root}{output}", *self._options(attempt))
        leaves = map(attempt.object_name, files.values()) if derived else [manifest]
        return Step(name, arguments, frozenset(leaves), () if derived else (manifest,))

    @property
    def _root(self) -> str:
        """The prefix of an object's name in a pod."""
        return f"{self.settings.image_output_path.rstrip('/')}/" if self.settings.volume_config else ""

    @property
    def _range(self) -> tuple[str, ...]:
        return ("--start-ledger", str(self.ledgers.start), "--end-ledger", str(self.ledgers.end))

    def _common_options(self, attempt: ExportAttempt) -> list[str]:
        settings = self.settings
        bucket = ["--cloud-provider", "gcp", "--cloud-storage-bucket", settings.gcs_exported_data_bucket_name]
        return [
            "--extra-fields", extra_fields({**self.fields, "batch_insert_ts": attempt.started_at}),
            *([] if settings.volume_config else bucket),
            *network_arguments(settings),
        ]  # fmt: skip

    def _options(self, attempt: ExportAttempt) -> list[str]:
        settings = self.settings
        return [
            *self._common_options(attempt),
            "--datastore-path", settings.txmeta_datastore_path,
            *(["--captive-core"] if settings.use_captive_core else []),
            # Without a manifest, the number of skipped rows would be unknown.
            *(["--strict-export"] if settings.manifest == "derived" and not settings.max_failed_transforms else []),
        ]  # fmt: skip

    def fingerprint(self, image: str) -> str:
        """Return a hash of the work: attempts with other settings or another image are not continued."""
        steps = self.steps(ExportAttempt(self.ledgers, "", ""))
        work = [image, self.settings.manifest, [step.arguments for step in steps]]
        return hashlib.sha256(json.dumps(work).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class FullLoad(Export):
    """All ledger entries at one ledger, from a history archive, in one pod.

    Only our exporter reads bucket lists. It always writes a manifest, whatever `export_mode` and `manifest` are.
    """

    @property
    def file_names(self) -> dict[str, str]:
        """The file name of each type, the same as for its changes."""
        return {data_type: f"{data_type}.txt" for data_type in self.data_types}

    @property
    def source(self) -> str:
        """The history archive; empty for the network's own."""
        return self.settings.history_archive_path

    def steps(self, attempt: ExportAttempt) -> list[Step]:
        """Return the only pod of an attempt."""
        names, archive = self.file_names, self.source
        arguments = (
            "export_bucket_list",
            "--end-ledger", str(self.ledgers.end),
            "--types", ",".join(names),
            "--file-names", extra_fields(names),
            "--output", f"{self._root}{attempt.prefix}",
            *self._common_options(attempt),
            *(["--history-archive-path", archive] if archive else []),
        )  # fmt: skip
        return [Step(FULL_LOAD_STEP, arguments, frozenset([attempt.manifest_object]), (attempt.manifest_object,))]


def network_arguments(settings: NetworkSettings) -> list[str]:
    """Return the arguments that name the network; none for the public network."""
    return ["--testnet"] if settings.use_testnet else ["--futurenet"] if settings.use_futurenet else []


def attempt_suffix(fingerprint: str, token: str) -> str:
    """Return the end of an attempt's name: its fingerprint, and a unique token."""
    return f"{fingerprint}-{token}"


def does(attempt: ExportAttempt, fingerprint: str) -> bool:
    """Whether an attempt has this fingerprint."""
    return attempt.name.split("-")[1:2] == [fingerprint]


def to_do(steps: Sequence[Step], names: Collection[str]) -> list[Step]:
    """Return the steps from the first one whose files are missing."""
    undone = (number for number, step in enumerate(steps) if not step.leaves <= set(names))
    return list(steps[next(undone, len(steps)) :])


def attempts_below(folder: str, names: Iterable[str], ledgers: LedgerRange) -> list[ExportAttempt]:
    """Return the attempts with files below a run's folder, latest first."""
    depth = folder.count("/") + 2
    prefixes = {"/".join(name.split("/")[:depth]) for name in names if name.count("/") >= depth}
    attempts = []
    for prefix in sorted(prefixes, reverse=True):
        try:
            attempts.append(ExportAttempt.at(ledgers, prefix))
        except ValueError:
            continue  # a folder of another program
    return attempts


def extra_fields(fields: Mapping[str, str]) -> str:
    """Return the value of the exporter's `--extra-fields`.

    `k=v,k=v` is read as one CSV record. Pairs with a comma, a quote or a line break are therefore quoted
    (https://pkg.go.dev/github.com/spf13/pflag#StringToString).
    """

    def quoted(pair: str) -> str:
        return '"' + pair.replace('"', '""') + '"' if any(char in pair for char in ',"\r\n') else pair

    return ",".join(quoted(f"{key}={value}") for key, value in fields.items())
