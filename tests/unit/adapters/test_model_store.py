"""Artifacts are written into the present home and nowhere else, wherever the home was made."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from governance.adapters.model_store import (
    ArtifactStoreFailed,
    ArtifactTampered,
    read_artifact,
    store_artifact,
)

CONTENT = b'{"kind":"table"}'


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own deprecations
        yield


def store(root: Path, number: int = 1, content: bytes = CONTENT) -> str:
    root.mkdir(exist_ok=True)
    return store_artifact(root=str(root), model="forecasting", number=number, content=content)


def files(root: Path) -> set[Path]:
    return {path.relative_to(root) for path in root.rglob("parameters.json")}


def read(root: Path, uri: str, content: bytes = CONTENT) -> bytes:
    return read_artifact(root=root, uri=uri, digest=hashlib.sha256(content).hexdigest())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a folder with one artifact, made once because MLflow makes its tables slowly."""
    root = tmp_path_factory.mktemp("made") / "a home of ours"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return root, store(root)


def test_an_artifact_is_named_by_its_path_within_the_folder(made: tuple[Path, str]) -> None:
    root, uri = made
    assert not Path(uri).is_absolute()
    assert read(root, uri) == CONTENT


def test_a_moved_home_keeps_its_artifacts_and_writes_into_its_new_place(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    old, first = made
    new = tmp_path / "elsewhere"
    shutil.copytree(old, new)
    before = files(old)
    second, third = store(new, 2, b"[2]"), store(new, 3, b"[3]")
    assert files(old) == before
    assert read(new, first) == CONTENT
    assert read(new, second, b"[2]") == b"[2]"
    assert read(new, third, b"[3]") == b"[3]"


def test_an_experiment_that_leads_outside_is_refused_before_anything_is_written(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    old, _ = made
    home, outside = tmp_path / "home", tmp_path / "outside"
    shutil.copytree(old, home)
    store(home, 2)
    with sqlite3.connect(home / "mlflow.sqlite") as database:
        database.execute("UPDATE experiments SET artifact_location = ?", (outside.as_uri(),))
    database.close()
    before = files(home)
    with pytest.raises(ArtifactStoreFailed, match="outside"):
        store(home, 3)
    assert not outside.exists()
    assert files(home) == before


def test_other_bytes_than_the_registered_ones_are_not_returned(
    made: tuple[Path, str],
) -> None:
    root, uri = made
    with pytest.raises(ArtifactTampered):
        read(root, uri, b"others")
    with pytest.raises(ArtifactTampered):
        read(root, "artifacts/forecasting/none.json")
