"""Command line of the local warehouse."""

from __future__ import annotations

import argparse
import socket
import sys
import warnings
from pathlib import Path


def main(argv: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        argv: Arguments without the program's name; the process's own when None.
    """
    parser = argparse.ArgumentParser(
        prog="python -m local.warehouse",
        description="BigQuery's REST API on 127.0.0.1, with tables in a folder.",
        epilog="Clients find it by BIGQUERY_EMULATOR_HOST=http://127.0.0.1:PORT (the scheme is needed).",
    )
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--data-dir", type=Path, required=True, metavar="DIR", help="where tables are kept")
    parser.add_argument("--gcs-root", type=Path, required=True, metavar="DIR", help="gs://b/o is read from DIR/b/o")
    parser.add_argument(
        "--answer-after",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="how long a request that starts a job waits for the job's end (default: 2; BigQuery does not wait)",
    )
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="warning",
        help="default: warning",
    )
    arguments = parser.parse_args(argv)

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", arguments.port))
        except OSError as error:
            parser.error(f"--port {arguments.port}: cannot listen there: {error.strerror}")

    # Imported late: --help and usage errors need neither DuckDB nor the emulator.
    import duckdb
    from bqemulator.config import LogFormat, LogLevel, PersistenceMode, Settings
    from bqemulator.observability.logging_ import configure_logging

    log_level = LogLevel(arguments.log_level)
    configure_logging(level=log_level, fmt=LogFormat.CONSOLE)  # before the imports below: they log

    # DuckDB 2 advises against the call that bqemulator fetches results by.
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
    from bqemulator.server import run_forever

    from local.warehouse import corrections, jobs

    arguments.data_dir.mkdir(parents=True, exist_ok=True)
    arguments.gcs_root.mkdir(parents=True, exist_ok=True)
    jobs.answer_after = arguments.answer_after
    corrections.apply()
    settings = Settings(
        rest_host="127.0.0.1",
        rest_port=arguments.port,
        grpc_host="127.0.0.1",
        grpc_port=0,
        persistence_mode=PersistenceMode.PERSISTENT,
        data_dir=arguments.data_dir,
        gcs_local_root=arguments.gcs_root,
        enable_format_extensions=False,  # they are downloaded at start
        query_cache_ttl_seconds=0,
        log_level=log_level,
        log_format=LogFormat.CONSOLE,
    )
    try:
        run_forever(settings)
    except duckdb.IOException as error:
        sys.exit(f"--data-dir {arguments.data_dir}: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    main()
