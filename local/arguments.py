"""Arguments of the stack's command lines, checked before anything starts or stops."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from local.plan import PlanError, format_time, parse_time
from local.stack.disk import full_disk
from local.stack.layout import REPO

LEDGERS = "*.xdr*"
"""The files of a lake (SEP-54)."""
STORES = ("gs://", "http://", "https://")
"""The prefixes of addresses that are not folders."""


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the option `--dir`."""
    parser.add_argument(
        "--dir", type=Path, default=REPO / ".local", metavar="DIR", help="the stack's folder (default: .local)"
    )


def check_folder(folder: Path) -> None:
    """Check that a stack can write its files into a folder, which need not exist.

    Raises:
        PlanError: a file is in the way, the disk is full, or the folder can't be written.
    """
    if problem := full_disk(folder.resolve()):
        raise PlanError(f"--dir {folder}: {problem}")
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    if not existing.is_dir():
        raise PlanError(f"--dir {folder}: {existing} is not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PlanError(f"--dir {folder}: {existing} can't be written")


def check_output(option: str, path: Path) -> None:
    """Check that a file can be written at the end of a job.

    Raises:
        PlanError: its folder is missing, it is a folder itself, or it can't be written.
    """
    folder = path.resolve().parent
    if path.is_dir():
        raise PlanError(f"{option} {path}: this is a folder; give it the name of a file")
    if not folder.is_dir():
        raise PlanError(f"{option} {path}: {folder} is not a folder")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise PlanError(f"{option} {path}: it can't be written")


def lake_of(text: str) -> str:
    """The lake that `--lake` names: an address, or a folder's full path.

    Raises:
        PlanError: the exporter can't read the address, the folder does not exist, or it is not a lake.
    """
    if "://" in text:
        if not text.startswith(STORES):
            raise PlanError(f"--lake {text}: an address begins with one of {', '.join(STORES)}")
        return text
    folder = Path(text).resolve()
    if not folder.is_dir():
        raise PlanError(f"--lake {text}: the folder does not exist")
    if next(folder.rglob(LEDGERS), None) is None:
        raise PlanError(f"--lake {text}: the folder contains no ledgers (files {LEDGERS})")
    return str(folder)


def dag_folder_of(text: str) -> str:
    """The folder that `up --dags` names.

    Raises:
        PlanError: the folder does not exist, or it has no DAG files.
    """
    folder = Path(text).resolve()
    if not folder.is_dir():
        raise PlanError(f"--dags {text}: the folder does not exist")
    if not any(folder.glob("*.py")):
        raise PlanError(f"--dags {text}: the folder contains no file *.py")
    return str(folder)


def schedule_of(text: str) -> str:
    """The cron expression that `--schedule` gives.

    Raises:
        PlanError: Airflow can't read it.
    """
    from croniter import CroniterBadCronError, croniter  # the parser of Airflow's schedules

    try:
        croniter.expand(text)
    except CroniterBadCronError as error:
        raise PlanError(f"--schedule {text!r} is not a cron expression: {error}") from None
    return text


def date_of(option: str, text: str) -> str:
    """Return a time of the command line in the form that the stack stores.

    Raises:
        PlanError: it is not a time, or has no zone.
    """
    return format_time(parse_time(option, text))
