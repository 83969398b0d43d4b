"""What the stack's processes are told by their environment. Pure."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from local.database import DATABASE, USER
from local.recording import RECORD_VARIABLE
from local.stack.layout import PROJECT, REPO, Options, StackLayout

PARALLELISM = 4
"""Tasks at a time: on two cores more of them only wait for each other."""
MOST_PER_PAGE = 1000
"""Entries in one answer of Airflow's REST API."""

PARSE_SECONDS = 240
"""How long a DAG file may take to import: Airflow's 30 s pass on a laptop that is busy with other things."""


def bin_folder() -> str:
    """Where the environment's programs lie."""
    return str(Path(sys.executable).parent)


def base_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The parts of the caller's environment that programs need; nothing of Airflow, Google or Kubernetes."""
    names = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", RECORD_VARIABLE)
    kept = {key: inherited[key] for key in names if key in inherited}
    return {
        **kept,
        "PATH": os.pathsep.join([bin_folder(), inherited.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "dags")]),
        "PYTHONUNBUFFERED": "1",
        # On two cores more threads only wait for each other.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def secrets_backend(inherited: Mapping[str, str]) -> dict[str, str]:
    """The caller's secrets backend, which Airflow asks before it looks at Variables and connections of the stack."""
    return {key: value for key, value in inherited.items() if key.startswith("AIRFLOW__SECRETS__BACKEND")}


def emulator_hosts(ports: Mapping[str, int]) -> dict[str, str]:
    """Where Google's clients find the emulators; the scheme is needed."""
    return {
        "BIGQUERY_EMULATOR_HOST": f"http://127.0.0.1:{ports['warehouse']}",
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{ports['bucket']}",
    }


def database_url(layout: StackLayout, ports: Mapping[str, int]) -> str:
    """Where Airflow's database is, with its password."""
    password = layout.database_password.read_text()
    return f"postgresql+psycopg2://{USER}:{password}@127.0.0.1:{ports['database']}/{DATABASE}"


def airflow_environment(
    layout: StackLayout,
    ports: Mapping[str, int],
    options: Options,
    keys: Mapping[str, str],
    inherited: Mapping[str, str],
) -> dict[str, str]:
    """The environment of every Airflow process.

    Args:
        layout: where the stack lies.
        ports: the port of each service.
        options: what the stack was started with.
        keys: its secrets.
        inherited: the caller's environment.
    """
    api = f"http://127.0.0.1:{ports['airflow']}"
    sections: dict[str, dict[str, object]] = {
        "CORE": {
            "DAGBAG_IMPORT_TIMEOUT": PARSE_SECONDS,
            "DAGS_FOLDER": options.dags,
            "EXECUTOR": "LocalExecutor",
            "PARALLELISM": PARALLELISM,
            "LOAD_EXAMPLES": False,
            "DAGS_ARE_PAUSED_AT_CREATION": True,
            "FERNET_KEY": keys["fernet_key"],
            "SIMPLE_AUTH_MANAGER_ALL_ADMINS": True,  # the API server listens on loopback alone
            "EXECUTION_API_SERVER_URL": f"{api}/execution/",
        },
        "DATABASE": {
            "SQL_ALCHEMY_CONN": database_url(layout, ports),
        },
        "API": {
            "HOST": "127.0.0.1",
            "PORT": ports["airflow"],
            "BASE_URL": api,
            "SECRET_KEY": keys["secret_key"],
            "WORKERS": 1,
            "EXPOSE_CONFIG": False,
            "MAXIMUM_PAGE_LIMIT": MOST_PER_PAGE,
        },
        "API_AUTH": {"JWT_SECRET": keys["jwt_secret"]},
        "LOGGING": {"BASE_LOG_FOLDER": layout.airflow_home / "logs", "COLORED_CONSOLE_LOG": False},
        "SCHEDULER": {
            # A laptop's user waits for each task: look for the next one often, and for lost ones soon.
            "SCHEDULER_IDLE_SLEEP_TIME": 0.3,
            "SCHEDULER_HEARTBEAT_SEC": 2,
            "SCHEDULER_HEALTH_CHECK_THRESHOLD": 15,
            "ORPHANED_TASKS_CHECK_INTERVAL": 10,
            "TASK_INSTANCE_HEARTBEAT_SEC": 5,
            "TASK_INSTANCE_HEARTBEAT_TIMEOUT": 30,
            "TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 5,
            "ENABLE_HEALTH_CHECK": False,
        },
        # A file that changed is read at the next look all the same; the others took a fifth of a core.
        "DAG_PROCESSOR": {
            "REFRESH_INTERVAL": 10,
            "MIN_FILE_PROCESS_INTERVAL": 300,
            "PARSING_PROCESSES": 1,
            "DAG_FILE_PROCESSOR_TIMEOUT": PARSE_SECONDS + 60,
        },
        "TRIGGERER": {"CAPACITY": 100},
        "USAGE_DATA_COLLECTION": {"ENABLED": False},
    }
    if options.lineage:
        # Two processes that append to one file may tear each other's lines: a file an event, named after time and job.
        transport = {"type": "file", "log_file_path": str(layout.lineage / "event"), "debug_mode": True}
        sections["OPENLINEAGE"] = {
            "TRANSPORT": json.dumps(transport),
            "NAMESPACE": "stellar-etl-local",
            "EXECUTE_IN_THREAD": True,  # a process of its own for each event costs more than the event
        }
    configured = {
        f"AIRFLOW__{section}__{key}": str(value)
        for section, values in sections.items()
        for key, value in values.items()
    }
    google = {
        "conn_type": "google_cloud_platform",
        "extra": {"project": PROJECT, "is_anonymous": True, "num_retries": 1},
    }
    kubernetes = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(layout.kubeconfig)}}
    return {
        **base_environment(inherited),
        **emulator_hosts({**ports, **options.proxies}),
        **configured,
        **secrets_backend(inherited),
        "AIRFLOW_HOME": str(layout.airflow_home),
        "AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION": json.dumps(google),
        "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(kubernetes),
        "STELLAR_ETL_SCHEDULE": options.schedule,
        "STELLAR_ETL_START_DATE": options.start_date,
        "STELLAR_ETL_END_DATE": options.end_date,
        # What passed while a DAG was paused is not made up for on a laptop: backfills are asked for.
        "STELLAR_ETL_CATCHUP": "false",
        # Deadlines count from intervals, and the sample's lie in the past.
        "STELLAR_ETL_DEADLINE_SECONDS": str(10 * 365 * 24 * 3600),
    }
