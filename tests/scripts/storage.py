"""A stand-in for `gcloud storage …` and `gsutil …` on the local bucket: `storage.py gcloud storage rsync -r A B`.

It reads and writes the emulator's objects over HTTP, one at a time, without a Google library, because an upload starts
it a dozen times. Each request is a step, counted over all processes in the file STEPS. Step FAIL_AT and all later steps
fail; with FAIL_FOR=1 only that step fails. With KILL set, it also kills its parent, the script under test. With
LOSE_REPLY the failing step takes effect first.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ENDPOINT = os.environ["STORAGE_EMULATOR_HOST"]
quote = lambda text: urllib.parse.quote(text, safe="")  # noqa: E731


class FailedError(Exception):
    pass


def step() -> bool:
    """Count a step; return whether it must fail."""
    steps = Path(os.environ["STEPS"])
    with steps.open("ab") as file:
        file.write(b".")
    done, at = steps.stat().st_size, int(os.environ.get("FAIL_AT", 0))
    return done == at or (0 < at < done and not os.environ.get("FAIL_FOR"))


def ask(method: str, path: str, body: bytes | None = None, content_type: str = "application/json") -> bytes:
    failing = step()
    if failing and not os.environ.get("LOSE_REPLY"):
        fail()
    request = urllib.request.Request(ENDPOINT + path, data=body, method=method)
    if body is not None:
        request.add_header("Content-Type", content_type)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            answer = response.read()
    except urllib.error.HTTPError as error:
        raise FailedError(f"{method} {path}: {error.code}") from None
    if failing:
        fail()
    return answer


def fail() -> None:
    if os.environ.get("KILL"):
        os.kill(os.getppid(), signal.SIGKILL)
    raise FailedError("HTTPError 503: Service Unavailable")


def split(url: str) -> tuple[str, str]:
    bucket, _, name = url.removeprefix("gs://").partition("/")
    return bucket, name


def listed(url: str) -> dict[str, str]:
    """Return MD5 hashes by name, below a prefix."""
    bucket, prefix = split(url)
    answer = json.loads(ask("GET", f"/storage/v1/b/{quote(bucket)}/o?prefix={quote(prefix)}"))
    return {item["name"]: item["md5Hash"] for item in answer.get("items", [])}


def get(bucket: str, name: str) -> bytes:
    return ask("GET", f"/storage/v1/b/{quote(bucket)}/o/{quote(name)}?alt=media")


def put(bucket: str, name: str, content: bytes) -> None:
    """Upload as gcloud does: two parts whose lines end in LF, with the boundary between single quotes."""
    boundary = f"==============={hashlib.md5(content).hexdigest()}=="
    metadata = json.dumps({"name": name, "md5Hash": md5_of(content)})
    parts = [
        f"--{boundary}\nContent-Type: application/json\nMIME-Version: 1.0\n\n{metadata}\n".encode(),
        f"--{boundary}\nContent-Type: text/plain\nMIME-Version: 1.0\nContent-Transfer-Encoding: binary\n\n".encode(),
        content,
        f"\n--{boundary}--\n".encode(),
    ]
    path = f"/upload/storage/v1/b/{quote(bucket)}/o?alt=json&uploadType=multipart"
    ask("POST", path, b"".join(parts), f"multipart/related; boundary={boundary!r}")


def copy(bucket: str, name: str, to: str) -> None:
    ask("POST", f"/storage/v1/b/{quote(bucket)}/o/{quote(name)}/rewriteTo/b/{quote(bucket)}/o/{quote(to)}", b"{}")


def delete(bucket: str, name: str) -> None:
    ask("DELETE", f"/storage/v1/b/{quote(bucket)}/o/{quote(name)}")


def ls(url: str) -> None:
    bucket, name = split(url)
    ask("GET", f"/storage/v1/b/{quote(bucket)}")
    names = listed(f"gs://{bucket}/{name.removesuffix('**')}")
    if name.endswith("**"):
        if not names:
            raise FailedError("One or more URLs matched no objects.")
        shown = sorted(names)
    else:
        shown = sorted(
            {name + rest.split("/")[0] + "/" * ("/" in rest) for rest in (n.removeprefix(name) for n in names)}
        )
    print("".join(f"gs://{bucket}/{name}\n" for name in shown), end="")


def rsync(arguments: list[str]) -> None:
    deep = "-r" in arguments
    source, target = (argument for argument in arguments if not argument.startswith("-"))
    bucket, prefix = split(target.rstrip("/") + "/")
    there = listed(f"gs://{bucket}/{prefix}")
    if source.startswith("gs://"):
        _, origin = split(source.rstrip("/") + "/")
        here = {name.removeprefix(origin): md5 for name, md5 in listed(source.rstrip("/") + "/").items()}
        if not here:
            raise FailedError(f"{source}: did not match any objects")
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
            copy(bucket, origin + name, prefix + name)
        else:
            put(bucket, prefix + name, (Path(source) / name).read_bytes())


def md5_of(content: bytes) -> str:
    import base64

    return base64.b64encode(hashlib.md5(content).digest()).decode()


def cp(urls: list[str], folder: Path) -> None:
    if not folder.is_dir():
        raise FailedError(f"{folder} is no folder")
    for url in urls:
        bucket, name = split(url)
        (folder / name.rpartition("/")[2]).write_bytes(get(bucket, name))


def main(program: str, arguments: list[str]) -> None:
    if program == "gcloud" and arguments.pop(0) != "storage":
        raise FailedError("only gcloud storage is here")
    by_content = "--checksums-only" if program == "gcloud" else "-c"
    match arguments:
        case ["ls", url]:
            ls(url)
        case ["cp", *urls, folder] if urls:
            cp(urls, Path(folder))
        case ["rsync", *rest] if {word for word in rest if word.startswith("-")} <= {"-r", by_content}:
            rsync(rest)
        case ["rm", "-r", url] if url.endswith("/"):
            for name in listed(url):
                delete(split(url)[0], name)
        case ["rm", *urls] if urls and not any(url.startswith("-") for url in urls):
            for url in urls:
                delete(*split(url))
        case _:
            raise FailedError(f"unknown: {arguments}")


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except FailedError as error:
        print(f"ERROR: (storage) {error}", file=sys.stderr)
        sys.exit(1)
