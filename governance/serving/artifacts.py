"""Predictors built from bytes that were verified first, and kept only while the file stands (P1).

What is promised. A predictor is built from the very bytes whose SHA-256 equals the registered
digest: they are read once, hashed, and parsed from memory, so nothing can change in between. So
what answers is always what was registered. Beyond that, a file that no longer is what was
registered stops its model:

  * at the next question, where its size, times, inode or device differ from those at loading;
  * within one period of `verify_all` (the server calls it every minute), where they were forged.

The second is not immediate: an administrator who rewrites the file and restores its times is seen
after up to a minute. Until then the answers still come from the verified bytes in memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from governance.registry.records import Version
from models.errors import ModelError
from models.predictor import Predictor, load_predictor

Stamp = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedArtifact:
    """A predictor, the file that it came from, and the file's stamp at that moment."""

    path: Path
    stamp: Stamp
    digest: str
    predictor: Predictor


class Artifacts:
    """The predictors of the versions in service, by version id."""

    def __init__(self, *, locate: Callable[[str], Path]) -> None:
        """Take the function that turns an artifact URI into the path of its file."""
        self._locate = locate
        self._loaded: dict[str, LoadedArtifact] = {}

    def predictor(self, version: Version) -> Predictor | None:
        """Return the predictor, or None where the file is not what was registered."""
        loaded = self._loaded.get(version.id)
        if loaded is not None and loaded.digest == version.digest:
            if _stamp(loaded.path) == loaded.stamp:
                return loaded.predictor
            del self._loaded[version.id]
        return self._load(version)

    def verify_all(self) -> tuple[str, ...]:
        """Read and hash every loaded file again; forget and return those that differ."""
        differing = []
        for version, loaded in list(self._loaded.items()):
            content = _content(loaded.path)
            if content is None or hashlib.sha256(content).hexdigest() != loaded.digest:
                self._loaded.pop(version, None)
                differing.append(version)
        return tuple(differing)

    def _load(self, version: Version) -> Predictor | None:
        path = self._locate(version.artifact_uri)
        stamp = _stamp(path)  # before reading: a change while we read shows at the next question
        content = _content(path)
        if stamp is None or content is None:
            return None
        if hashlib.sha256(content).hexdigest() != version.digest:
            return None
        try:
            predictor = load_predictor(version.kind, orjson.loads(content))
        except (orjson.JSONDecodeError, ModelError):
            return None  # the registered bytes are no predictor: nothing may be served from them
        self._loaded[version.id] = LoadedArtifact(
            path=path, stamp=stamp, digest=version.digest, predictor=predictor
        )
        return predictor


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat, on every question
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
