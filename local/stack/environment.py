"""The environment variables of the stack's processes. Pure."""

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
"""Concurrent tasks: on two cores more of them only wait for each other."""
MOST_PER_PAGE = 1000
"""Entries in one response of Airflow's REST API."""

PARSE_SECONDS = 240
"""The import time-out of DAG files: Airflow's 30 s are too short on a busy laptop."""


PROXIES = ("http_proxy", "https_proxy", "all_proxy")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def bin_folder() -> str:
    """The folder of the environment's programs."""
    return str(Path(sys.executable).parent)


def with_direct_loopback(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which no program uses a proxy for servers on this machine.

    Programs read these variables in lower case, in upper case, or both.
    """
    proxies = {name: inherited.get(name) or inherited.get(name.upper(), "") for name in (*PROXIES, "no_proxy")}
    apart = [part for part in proxies["no_proxy"].split(",") if part]
    proxies["no_proxy"] = ",".join([*apart, *(host for host in LOOPBACK if host not in apart)])
    given = {name: value for name, value in proxies.items() if value}
    return {**inherited, **given, **{name.upper(): value for name, value in given.items()}}


def proxy_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's proxies, for programs and pods that use remote servers."""
    names = {name for lower in (*PROXIES, "no_proxy") for name in (lower, lower.upper())}
    return {key: value for key, value in with_direct_loopback(inherited).items() if key in names}


def base_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The parts of the caller's environment that programs need; nothing of Airflow, Google or Kubernetes."""
    # A proxy that inspects TLS replaces certificates by those of its own authority.
    authorities = ("SSL_CERT_FILE", "SSL_CERT_DIR")
    names = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", *authorities, RECORD_VARIABLE)
    kept = {key: inherited[key] for key in names if key in inherited}
    return {
        **kept,
        **proxy_environment(inherited),
        "PATH": os.pathsep.join([bin_folder(), inherited.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "dags")]),
        "PYTHONUNBUFFERED": "1",
        # On two cores more threads only wait for each other.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def secrets_backend(inherited: Mapping[str, str]) -> dict[str, str]:
    """The caller's secrets backend, which Airflow reads before Variables and connections of the stack."""
    return {key: value for key, value in inherited.items() if key.startswith("AIRFLOW__SECRETS__BACKEND")}


def emulator_hosts(ports: Mapping[str, int]) -> dict[str, str]:
    """The emulators' addresses for Google's clients; the scheme is required."""
    return {
        "BIGQUERY_EMULATOR_HOST": f"http://127.0.0.1:{ports['warehouse']}",
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{ports['bucket']}",
        "DATAFLOW_EMULATOR_HOST": f"http://127.0.0.1:{ports['dataflow']}",
    }


def database_url(layout: StackLayout, ports: Mapping[str, int]) -> str:
    """The URL of Airflow's database, with its password."""
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
        layout: the stack's paths.
        ports: the port of each service.
        options: the stack's options.
        keys: its secrets.
        inherited: the caller's environment.
    """
    api = f"http://127.0.0.1:{ports['airflow']}"
    sections: dict[str, dict[str, object]] = {
        "CORE": {
            "DAGBAG_IMPORT_TIMEOUT": PARSE_SECONDS,
            "DAGS_FOLDER": options.dags,
            "PLUGINS_FOLDER": REPO / "plugins",
            "EXECUTOR": "LocalExecutor",
            "PARALLELISM": PARALLELISM,
            "LOAD_EXAMPLES": False,
            "DAGS_ARE_PAUSED_AT_CREATION": True,
            "FERNET_KEY": keys["fernet_key"],
            "SIMPLE_AUTH_MANAGER_ALL_ADMINS": True,  # the API server listens only on loopback
            "EXECUTION_API_SERVER_URL": f"{api}/execution/",
        },
        "DATABASE": {
            "SQL_ALCHEMY_CONN": database_url(layout, ports),
            # Services start after the migration: each would compare the database with all files of migrations.
            "CHECK_MIGRATIONS": False,
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
            # A laptop's user waits for each task: schedule the next one quickly, and detect lost ones soon.
            "SCHEDULER_IDLE_SLEEP_TIME": 0.3,
            "SCHEDULER_HEARTBEAT_SEC": 2,
            "SCHEDULER_HEALTH_CHECK_THRESHOLD": 15,
            "ORPHANED_TASKS_CHECK_INTERVAL": 10,
            "TASK_INSTANCE_HEARTBEAT_SEC": 5,
            "TASK_INSTANCE_HEARTBEAT_TIMEOUT": 30,
            "TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 5,
            "ENABLE_HEALTH_CHECK": False,
        },
        # A changed file is still read at the next scan; unchanged ones would use a fifth of a core.
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
        # Two processes that append to one file can mix their lines: write one file per event, named after time and job.
        transport = {"type": "file", "log_file_path": str(layout.lineage / "event"), "debug_mode": True}
        sections["OPENLINEAGE"] = {
            "TRANSPORT": json.dumps(transport),
            "NAMESPACE": "stellar-etl-local",
            "EXECUTE_IN_THREAD": True,  # a separate process for each event costs more than the event
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
        # DAG files read this Variable. From Airflow's database it costs the DAG processor 5 s at its start, for an API
        # server of its own, and each task a request.
        "AIRFLOW_VAR_OWNER": json.loads((REPO / "airflow_variables.json").read_text())["owner"],
        "AIRFLOW_CONN_GOOGLE_CLOUD_PLATFORM_CONNECTION": json.dumps(google),
        "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(kubernetes),
        "STELLAR_ETL_SCHEDULE": options.schedule,
        "STELLAR_ETL_START_DATE": options.start_date,
        "STELLAR_ETL_END_DATE": options.end_date,
        # No catch-up on a laptop for intervals while a DAG was paused: users start backfills.
        "STELLAR_ETL_CATCHUP": "false",
        # Deadlines count from intervals, and the sample's are in the past.
        "STELLAR_ETL_DEADLINE_SECONDS": str(10 * 365 * 24 * 3600),
    }
