"""The one place where gcp-storage-emulator is changed: what stands where its own functions stood, and why."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from typing import Any

from gcp_storage_emulator import server, settings
from gcp_storage_emulator.handlers import objects

from local.bucket.folder import Content, FolderStorage, Resource, StoredContent, checksums
from local.bucket.uploads import multipart
from local.recording import Recorder, parsed_query, recorder_of

Handler = Callable[[Any, Any, FolderStorage], None]
Routes = tuple[tuple[str, dict[str, Handler]], ...]

UPLOADS = rf"^/resumable{settings.UPLOAD_API_ENDPOINT}/b/(?P<bucket_name>[-.\w]+)/o$"
"""Where gcloud begins resumable uploads, by the API's description; Google's libraries use the other address."""


def make_object_resource(original: Callable[..., Resource], *arguments: Any, **keywords: Any) -> Resource:
    """Leave out ``mediaLink``, so that clients make the address of the content themselves.

    The emulator's has the port of today in it, and the object's name unquoted, where ``%3A`` would be a colon.
    """
    resource = original(*arguments, **keywords)
    del resource["mediaLink"]
    return resource


def read_data(original: Callable[..., Any], handler: Any, query: dict[str, list[str]]) -> Any:
    """Take an upload's two parts out of its body as they are."""
    content_type = handler.headers.get("Content-Type") or ""
    if not content_type.startswith("multipart/related"):
        return original(handler, query)
    upload = multipart(server._decode_raw_data(server._read_raw_data(handler), handler) or b"", content_type)
    return {"meta": upload.metadata, "content": upload.content, "content-type": upload.content_type}


def checksums_of(_original: Any, content: Content | StoredContent, resource: Resource) -> Resource:
    """Compute the checksums of content block by block, and compare them with what the client said.

    Raises:
        Conflict: The client said another checksum.
    """
    computed = dict(zip(("crc32c", "md5Hash"), checksums(content), strict=True))
    for key, value in computed.items():
        if resource.get(key) not in (None, "", value):
            raise objects.Conflict(f'Provided {key} "{resource[key]}" doesn\'t match calculated {key} "{value}".')
    resource |= computed
    resource["etag"] = resource.get("etag") or computed["md5Hash"]
    return resource


def resumable_incomplete(_original: Any, response: Any, folder: FolderStorage, upload_id: str, **_: Any) -> None:
    """Say how far an upload has come; without a ``Range`` if nothing has arrived, where the emulator says one byte."""
    response.status = objects.GoogleHTTPStatus.RESUME_INCOMPLETE
    if arrived := folder.get_resumable_byte_count(upload_id):
        response["Range"] = f"bytes=0-{arrived - 1}"


def upload_partial(original: Callable[..., None], request: Any, response: Any, folder: FolderStorage) -> None:
    """Answer a client that asks about a finished upload with the object; the emulator knows it no more."""
    finished = folder.finished.get(request.query["upload_id"][0])
    if finished is None:
        original(request, response, folder)
    else:
        response.json(finished)


def named_objects(request: Any) -> Iterator[tuple[str, str]]:
    """The objects that a request names, as bucket and name."""
    items = request.data if isinstance(request.data, list) else []  # a batch
    for params in (request.params or {}, *items):
        for side in ("", "dest_"):
            if params.get(f"{side}object_id"):
                yield params[f"{side}bucket_name"], params[f"{side}object_id"]
    if isinstance(request.data, dict):  # a composition
        for source in request.data.get("sourceObjects", ()):
            yield request.params["bucket_name"], source["name"]


def see_files(request: Any, folder: FolderStorage) -> None:
    """Look at the files behind what a request asks for: other processes may have changed them."""
    params = request.params or {}
    folder.see_buckets()
    # A list of objects needs all of them, and so does the end of a bucket, which must be empty; an upload needs none.
    if "bucket_name" in params and "object_id" not in params and request.method in ("GET", "DELETE"):
        folder.see_objects(params["bucket_name"], request.query.get("prefix", [""])[0])
    for bucket, name in named_objects(request):
        folder.see_object(bucket, name)


def record(recorder: Recorder, request: Any) -> None:
    """Hand a request to the recorder, an upload without its content."""
    data: Any = request.data
    media: int | None = None
    if isinstance(data, dict) and "content" in data:
        data, media = data["meta"], len(data["content"])
    elif isinstance(data, bytes):
        data, media = None, len(data)
    query = parsed_query(request.full_url.partition("?")[2])
    recorder.record(request.method, request.path, query, data, media)


def one_at_a_time(routes: Routes) -> Routes:
    """Let requests be read and answered side by side, but touch the storage one at a time.

    The emulator reads, works and answers in one thread, so that one slow client stops all others.
    """
    lock, recorder = threading.Lock(), recorder_of("bucket")

    def locked(handler: Handler) -> Handler:
        def serve(request: Any, response: Any, folder: FolderStorage) -> None:
            try:
                _ = request.data  # read from the client before the lock is taken
            except ValueError as error:
                response.status = HTTPStatus.BAD_REQUEST
                response.json({"error": {"code": 400, "message": f"the body cannot be read: {error}"}})
                return
            if recorder is not None:
                record(recorder, request)
            with lock:
                see_files(request, folder)
                handler(request, response, folder)

        return serve

    return tuple((path, {method: locked(handler) for method, handler in handlers.items()}) for path, handlers in routes)


CORRECTIONS: list[tuple[Any, str, Callable[..., Any]]] = [
    (objects, "_make_object_resource", make_object_resource),
    (objects, "_checksums", checksums_of),
    (objects, "_resumable_incomplete", resumable_incomplete),
    (objects, "upload_partial", upload_partial),
    (server, "_read_data", read_data),
]
"""Owner, name of the function, and what runs in its place with the original as first argument."""


def apply() -> None:
    """Change the emulator in this process; call it once."""
    for owner, name, correction in CORRECTIONS:
        setattr(owner, name, partial(correction, getattr(owner, name)))
    uploads: dict[str, Handler] = {"POST": objects.insert, "PUT": objects.upload_partial}
    routes = tuple(
        (path, uploads if handlers.get("POST") is objects.insert and "PUT" in handlers else handlers)
        for path, handlers in server.HANDLERS
    )
    server.HANDLERS = one_at_a_time(((UPLOADS, uploads), *routes))
