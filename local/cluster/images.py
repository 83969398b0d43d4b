"""The mapping from images to local programs."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass, field
from pathlib import Path


class ImagesError(ValueError):
    """The images file is invalid; the message names the file and the glob."""


@dataclass(frozen=True)
class Image:
    """A container's image: folders put first on PATH, and environment variables."""

    path: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Images:
    """Images by glob; the first glob that matches an image's name counts."""

    by_glob: dict[str, Image]

    def find(self, name: str) -> Image | None:
        """Return the image, or None if no local program is mapped to it."""
        return next((image for glob, image in self.by_glob.items() if fnmatch.fnmatchcase(name, glob)), None)


def read_images(path: Path) -> Images:
    """Read ``{"<image glob>": {"path": ["<folder>"], "env": {"K": "v"}}}``.

    Raises:
        ImagesError: the file is invalid; the message names the file and the glob.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ImagesError(f"{path} cannot be read as a JSON object of images: {error}") from error
    if not isinstance(content, dict):
        raise ImagesError(f'{path} must be an object: {{"<image glob>": {{"path": [...], "env": {{...}}}}}}')
    return Images({glob: _image(path, glob, value) for glob, value in content.items()})


def _image(file: Path, glob: str, value: object) -> Image:
    if not isinstance(value, dict) or not value.keys() <= {"path", "env"}:
        raise ImagesError(f'{file}: image {glob!r} must be an object with only "path" and "env"')
    path, env = value.get("path", []), value.get("env", {})
    if not isinstance(path, list) or not all(isinstance(folder, str) for folder in path):
        raise ImagesError(f'{file}: "path" of image {glob!r} must be a list of folders')
    if not isinstance(env, dict) or not all(isinstance(text, str) for text in env.values()):
        raise ImagesError(f'{file}: "env" of image {glob!r} must be an object of strings')
    return Image(tuple(path), env)
