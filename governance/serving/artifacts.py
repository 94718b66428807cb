"""Predictors built from bytes that were verified first, and kept only while the file stands (P1).

What is promised. A predictor is built from the very bytes whose SHA-256 equals the registered
digest: they are read once, hashed, and parsed from memory, so nothing can change in between. So
what answers is always what was registered. Beyond that, a file that no longer is what was
registered stops its model:

  * at the first question after `LOOK_US`, where its size, times, inode or device differ from those
    at loading (a look at every question would cost a tenth of its time);
  * within one period of `verify_all` (the server calls it every minute), where they were forged.

So neither is immediate. Until then the answers still come from the verified bytes in memory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from governance.adapters.model_store import ArtifactTampered, read_artifact
from governance.registry.records import Version
from models.errors import ModelError
from models.predictor import Predictor, load_predictor

Stamp = tuple[int, int, int, int, int]

LOOK_US: Final = 100_000
"""Between two looks at a file: a tenth of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedArtifact:
    """A predictor, the version that it was built for, and its file's stamp at that moment."""

    version: Version
    path: str
    stamp: Stamp
    predictor: Predictor


class Artifacts:
    """The predictors of the versions in service, by version id."""

    def __init__(self, *, root: Path) -> None:
        """Take the home's artifact folder."""
        self._root = root
        self._loaded: dict[str, LoadedArtifact] = {}
        self._looked_us: dict[str, int] = {}

    def predictor(self, version: Version, *, now_us: int) -> Predictor | None:
        """Return the predictor, or None where the file is not what was registered."""
        loaded = self._loaded.get(version.id)
        if loaded is not None and loaded.version.digest == version.digest:
            if abs(now_us - self._looked_us[version.id]) < LOOK_US:
                return loaded.predictor
            self._looked_us[version.id] = now_us
            if _stamp(loaded.path) == loaded.stamp:
                return loaded.predictor
            self._loaded.pop(version.id, None)
        return self._load(version, now_us)

    def verify_all(self) -> tuple[str, ...]:
        """Read and hash every loaded file again; forget and return the versions that differ."""
        differing = []
        for loaded in list(self._loaded.values()):
            try:
                self._content(loaded.version)
            except ArtifactTampered:
                self._loaded.pop(loaded.version.id, None)
                differing.append(loaded.version.id)
        return tuple(differing)

    def _load(self, version: Version, now_us: int) -> Predictor | None:
        # The stamp is taken before reading: a change while we read shows at the next look.
        path = str(self._root / version.artifact_uri)
        stamp = _stamp(path)
        if stamp is None:
            return None
        try:
            predictor = load_predictor(version.kind, orjson.loads(self._content(version)))
        except (ArtifactTampered, orjson.JSONDecodeError, ModelError):
            return None  # registered bytes that are no predictor serve nothing either
        self._looked_us[version.id] = now_us
        self._loaded[version.id] = LoadedArtifact(
            version=version, path=path, stamp=stamp, predictor=predictor
        )
        return predictor

    def _content(self, version: Version) -> bytes:
        return read_artifact(root=self._root, uri=version.artifact_uri, digest=version.digest)


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - the path is text already
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
