"""From a container's spec to a command on this machine: volumes, environment, command."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cluster.container import Run
from local.cluster.images import Images
from local.cluster.selectors import field_of

XCOM_SIDECAR = "airflow-xcom-sidecar"
XCOM_SIDECAR_ARGV = ["/bin/sh", "-c", 'trap "exit 0" INT; tail -f /dev/null & wait']
"""The behaviour of Airflow's sidecar (wait, exit with 0 on SIGINT) without a new `sleep` each second."""
VARIABLE = re.compile(r"\$(?:\$|\(([A-Za-z_][\w.-]*)\))")
SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
SPECIAL = re.compile(r"[^\w./@%+=:,-]")
"""Characters with a special meaning in a shell."""
LINKS = Path("/tmp")  # noqa: S108  a name without a special character, on every machine
DEFAULT_TERMINATION_LOG = "/dev/termination-log"

Spec = Mapping[str, Any]
Lookup = Callable[[str, str], Spec | None]
"""Finds a stored object of the pod's namespace by kind (``secrets``, ``configmaps``) and name."""


class CannotStart(Exception):  # noqa: N818  a container's state, not a fault of the program
    """A container stays waiting, for the reason that a kubelet would report."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class PodFolders:
    """The paths of a pod's files."""

    root: Path

    def container(self, name: str) -> Path:
        """The supervisor's files."""
        return self.root / "containers" / name

    @property
    def volumes(self) -> Path:
        """A folder for each emptyDir, and for the files of each secret or config map."""
        return self.root / "volumes"

    def work(self, container: str) -> Path:
        """The container's working directory and home."""
        return self.root / "work" / container

    def termination_log(self, container: str) -> Path:
        """The file behind ``terminationMessagePath``."""
        return self.root / "work" / f".termination-{container}"


def make_run(pod: Spec, container: Spec, folders: PodFolders, images: Images, lookup: Lookup) -> Run:
    """Create the container's folders and volumes; return its command.

    Raises:
        CannotStart: the image is not mapped, a secret or a config map is missing, or the command is missing.
    """
    name, image_name = container["name"], container.get("image", "")
    sidecar = name == XCOM_SIDECAR
    image = images.find(image_name)
    if image is None and not sidecar:
        raise CannotStart(
            "ErrImagePull", f'image "{image_name}" not found: no pattern of the images file maps it to local programs'
        )
    work = folders.work(name)
    work.mkdir(parents=True, exist_ok=True)
    mounts = _mount(pod, container, folders, lookup)
    path = os.pathsep.join([*(image.path if image else ()), os.defpath])
    env = {"PATH": path, "HOME": str(work), "HOSTNAME": pod["metadata"]["name"], "LANG": "C.UTF-8"}
    env |= image.env if image else {}
    declared = _environment(pod, container, lookup)
    env |= {key: to_host(value, mounts) for key, value in declared.items()}
    argv = [*(container.get("command") or []), *(container.get("args") or [])]
    if not argv:
        raise CannotStart("CreateContainerError", "no command specified: images of this cluster have no entry point")
    return Run(
        argv=XCOM_SIDECAR_ARGV if sidecar else [to_host(_expand(part, declared), mounts) for part in argv],
        env=env,
        cwd=_working_directory(container, work, mounts),
        mounts=mounts,
    )


def to_host(text: str, mounts: Mapping[str, str]) -> str:
    """Replace paths of a container by those of the host, wherever they are complete paths."""
    if not mounts:
        return text
    paths = "|".join(re.escape(path) for path in sorted(mounts, key=len, reverse=True))
    return re.sub(rf"(?<![\w./-])(?:{paths})(?![\w.-])", lambda found: mounts[found[0]], text)


def _working_directory(container: Spec, work: Path, mounts: Mapping[str, str]) -> str:
    path = container.get("workingDir", "")
    on_host = to_host(path, mounts)
    return on_host if on_host != path else str(work)


def _mount(pod: Spec, container: Spec, folders: PodFolders, lookup: Lookup) -> dict[str, str]:
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    message_path = container.get("terminationMessagePath") or DEFAULT_TERMINATION_LOG
    mounts = {message_path: str(folders.termination_log(container["name"]))}
    for mount in container.get("volumeMounts") or []:
        volume = volumes.get(mount["name"])
        if volume is None:
            raise CannotStart("CreateContainerConfigError", f'volume "{mount["name"]}" not found')
        host = _volume(volume, _below(folders.volumes, mount["name"]), lookup)
        part = _below(host, mount.get("subPath") or "")
        if "emptyDir" in volume:
            part.mkdir(parents=True, exist_ok=True)
        mounts[mount["mountPath"].rstrip("/")] = str(part)
    return {path: one_word(host) for path, host in mounts.items()}


def one_word(path: str) -> str:
    """Return a path to the same file that is one word for a shell, inside and outside of quotation marks.

    Scripts name the container's paths, which are replaced by those of the host: a space in one would break the script.
    For such a folder use a link in /tmp.

    Raises:
        CannotStart: another file exists at the link's path.
    """
    parts = Path(path).parts
    special = [number for number, part in enumerate(parts) if SPECIAL.search(part)]
    if not special:
        return path
    folder, rest = Path(*parts[: special[-1] + 1]), parts[special[-1] + 1 :]
    link = LINKS / f"stellar-etl-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    with suppress(FileExistsError):
        link.symlink_to(folder)
    if not (link.is_symlink() and link.readlink() == folder):
        raise CannotStart("CreateContainerConfigError", f"{link} must be a link to {folder}: remove it")
    return str(link.joinpath(*rest))


def _volume(volume: Spec, folder: Path, lookup: Lookup) -> Path:
    if "hostPath" in volume:
        return Path(volume["hostPath"]["path"])
    folder.mkdir(parents=True, exist_ok=True)
    for kind, source, name in (("secrets", "secret", "secretName"), ("configmaps", "configMap", "name")):
        if source not in volume:
            continue
        data = _data(kind, volume[source][name], lookup, optional=volume[source].get("optional", False))
        items = volume[source].get("items") or [{"key": key, "path": key} for key in data]
        for item in items:
            file = _below(folder, item["path"])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_bytes(_value(data, item["key"], kind, volume[source][name]))
    return folder


def _below(folder: Path, path: str) -> Path:
    if path.startswith("/") or ".." in Path(path).parts:
        raise CannotStart("CreateContainerConfigError", f"{path!r} is outside its volume")
    return folder / path


def _data(kind: str, name: str, lookup: Lookup, *, optional: bool) -> dict[str, bytes]:
    found = lookup(kind, name)
    if found is None:
        if optional:
            return {}
        raise CannotStart("CreateContainerConfigError", f'{kind.removesuffix("s")} "{name}" not found')
    encoded = found.get("data") if kind == "secrets" else found.get("binaryData")
    plain = found.get("stringData") if kind == "secrets" else found.get("data")
    return {key: base64.b64decode(value) for key, value in (encoded or {}).items()} | {
        key: value.encode() for key, value in (plain or {}).items()
    }


def _value(data: Mapping[str, bytes], key: str, kind: str, name: str) -> bytes:
    if key not in data:
        raise CannotStart("CreateContainerConfigError", f"couldn't find key {key} in {kind} {name}")
    return data[key]


def _environment(pod: Spec, container: Spec, lookup: Lookup) -> dict[str, str]:
    env: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for kind, key in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
            if key in source:
                data = _data(kind, source[key]["name"], lookup, optional=source[key].get("optional", False))
                env |= {source.get("prefix", "") + name: value.decode() for name, value in data.items()}
    for variable in container.get("env") or []:
        if variable.get("valueFrom"):
            value = _value_from(pod, container, variable["valueFrom"], lookup)
            env |= {} if value is None else {variable["name"]: value}
        else:
            env[variable["name"]] = _expand(variable.get("value") or "", env)
    return env


def _value_from(pod: Spec, container: Spec, source: Spec, lookup: Lookup) -> str | None:
    for kind, key in (("configmaps", "configMapKeyRef"), ("secrets", "secretKeyRef")):
        if key in source:
            reference = source[key]
            optional = reference.get("optional", False)
            data = _data(kind, reference["name"], lookup, optional=optional)
            if optional and reference["key"] not in data:
                return None
            return _value(data, reference["key"], kind, reference["name"]).decode()
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        value = field_of(container.get("resources") or {}, source["resourceFieldRef"]["resource"])
        return "0" if value is None else str(value)
    raise CannotStart("CreateContainerConfigError", f"valueFrom without a known source: {sorted(source)}")


def _field(pod: Spec, path: str) -> str:
    if found := SUBSCRIPT.fullmatch(path):
        return str((pod["metadata"].get(found[1]) or {}).get(found[2], ""))
    value = field_of(pod, path)
    return "" if value is None else str(value)


def _expand(text: str, env: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` as Kubernetes does: by variables of the spec; others stay, ``$$`` is a dollar."""
    return VARIABLE.sub(lambda found: "$" if found[1] is None else env.get(found[1], found[0]), text)
