"""Cloud Storage on a laptop: gcp-storage-emulator, made to survive a kill and to keep content byte for byte.

``python -m local.bucket --port P --root DIR --bucket NAME`` serves the JSON API of Cloud Storage on 127.0.0.1. The
object ``o`` of bucket ``b`` is the file ``DIR/gcs/b/o``, where the local warehouse reads it too. Files that lie there
when the server starts are objects, however they came.
"""

from __future__ import annotations

import argparse
import json
import logging
import mimetypes
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gcp_storage_emulator import server, storage
from gcp_storage_emulator.handlers import buckets, objects

Resource = dict[str, Any]
PARTIAL = "_partial"
"""Folder of files that are being written; a bucket's name cannot begin so."""


class WholeFiles(storage._FileStore):  # type: ignore[misc]
    """Files that appear under their name when they are complete; the emulator writes them in place."""

    def write_bytes(self, rel: str, content: bytes) -> None:
        """Write beside the file, then put it in its place in one step."""
        path = self._disk_path(rel)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial_file = self._root / PARTIAL / f"{os.getpid()}-{threading.get_ident()}"
        partial_file.parent.mkdir(exist_ok=True)
        partial_file.write_bytes(content)
        partial_file.replace(path)


class FolderStorage(storage.Storage):  # type: ignore[misc]
    """The emulator's storage, with metadata that is checked against the files when it starts."""

    def __init__(self, root: Path) -> None:
        """Open the buckets below ``root / "gcs"``."""
        self._data_dir = str(root)
        self._use_memory_fs = False
        self.project_number = "1"
        self.folder = root / "gcs"
        self._store = WholeFiles(use_memory=False, root=self.folder)
        shutil.rmtree(self.folder / PARTIAL, ignore_errors=True)  # what a killed server was writing
        self._read_config_from_file()
        self._follow_files()

    def create_file(
        self, bucket_name: str, file_name: str, content: bytes, file_obj: Resource, file_id: str | None = None
    ) -> None:
        """Store an object; its file gets the generation as its time, which ties content and metadata together."""
        super().create_file(bucket_name, file_name, content, file_obj, file_id)
        generation = int(file_obj["generation"])
        os.utime(self._store._disk_path(self._object_path(bucket_name, file_name)), ns=(generation, generation))

    def _bucket_soft_delete_retention_seconds(self, _bucket_name: str) -> int:
        """Keep no deleted object: there is no one to restore it, and each would be copied."""
        return 0

    def _follow_files(self) -> None:
        """Make the metadata that of the files: a kill can come between the two, and files can come from elsewhere."""
        for bucket in sorted(path.name for path in self.folder.iterdir() if path.is_dir()):
            if bucket.startswith(("_", ".")):  # the emulator's own folders; no bucket is called so
                continue
            if bucket not in self.buckets:
                buckets.create_bucket(bucket, self)
            known = self.objects.get(bucket, {})
            self.objects[bucket] = {
                name: _as_of_file(bucket, name, path, known.get(name))
                for name, path in _files_below(self.folder / bucket)
            }
        self._write_config_to_file()


def _files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _as_of_file(bucket: str, name: str, path: Path, known: Resource | None) -> Resource:
    """The metadata of a file's content: the known one if it was written with it, else computed anew."""
    stat = path.stat()
    if known is not None and (known["generation"], known["size"]) == (str(stat.st_mtime_ns), str(stat.st_size)):
        return known
    content = path.read_bytes()
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    resource: Resource = objects._make_object_resource("", bucket, name, kind, str(len(content)))
    resource["generation"] = str(stat.st_mtime_ns)
    objects._checksums(content, resource)
    return resource


def make_object_resource(original: Callable[..., Resource], *arguments: Any, **keywords: Any) -> Resource:
    """Leave out ``mediaLink``, so that clients make the address of the content themselves.

    The emulator's has the port of today in it, and the object's name unquoted, where ``%3A`` would be a colon.
    """
    resource = original(*arguments, **keywords)
    del resource["mediaLink"]
    return resource


def read_data(original: Callable[..., Any], handler: Any, query: dict[str, list[str]]) -> Any:
    """Take an upload's two parts out of its body as they are.

    The emulator parses them as an e-mail: 40 MB/s where this does 240, with twice the memory.
    """
    content_type = handler.headers.get("Content-Type") or ""
    if not content_type.startswith("multipart/related"):
        return original(handler, query)
    body = server._decode_raw_data(server._read_raw_data(handler), handler)
    _, _, boundary = content_type.partition("boundary=")
    delimiter = b"--" + boundary.split(";")[0].strip(" '\"").encode()
    first = body.index(delimiter) + len(delimiter)
    second = body.index(b"\r\n" + delimiter, first)
    end = body.rindex(b"\r\n" + delimiter + b"--")
    _, _, metadata = body[first:second].partition(b"\r\n\r\n")
    headers, _, content = body[second + 2 + len(delimiter) : end].partition(b"\r\n\r\n")
    kinds = [line for line in headers.decode().splitlines() if line.lower().startswith("content-type:")]
    return {
        "meta": json.loads(metadata),
        "content": content,
        "content-type": kinds[0].partition(":")[2].strip() if kinds else "application/octet-stream",
    }


Handler = Callable[[Any, Any, FolderStorage], None]


def one_at_a_time(routes: Any) -> tuple[tuple[str, dict[str, Handler]], ...]:
    """Let requests be read and answered side by side, but touch the storage one at a time.

    The emulator reads, works and answers in one thread, so that one slow client stops all others.
    """
    lock = threading.Lock()

    def locked(handler: Handler) -> Handler:
        def serve(request: Any, response: Any, folder: FolderStorage) -> None:
            _ = request.data  # read from the client before the lock is taken
            with lock:
                handler(request, response, folder)

        return serve

    return tuple((path, {method: locked(handler) for method, handler in handlers.items()}) for path, handlers in routes)


def correct_emulator() -> None:
    """Change the emulator in this process; call it once."""
    objects._make_object_resource = partial(make_object_resource, objects._make_object_resource)
    server._read_data = partial(read_data, server._read_data)
    server.HANDLERS = one_at_a_time(server.HANDLERS)


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
    parser.add_argument("--bucket", required=True, metavar="NAME", help="bucket to make if it is missing")
    arguments = parser.parse_args(argv)

    logging.basicConfig(level=logging.CRITICAL)  # the emulator logs each object that is not found as an error
    correct_emulator()
    folder = FolderStorage(arguments.root.resolve())
    buckets.create_bucket(arguments.bucket, folder)
    try:
        httpd = ThreadingHTTPServer(("127.0.0.1", arguments.port), partial(server.RequestHandler, folder))
    except OSError as error:
        parser.error(f"--port {arguments.port}: cannot listen there: {error.strerror}")
    with httpd:
        print(f"gs://{arguments.bucket} on http://127.0.0.1:{httpd.server_port}", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            httpd.serve_forever()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
