"""The exporter's image: a registry, the image in it, its version, and the nodes' permission to pull it."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Sequence
from typing import Any

from scripts.bootstrap_gcp.cloud import Cloud
from scripts.bootstrap_gcp.composer import imported, note
from scripts.bootstrap_gcp.wanted import REPO, Wanted

SOURCES = ("Dockerfile", "requirements/exporter.txt", "schemas", "stellar_etl")
"""The files from which the Dockerfile builds the image."""
REGISTRY = re.compile(r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<name>[^/]+)/.+")
"""An image in Artifact Registry (https://cloud.google.com/artifact-registry/docs/docker/names)."""


DOCKER = "gcr.io/cloud-builders/docker"
"""Cloud Build's own container engine (https://cloud.google.com/build/docs/cloud-builders)."""
VERIFY = """\
answer=$(docker run --rm "$1" version) || { echo "image $1 does not run the command version"; exit 1; }
found=$(printf '%s\\n' "$answer" | head -n 1)
if [ -z "$2" ] || [ "$found" = "$2" ]; then echo "image $1 answers: $found"; exit 0; fi
echo "image $1 answers \\"$found\\", and this checkout expects \\"$2\\": name an image of this release, or build one"
exit 1
"""
"""A script that runs `version` in the image `$1`, and compares the first line with `$2`, if that is not empty."""


def version() -> str:
    """Return the version of this checkout."""
    return str(tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["version"])


def expected_answer(wanted: Wanted) -> str:
    """Return the expected first line of the image's `version`; empty for another exporter."""
    return "" if wanted.variables["manifest"] == "derived" else f"stellar-etl {version()}"


def verification(image: str, expected: str) -> dict[str, Any]:
    """Return the step of Cloud Build that verifies an image (https://cloud.google.com/build/docs/build-config-file-schema).

    Cloud Build substitutes `$NAME`; `$$` is a dollar.
    """
    script = VERIFY.replace("$", "$$")
    return {"name": DOCKER, "entrypoint": "bash", "args": ["-c", script, "verify", image, expected]}


def tag() -> str:
    """Return the tag of this checkout's image: its version, and a hash of its files."""
    digest = hashlib.sha256()
    for source in SOURCES:
        path = REPO / source
        files = sorted(file for file in path.rglob("*") if file.suffix in (".py", ".json")) if path.is_dir() else [path]
        for file in files:
            digest.update(f"{file.relative_to(REPO)}\n".encode() + file.read_bytes())
    return f"{version()}-{digest.hexdigest()[:12]}"


def described_image(cloud: Cloud, image: str) -> object:
    """Return an image of Artifact Registry, None if it does not exist."""
    return cloud.see(cloud.gcloud("artifacts", "docker", "images", "describe", image))


def image_problems(cloud: Cloud, wanted: Wanted) -> list[str]:
    """Return the problems of an image that the user names."""
    if wanted.builds_image or not REGISTRY.fullmatch(wanted.image):
        return []
    if described_image(cloud, wanted.image) is not None:
        return []
    push = "push it (scripts/push_image.sh), or omit --image to build it"
    return [f"image {wanted.image} does not exist, or you lack the permission to read it: {push}"]


def make_image(cloud: Cloud, wanted: Wanted) -> None:
    """Create the registry and the image, unless the user names one; then grant the permission to pull it, if possible.

    Cloud Build builds the image, so that no container engine is needed here. It runs as an account without other
    permissions (https://cloud.google.com/build/docs/securing-builds/configure-user-specified-service-accounts). An
    image is pushed only if it prints the expected version; one that the user names is verified once, and again if its
    content changes.
    """
    place = f"--location={wanted.location}"
    registry = ["artifacts", "repositories"]
    if wanted.builds_image:
        if cloud.see(cloud.gcloud(*registry, "describe", wanted.name, place)) is None:
            options = ["--repository-format=docker", "--description=Images of stellar-etl"]
            cloud.change(cloud.gcloud(*registry, "create", wanted.name, place, *options))
        if described_image(cloud, wanted.image) is None:
            build = {"name": DOCKER, "args": ["build", f"--tag={wanted.image}", "."]}
            steps = [build, verification(wanted.image, expected_answer(wanted))]
            submit(cloud, wanted, ".", {"steps": steps, "images": [wanted.image]})
    else:
        verify(cloud, wanted)
    match = REGISTRY.fullmatch(wanted.image)
    if match is None:
        print(f"# {wanted.image} is not in Artifact Registry: the nodes' permission to pull it is not checked")
    elif match["project"] != wanted.project:
        print(f"# {wanted.image} is in project {match['project']}: its owner must let {wanted.puller} read it")
    else:
        member = f"serviceAccount:{wanted.puller}"
        target = ["--location=" + match["location"]]
        cloud.grant(registry, match["name"], member, "roles/artifactregistry.reader", *target)


def verify(cloud: Cloud, wanted: Wanted) -> None:
    """Let Cloud Build run `version` in an image that the user names, unless this content was verified before."""
    described: Any = described_image(cloud, wanted.image) if REGISTRY.fullmatch(wanted.image) else None
    digest, expected = (described or {}).get("image_summary", {}).get("digest", ""), expected_answer(wanted)
    verified = {"image": wanted.image, "digest": digest, "answer": expected}
    if imported(cloud, wanted, "image") != verified:
        submit(cloud, wanted, "--no-source", {"steps": [verification(wanted.image, expected)]})
        note(cloud, wanted, "image", verified)


def submit(cloud: Cloud, wanted: Wanted, source: str, config: dict[str, Any]) -> None:
    """Let Cloud Build run some steps."""
    builder = f"projects/{wanted.project}/serviceAccounts/{wanted.account('build')}"
    file = cloud.write("image_build.json", json.dumps(config, indent=2) + "\n")
    options: Sequence[str] = (
        *(f"--region={wanted.location}", f"--config={file}", f"--service-account={builder}"),
        "--default-buckets-behavior=regional-user-owned-bucket",
    )
    cloud.change(cloud.gcloud("builds", "submit", source, *options))
