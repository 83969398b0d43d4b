"""The local cluster's server: `python -m local.cluster --root DIR --images FILE --port N --token-file FILE`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from local.cluster.api import LARGEST_OBJECT, Api, needs_token, refusals
from local.cluster.control import Control
from local.cluster.images import ImagesError, read_images
from local.cluster.kubelet import SHUTDOWN_GRACE, Kubelet
from local.cluster.stopping import stop_containers
from local.cluster.store import Store
from local.cluster.supervisor import write_whole

HOST = "127.0.0.1"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.cluster",
        description="The part of the Kubernetes API that Airflow's pod operator uses; each container is a local "
        "process. Loopback only. Pods outlive a server that is killed; SIGTERM stops all pods.",
    )
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of the pods")
    parser.add_argument("--images", type=Path, metavar="FILE", help="JSON file that maps images to local programs")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="default: a free port")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file with the bearer token of clients")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="write a kubeconfig of the server to FILE")
    parser.add_argument(
        "--lag", type=float, default=0.7, metavar="S", help="delay of status reports in seconds (default 0.7)"
    )
    parser.add_argument("--stop-pods", action="store_true", help="stop all pods below --root, without a server")
    return parser


class TokenError(ValueError):
    """A token file is empty: the server would run commands for anyone who can reach it."""


def read_token(path: Path) -> str:
    """The token in a file.

    Raises:
        TokenError: the file is empty.
    """
    token = path.read_text().strip()
    if not token:
        raise TokenError(f"{path} is empty: write a token into it")
    return token


def kubeconfig(port: int, token: str) -> dict[str, object]:
    """Return a client's configuration for `kubectl` and Airflow."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "local",
        "clusters": [{"name": "local", "cluster": {"server": f"http://{HOST}:{port}"}}],
        "users": [{"name": "local", "user": {"token": token}}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local", "namespace": "default"}}],
    }


async def serve(arguments: argparse.Namespace, token: str) -> None:
    """Serve until SIGTERM or SIGINT, then stop all pods."""
    arguments.root.mkdir(parents=True, exist_ok=True)
    store = Store(arguments.root)
    kubelet = Kubelet(store, read_images(arguments.images), arguments.lag)
    app = web.Application(middlewares=[needs_token(token), refusals], client_max_size=LARGEST_OBJECT)
    Api(store, kubelet).add_routes(app.router)
    Control(store, kubelet).add_routes(app.router)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, HOST, arguments.port)
    await site.start()
    port = runner.addresses[0][1]
    if arguments.kubeconfig:
        write_whole(arguments.kubeconfig, json.dumps(kubeconfig(port, token)))
    kubelet.recover()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(f"serving on http://{HOST}:{port}", flush=True)
    await stop.wait()
    await kubelet.close()
    await runner.cleanup()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server; exit with status 1 and one line if it can't start."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.stop_pods:
        stopped = stop_containers(arguments.root, SHUTDOWN_GRACE)
        print(f"stopped {stopped} containers")
        return 0
    if arguments.images is None or arguments.token_file is None:
        parser.error("--images and --token-file are needed to serve")
    try:
        asyncio.run(serve(arguments, read_token(arguments.token_file)))
    except (ImagesError, TokenError, OSError) as error:
        print(f"local.cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
