"""Objects as files: the files are authoritative, and each request updates the metadata from them."""

from __future__ import annotations

import json
import mimetypes
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from gcp_storage_emulator import storage
from gcp_storage_emulator.exceptions import BadRequest, NotFound
from gcp_storage_emulator.handlers import buckets, objects

from local.bucket.content import Content, Digest, Received, receive
from local.bucket.metadata import MetadataLog, Resource

PARTIAL = "_partial"
"""Folder of unfinished files; a bucket's name cannot begin with this character."""
METADATA = "_metadata/objects.ndjson"
"""The file of the objects' metadata."""


class WholeFiles(storage._FileStore):  # type: ignore[misc]
    """Files that appear under their name only when they are complete; the emulator writes them in place."""

    def write_bytes(self, rel: str, content: bytes | Content) -> None:
        """Write a temporary file, then rename it in one step. Received content is moved, not copied."""
        path = self._disk_path(rel)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, Received):
            blocks = content.blocks() if isinstance(content, Content) else [content]
            content = receive(blocks, self._root / PARTIAL)
        content.path.replace(path)


class FolderStorage(storage.Storage):  # type: ignore[misc]
    """The emulator's storage on a folder that other processes can write too."""

    def __init__(self, root: Path) -> None:
        """Open the buckets below ``root / "gcs"``."""
        self._data_dir = str(root)
        self._use_memory_fs = False
        self.project_number = "1"
        self.folder = root / "gcs"
        self._store = WholeFiles(use_memory=False, root=self.folder)
        shutil.rmtree(self.folder / PARTIAL, ignore_errors=True)  # unfinished files of a killed server
        self._log = MetadataLog(self.folder / METADATA)
        self._read_config_from_file()
        self.finished: dict[str, Resource] = {}
        """The objects of finished resumable uploads, by upload id: a client that lost the response asks again."""
        self._digests: dict[str, Digest] = {}
        """The checksums of the received bytes of unfinished resumable uploads, by upload id."""

    def receive(self, blocks: Iterable[bytes]) -> Received:
        """Write content that a client sends to a temporary file."""
        return receive(blocks, self.folder / PARTIAL)

    def get_file(self, bucket_name: str, file_name: str, show_error: bool = True) -> Content:  # noqa: ARG002 unused
        """Return an object's content; the emulator would read it into memory.

        Raises:
            NotFound: There is no such file.
        """
        try:
            return Content.of(self._store._disk_path(self._object_path(bucket_name, file_name)))
        except FileNotFoundError:
            raise NotFound from None

    # Metadata --------------------------------------------------------------------------------------------------

    def _read_config_from_file(self) -> None:
        super()._read_config_from_file()
        for bucket, named in self._log.read().items():
            self.objects.setdefault(bucket, {}).update(named)
        self._log.rewrite(self.objects)
        self._write_config_to_file()

    def _write_config_to_file(self) -> None:
        """Write everything but the objects' metadata: the emulator would write it with each change of one object."""
        kept = ("buckets", "resumable", "bucket_iam_policies")
        self._store.write_bytes(".meta", json.dumps({name: getattr(self, name) for name in kept}).encode())

    def patch_object(self, bucket_name: str, file_name: str, file_obj: Resource) -> None:
        """Replace an object's metadata."""
        super().patch_object(bucket_name, file_name, file_obj)
        self._log.add(bucket_name, file_name, self.objects)

    def _hard_delete_file(self, bucket_name: str, file_name: str) -> None:
        super()._hard_delete_file(bucket_name, file_name)
        self._log.add(bucket_name, file_name, self.objects)

    # Changes of other processes -------------------------------------------------------------------------------

    def see_buckets(self) -> None:
        """Make each folder a bucket."""
        for path in sorted(self.folder.iterdir()):
            # The emulator's own folders begin with this; no bucket's name does.
            if path.is_dir() and not path.name.startswith(("_", ".")) and path.name not in self.buckets:
                buckets.create_bucket(path.name, self)

    def see_objects(self, bucket: str, prefix: str = "") -> None:
        """Update the metadata of all objects below a prefix from their files."""
        self.see_buckets()
        if bucket not in self.buckets:
            return
        top = self.folder / bucket
        known = self.objects.setdefault(bucket, {})
        within = prefix.rpartition("/")[0]
        start = top / within if ".." not in within.split("/") else top
        names = {path.relative_to(top).as_posix() for path in start.rglob("*")} | set(known)
        for name in names:
            if name.startswith(prefix):
                self._see(bucket, name)

    def see_object(self, bucket: str, name: str) -> None:
        """Update the metadata of one object from its file."""
        self.see_buckets()
        if bucket in self.buckets:
            self._see(bucket, name)

    def _see(self, bucket: str, name: str) -> None:
        known = self.objects.setdefault(bucket, {})
        try:
            path = self._store._disk_path(self._object_path(bucket, name))
            resource = _as_of_file(bucket, name, path, known.get(name)) if path.is_file() else None
        except (FileNotFoundError, ValueError):  # deleted in between; or a name with "..", which no file can have
            resource = None
        if resource is None:
            known.pop(name, None)
        else:
            known[name] = resource

    # Uploads of clients ----------------------------------------------------------------------------------------

    def create_file(
        self,
        bucket_name: str,
        file_name: str,
        content: bytes | Content,
        file_obj: Resource,
        file_id: str | None = None,
    ) -> None:
        """Store an object; its file gets the generation as its time, which links content and metadata."""
        super().create_file(bucket_name, file_name, content, file_obj, file_id)
        generation = int(file_obj["generation"])
        os.utime(self._store._disk_path(self._object_path(bucket_name, file_name)), ns=(generation, generation))
        self._log.add(bucket_name, file_name, self.objects)
        if file_id is not None:
            self.finished[file_id] = file_obj

    def get_resumable_byte_count(self, file_id: str) -> int:
        """Return the number of received bytes of a resumable upload."""
        path = self._session(file_id)
        return path.stat().st_size if path.exists() else 0

    def add_to_resumable_upload(
        self, file_id: str, content: bytes | Content, total_size: int | None = None, expected_start: int | None = None
    ) -> Received | None:
        """Append a chunk to the file of a resumable upload; the emulator would read and write the whole file again.

        Args:
            file_id: The upload's id.
            content: The chunk.
            total_size: The object's size in bytes, None as long as the client does not know it.
            expected_start: The offset of the chunk.

        Returns:
            The content once it is complete, None before.

        Raises:
            BadRequest: The chunk does not begin where the last one ended, or it exceeds the object's size.
        """
        arrived = self.get_resumable_byte_count(file_id)
        if expected_start is not None and expected_start != arrived:
            raise BadRequest(
                f"Invalid Content-Range: {arrived} bytes have arrived, and the chunk begins at {expected_start}"
            )
        size = arrived + len(content)
        if total_size is not None and size > total_size:
            raise BadRequest(f"Invalid Content-Range: {size} bytes for an object of {total_size}")
        path = self._session(file_id)
        digest = self._append(path, content, self._digests.pop(file_id, None))
        if size == total_size:
            return Received(path, digest)
        self._digests[file_id] = digest
        return None

    def _append(self, path: Path, content: bytes | Content, digest: Digest | None) -> Digest:
        """Append a chunk to a file; return the checksums of all of it.

        Args:
            path: the file, which the first chunk creates.
            content: the chunk.
            digest: the checksums of the file, None if they are unknown, as after a restart.
        """
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, Received) and not path.exists():
            content.path.replace(path)
            return content.digest
        with path.open("ab") as file:
            digest = digest or Digest(Content.of(path).blocks())
            for block in content.blocks() if isinstance(content, Content) else [content]:
                file.write(block)
                digest.update(block)
        return digest

    def _session(self, file_id: str) -> Path:
        """The file of a resumable upload."""
        path: Path = self._store._disk_path(self._object_path(storage.RESUMABLE_DIR, self.safe_id(file_id)))
        return path

    def _bucket_soft_delete_retention_seconds(self, _bucket_name: str) -> int:
        """Keep no deleted object: nothing restores it, and each would be copied."""
        return 0


def _as_of_file(bucket: str, name: str, path: Path, known: Resource | None) -> Resource:
    """Return the metadata of a file's content: the stored one if it belongs to the file, otherwise computed."""
    stat = path.stat()
    if known is not None and (known["generation"], known["size"]) == (str(stat.st_mtime_ns), str(stat.st_size)):
        return known
    content = Content.of(path)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    resource: Resource = objects._make_object_resource("", bucket, name, kind, str(len(content)))
    resource["generation"] = str(stat.st_mtime_ns)
    objects._checksums(content, resource)
    return resource
