"""A stand-in for `gcloud storage …` and `gsutil …` on the local bucket: `gcloud storage rsync -r A B`.

It reads and writes the emulator's objects over HTTP, one at a time. Each request is a step. Step FAIL_AT and all later
steps fail; with FAIL_FOR=1 only that step fails. With KILL set, it also kills the program's parent, the script under
test. With LOSE_REPLY the failing step takes effect first.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

import requests

from tests.scripts.programs import Call, FailedError

quote = lambda text: urllib.parse.quote(text, safe="")  # noqa: E731


class Storage:
    """The programs on an emulator.

    Attributes:
        environment: FAIL_AT, FAIL_FOR, KILL and LOSE_REPLY.
        steps: the number of steps so far.
    """

    def __init__(self, url: str) -> None:
        self.url, self.session = url, requests.Session()
        self.environment: Mapping[str, str] = {}
        self.steps, self.parent = 0, 0

    def begin(self, environment: Mapping[str, str]) -> None:
        """Count the steps of another run."""
        self.environment, self.steps = environment, 0

    def step(self) -> bool:
        """Count a step; return whether it must fail."""
        self.steps += 1
        at = int(self.environment.get("FAIL_AT", 0))
        return self.steps == at or (0 < at < self.steps and not self.environment.get("FAIL_FOR"))

    def ask(self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json") -> bytes:
        failing = self.step()
        if failing and not self.environment.get("LOSE_REPLY"):
            self.fail()
        headers = {} if body is None else {"Content-Type": content_type}
        response = self.session.request(method, self.url + path, data=body, headers=headers, timeout=20)
        if not response.ok:
            raise FailedError(f"ERROR: (storage) {method} {path}: {response.status_code}")
        if failing:
            self.fail()
        return response.content

    def fail(self) -> None:
        if self.environment.get("KILL"):
            os.kill(self.parent, signal.SIGKILL)
        raise FailedError("ERROR: (storage) HTTPError 503: Service Unavailable")

    def listed(self, url: str) -> dict[str, str]:
        """Return MD5 hashes by name, below a prefix."""
        bucket, prefix = split(url)
        answer = json.loads(self.ask("GET", f"/storage/v1/b/{quote(bucket)}/o?prefix={quote(prefix)}"))
        return {item["name"]: item["md5Hash"] for item in answer.get("items", [])}

    def get(self, bucket: str, name: str) -> bytes:
        return self.ask("GET", f"/storage/v1/b/{quote(bucket)}/o/{quote(name)}?alt=media")

    def put(self, bucket: str, name: str, content: bytes) -> None:
        """Upload as gcloud does: two parts whose lines end in LF, with the boundary between single quotes."""
        boundary = f"==============={hashlib.md5(content).hexdigest()}=="
        metadata = json.dumps({"name": name, "md5Hash": md5_of(content)})
        plain = "Content-Type: text/plain\nMIME-Version: 1.0\nContent-Transfer-Encoding: binary"
        parts = [
            f"--{boundary}\nContent-Type: application/json\nMIME-Version: 1.0\n\n{metadata}\n".encode(),
            f"--{boundary}\n{plain}\n\n".encode(),
            content,
            f"\n--{boundary}--\n".encode(),
        ]
        path = f"/upload/storage/v1/b/{quote(bucket)}/o?alt=json&uploadType=multipart"
        self.ask("POST", path, b"".join(parts), f"multipart/related; boundary={boundary!r}")

    def copy(self, bucket: str, name: str, to: str) -> None:
        path = f"/storage/v1/b/{quote(bucket)}/o/{quote(name)}/rewriteTo/b/{quote(bucket)}/o/{quote(to)}"
        self.ask("POST", path, b"{}")

    def delete(self, bucket: str, name: str) -> None:
        self.ask("DELETE", f"/storage/v1/b/{quote(bucket)}/o/{quote(name)}")

    def ls(self, url: str) -> str:
        bucket, name = split(url)
        self.ask("GET", f"/storage/v1/b/{quote(bucket)}")
        names = self.listed(f"gs://{bucket}/{name.removesuffix('**')}")
        if name.endswith("**"):
            if not names:
                raise FailedError("ERROR: (storage) One or more URLs matched no objects.")
            shown = sorted(names)
        else:
            shown = sorted(
                {name + rest.split("/")[0] + "/" * ("/" in rest) for rest in (n.removeprefix(name) for n in names)}
            )
        return "".join(f"gs://{bucket}/{name}\n" for name in shown)

    def rsync(self, arguments: list[str]) -> None:
        deep = "-r" in arguments
        source, target = (argument for argument in arguments if not argument.startswith("-"))
        bucket, prefix = split(target.rstrip("/") + "/")
        there = self.listed(f"gs://{bucket}/{prefix}")
        if source.startswith("gs://"):
            _, origin = split(source.rstrip("/") + "/")
            here = {name.removeprefix(origin): md5 for name, md5 in self.listed(source.rstrip("/") + "/").items()}
            if not here:
                raise FailedError(f"ERROR: (storage) {source}: did not match any objects")
        else:
            here = {
                path.relative_to(source).as_posix(): md5_of(path.read_bytes())
                for path in sorted(Path(source).rglob("*"))
                if path.is_file()
            }
        for name, md5 in here.items():
            if there.get(prefix + name) == md5 or ("/" in name and not deep):
                continue
            if source.startswith("gs://"):
                self.copy(bucket, origin + name, prefix + name)
            else:
                self.put(bucket, prefix + name, (Path(source) / name).read_bytes())

    def cp(self, urls: list[str], folder: Path) -> None:
        if not folder.is_dir():
            raise FailedError(f"ERROR: (storage) {folder} is no folder")
        for url in urls:
            bucket, name = split(url)
            (folder / name.rpartition("/")[2]).write_bytes(self.get(bucket, name))

    def answer(self, call: Call) -> str:
        """Execute a command; return its output."""
        self.parent, arguments = call.parent, list(call.arguments)
        if call.program == "gcloud" and arguments.pop(0) != "storage":
            raise FailedError("ERROR: only gcloud storage is here")
        by_content = "--checksums-only" if call.program == "gcloud" else "-c"
        match arguments:
            case ["ls", url]:
                return self.ls(url)
            case ["cp", *urls, folder] if urls:
                self.cp(urls, Path(folder))
            case ["rsync", *rest] if {word for word in rest if word.startswith("-")} <= {"-r", by_content}:
                self.rsync(rest)
            case ["rm", "-r", url] if url.endswith("/"):
                for name in self.listed(url):
                    self.delete(split(url)[0], name)
            case ["rm", *urls] if urls and not any(url.startswith("-") for url in urls):
                for url in urls:
                    self.delete(*split(url))
            case _:
                raise FailedError(f"ERROR: (storage) unknown: {arguments}")
        return ""


def split(url: str) -> tuple[str, str]:
    bucket, _, name = url.removeprefix("gs://").partition("/")
    return bucket, name


def md5_of(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()
