"""Command line of the local Dataflow."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from local.dataflow.api import Api, recording, refusals
from local.dataflow.jobs import Jobs
from local.recording import recorder_of


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM, which end the jobs too.

    Args:
        argv: arguments without the program's name; the process's own when None.
    """
    parser = argparse.ArgumentParser(
        prog="python -m local.dataflow",
        description="Dataflow's REST API on 127.0.0.1; each job runs the outbound exports' pipeline in a process.",
    )
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of jobs, logs and metrics")
    parser.add_argument(
        "--flexrs-seconds", type=float, default=5.0, metavar="S", help="seconds that FlexRS jobs are queued (default 5)"
    )
    arguments = parser.parse_args(argv)

    recorder = recorder_of("dataflow")
    middlewares = [*([recording(recorder)] if recorder else []), refusals]
    jobs = Jobs(arguments.root.resolve(), os.environ, arguments.flexrs_seconds)
    app = web.Application(middlewares=middlewares)
    Api(jobs).add_routes(app.router)

    async def stop(_app: web.Application) -> None:
        jobs.stop()

    app.on_cleanup.append(stop)
    web.run_app(app, host="127.0.0.1", port=arguments.port, print=None)


if __name__ == "__main__":
    main()
