"""All changes of gcp-storage-emulator: the functions that replace its own, and the reasons."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from typing import Any

from gcp_storage_emulator import server, settings
from gcp_storage_emulator.handlers import buckets, objects

from local.bucket.content import Content, Received, digest_of
from local.bucket.folder import FolderStorage
from local.bucket.metadata import Resource
from local.bucket.uploads import body, multipart
from local.recording import Recorder, parsed_query, recorder_of

Handler = Callable[[Any, Any, FolderStorage], None]
Routes = tuple[tuple[str, dict[str, Handler]], ...]

UPLOADS = rf"^/resumable{settings.UPLOAD_API_ENDPOINT}/b/(?P<bucket_name>[-.\w]+)/o$"
"""gcloud's address of resumable uploads, from the API's description; Google's libraries use another one."""


def make_object_resource(original: Callable[..., Resource], *arguments: Any, **keywords: Any) -> Resource:
    """Omit ``mediaLink``, so that clients build the address of the content.

    The emulator's link contains the current port, and the object's name unquoted, so that ``%3A`` becomes a colon.
    """
    resource = original(*arguments, **keywords)
    del resource["mediaLink"]
    return resource


def read_data(original: Callable[..., Any], handler: Any, query: dict[str, list[str]]) -> Any:
    """Receive content in a file, unchanged. Other bodies are small: the emulator reads and parses them.

    Raises:
        ValueError: The body ends early, or is none of an upload.
    """
    content_type = handler.headers.get("Content-Type") or ""
    media = query.get("uploadType") == ["media"]
    is_json = content_type.startswith("application/json") and "upload_id" not in query and not media
    if is_json or content_type.startswith("multipart/mixed"):
        return original(handler, query)
    folder: FolderStorage = handler.storage
    if content_type.startswith("multipart/related"):
        upload = multipart(body(handler), content_type)
        content = folder.receive(upload.content)
        return {"meta": upload.metadata, "content": content, "content-type": upload.content_type}
    if "Transfer-Encoding" in handler.headers or int(handler.headers.get("Content-Length") or 0):
        return folder.receive(body(handler))
    return b"" if media else None


class Response(server.Response):  # type: ignore[misc]
    """A response that sends content from its file; the emulator would read it into memory."""

    def write_file(self, content: Content, content_type: str | None = "application/octet-stream") -> None:
        """Open the file: until the response is sent, another request can replace or delete it."""
        super().write_file(content, content_type)
        self._files = content.open()

    def close(self) -> None:
        """Send the response."""
        if not isinstance(self._content, Content):
            super().close()
            return
        self._handler.send_response(self.status.value, self.status.phrase)
        for name, value in {**self._headers, "Content-Length": str(len(self._content))}.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()
        with contextlib.ExitStack() as opened:
            for file, part in [(opened.enter_context(file), part) for file, part in self._files]:
                self._handler.connection.sendfile(file, part.start, part.end - part.start)


def streamed_response(_original: Callable[..., Any], handler: Any) -> Response:
    """Return the response to a request."""
    return Response(handler)


def checksums_of(_original: Any, content: bytes | Content, resource: Resource) -> Resource:
    """Add the checksums of content, and compare them with the client's.

    Raises:
        Conflict: The client's checksum differs.
    """
    digest = digest_of(content)
    computed = {"crc32c": digest.crc32c, "md5Hash": digest.md5}
    for key, value in computed.items():
        if resource.get(key) not in (None, "", value):
            raise objects.Conflict(f'Provided {key} "{resource[key]}" doesn\'t match calculated {key} "{value}".')
    resource |= computed
    resource["etag"] = resource.get("etag") or computed["md5Hash"]
    return resource


def resumable_incomplete(_original: Any, response: Any, folder: FolderStorage, upload_id: str, **_: Any) -> None:
    """Report the progress of an upload; without a ``Range`` if nothing has arrived: the emulator reports one byte."""
    response.status = objects.GoogleHTTPStatus.RESUME_INCOMPLETE
    if arrived := folder.get_resumable_byte_count(upload_id):
        response["Range"] = f"bytes=0-{arrived - 1}"


def upload_partial(original: Callable[..., None], request: Any, response: Any, folder: FolderStorage) -> None:
    """Return the object to a client that asks about a finished upload, which the emulator has forgotten."""
    finished = folder.finished.get(request.query["upload_id"][0])
    if finished is None:
        original(request, response, folder)
    else:
        response.json(finished)


def insert_bucket(_original: Callable[..., None], request: Any, response: Any, folder: FolderStorage) -> None:
    """Create a bucket with the client's properties, such as lifecycle rules; the emulator stores only its name."""
    name = request.data.get("name")
    if not name:
        response.status, body = HTTPStatus.BAD_REQUEST, buckets.BAD_REQUEST
    elif bucket := buckets.create_bucket(name, folder):
        body = buckets._patch_bucket(bucket, request.data)
        folder.create_bucket(name, body)
    else:
        response.status, body = HTTPStatus.CONFLICT, buckets.CONFLICT
    response.json(body)


def named_objects(request: Any) -> Iterator[tuple[str, str]]:
    """Return the objects that a request names, as bucket and name."""
    items = request.data if isinstance(request.data, list) else []  # a batch
    for params in (request.params or {}, *items):
        for side in ("", "dest_"):
            if params.get(f"{side}object_id"):
                yield params[f"{side}bucket_name"], params[f"{side}object_id"]
    if isinstance(request.data, dict):  # a composition
        for source in request.data.get("sourceObjects", ()):
            yield request.params["bucket_name"], source["name"]


def see_files(request: Any, folder: FolderStorage) -> None:
    """Read the files of a request's objects: other processes can have changed them."""
    params = request.params or {}
    folder.see_buckets()
    # A list of objects needs all files, and so does the deletion of a bucket, which must be empty; an upload needs
    # none.
    if "bucket_name" in params and "object_id" not in params and request.method in ("GET", "DELETE"):
        folder.see_objects(params["bucket_name"], request.query.get("prefix", [""])[0])
    for bucket, name in named_objects(request):
        folder.see_object(bucket, name)


def record(recorder: Recorder, request: Any) -> None:
    """Pass a request to the recorder, an upload without its content."""
    data: Any = request.data
    media: int | None = None
    if isinstance(data, dict) and "content" in data:
        data, media = data["meta"], len(data["content"])
    elif isinstance(data, bytes | Content):
        data, media = None, len(data)
    query = parsed_query(request.full_url.partition("?")[2])
    recorder.record(request.method, request.path, query, data, media)


def discard(data: Any) -> None:
    """Delete the received content of a request that did not become an object."""
    content = data.get("content") if isinstance(data, dict) else data
    if isinstance(content, Received):
        content.discard()


def one_at_a_time(routes: Routes) -> Routes:
    """Read and answer requests in parallel, but access the storage one at a time.

    The emulator reads, works and answers in one thread, so that a slow client blocks all others.
    """
    lock, recorder = threading.Lock(), recorder_of("bucket")

    def locked(handler: Handler) -> Handler:
        def serve(request: Any, response: Any, folder: FolderStorage) -> None:
            try:
                _ = request.data  # read from the client before taking the lock
            except ValueError as error:
                response.status = HTTPStatus.BAD_REQUEST
                response.json({"error": {"code": 400, "message": f"the body cannot be read: {error}"}})
                return
            try:
                if recorder is not None:
                    record(recorder, request)
                with lock:
                    see_files(request, folder)
                    handler(request, response, folder)
            finally:
                discard(request.data)

        return serve

    return tuple((path, {method: locked(handler) for method, handler in handlers.items()}) for path, handlers in routes)


CORRECTIONS: list[tuple[Any, str, Callable[..., Any]]] = [
    (objects, "_make_object_resource", make_object_resource),
    (objects, "_checksums", checksums_of),
    (buckets, "insert", insert_bucket),
    (objects, "_resumable_incomplete", resumable_incomplete),
    (objects, "upload_partial", upload_partial),
    (server, "_read_data", read_data),
    (server, "Response", streamed_response),
]
"""Owner, name of the function, and its replacement, which gets the original as first argument."""


def apply() -> None:
    """Change the emulator in this process; call it once."""
    for owner, name, correction in CORRECTIONS:
        setattr(owner, name, partial(correction, getattr(owner, name)))
    uploads: dict[str, Handler] = {"POST": objects.insert, "PUT": objects.upload_partial}
    buckets_of_all: dict[str, Handler] = {"GET": buckets.ls, "POST": buckets.insert}
    routes = tuple((path, _corrected(handlers, uploads, buckets_of_all)) for path, handlers in server.HANDLERS)
    server.HANDLERS = one_at_a_time(((UPLOADS, uploads), *routes))


def _corrected(
    handlers: dict[str, Handler], uploads: dict[str, Handler], buckets_of_all: dict[str, Handler]
) -> dict[str, Handler]:
    """The handlers of an address: the emulator's table contains its own functions, not their replacements."""
    if handlers.get("GET") is buckets.ls:
        return buckets_of_all
    return uploads if handlers.get("POST") is objects.insert and "PUT" in handlers else handlers
