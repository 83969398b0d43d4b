"""Command line of the local bucket."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

from gcp_storage_emulator import server
from gcp_storage_emulator.handlers import buckets

from local.bucket import corrections, lifecycle
from local.bucket.folder import FolderStorage


def main(argv: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        argv: Arguments without the program's name; the process's own when None.
    """
    parser = argparse.ArgumentParser(
        prog="python -m local.bucket",
        description="Cloud Storage's JSON API on 127.0.0.1, with objects as files.",
        epilog="Clients find it by STORAGE_EMULATOR_HOST=http://127.0.0.1:PORT (the scheme is needed).",
    )
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument(
        "--root", type=Path, required=True, metavar="DIR", help="object o of bucket b is the file DIR/gcs/b/o"
    )
    parser.add_argument("--bucket", required=True, metavar="NAME", help="bucket to create if it is missing")
    parser.add_argument(
        "--delete-after", type=int, metavar="DAYS", help="give that bucket a lifecycle rule that deletes old objects"
    )
    arguments = parser.parse_args(argv)

    logging.basicConfig(level=logging.CRITICAL)  # the emulator logs each missing object as an error
    corrections.apply()
    folder = FolderStorage(arguments.root.resolve())
    buckets.create_bucket(arguments.bucket, folder)
    if arguments.delete_after:
        lifecycle.delete_after(folder, arguments.bucket, arguments.delete_after)
    try:
        httpd = ThreadingHTTPServer(("127.0.0.1", arguments.port), partial(server.RequestHandler, folder))
    except OSError as error:
        parser.error(f"--port {arguments.port}: cannot listen there: {error.strerror}")
    with httpd:
        print(f"gs://{arguments.bucket} on http://127.0.0.1:{httpd.server_port}", flush=True)
        lifecycle.apply_in_background(folder)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            httpd.serve_forever()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
