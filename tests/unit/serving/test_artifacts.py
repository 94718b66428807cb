"""Predictors come from verified bytes, and a file that changed stops its version."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from governance.registry.records import Version
from governance.serving import artifacts as module
from governance.serving.artifacts import LOOK_US, Artifacts
from models.predictor import Predictor
from tests.unit.serving.fakes import GOOD_ROW, NOW_US, path_table

pytestmark = pytest.mark.requirement("P1")


def stored(folder: Path, content: bytes, **fields: Any) -> Version:
    (folder / "a.json").write_bytes(content)
    version = Version(
        id="forecasting/1", model="forecasting", number=1, kind="forecasting/path-table/1",
        digest=hashlib.sha256(content).hexdigest(), artifact_uri="a.json", dataset="DS-1",
        origin="2005-06", state="qualified", registered_by="owen", registered_us=NOW_US,
    )  # fmt: skip
    return replace(version, **fields)


class Served:
    """Artifacts as a caller sees them who asks once every look."""

    def __init__(self, folder: Path) -> None:
        self.artifacts = Artifacts(root=folder)
        self.now_us = NOW_US

    def predictor(self, version: Version) -> Predictor | None:
        self.now_us += LOOK_US
        return self.artifacts.predictor(version, now_us=self.now_us)

    def verify_all(self) -> tuple[str, ...]:
        return self.artifacts.verify_all()


@pytest.fixture
def version(tmp_path: Path) -> Version:
    return stored(tmp_path, orjson.dumps(path_table()))


@pytest.fixture
def artifacts(tmp_path: Path) -> Served:
    return Served(tmp_path)


def test_registered_bytes_become_a_predictor_once(artifacts: Served, version: Version) -> None:
    first = artifacts.predictor(version)
    assert first is not None
    assert first.predict([GOOD_ROW])[0].disposition == "answered"
    assert artifacts.predictor(version) is first


def test_a_changed_file_is_not_served(artifacts: Served, version: Version, tmp_path: Path) -> None:
    assert artifacts.predictor(version) is not None
    (tmp_path / "a.json").write_bytes(orjson.dumps(path_table(base=101)))
    assert artifacts.predictor(version) is None


def test_between_two_looks_the_verified_bytes_answer(
    artifacts: Served, version: Version, tmp_path: Path
) -> None:
    first = artifacts.predictor(version)
    (tmp_path / "a.json").unlink()
    soon_us = artifacts.now_us + LOOK_US - 1
    assert artifacts.artifacts.predictor(version, now_us=soon_us) is first
    assert artifacts.artifacts.predictor(version, now_us=soon_us + 1) is None


def test_a_clock_that_was_set_back_does_not_stop_the_looking(
    artifacts: Served, version: Version, tmp_path: Path
) -> None:
    assert artifacts.predictor(version) is not None
    (tmp_path / "a.json").unlink()
    earlier_us = artifacts.now_us - LOOK_US
    assert artifacts.artifacts.predictor(version, now_us=earlier_us) is None


def test_the_right_bytes_put_back_are_served_again(
    artifacts: Served, version: Version, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    content = path.read_bytes()
    path.write_bytes(b"{}")
    assert artifacts.predictor(version) is None
    path.write_bytes(content)
    assert artifacts.predictor(version) is not None


def test_another_file_of_the_same_size_and_times_is_seen_at_the_next_look(
    artifacts: Served, version: Version, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    assert artifacts.predictor(version) is not None
    before = path.stat()
    other = tmp_path / "b.json"
    other.write_bytes(path.read_bytes().replace(b'"102"', b'"103"'))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert path.stat().st_size == before.st_size
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert artifacts.predictor(version) is None


def test_a_change_behind_a_forged_stamp_is_seen_by_the_full_check(
    artifacts: Served, version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert artifacts.predictor(version) is not None
    path = tmp_path / "a.json"
    stamp = module._stamp(str(path))
    path.write_bytes(path.read_bytes().replace(b'"102"', b'"103"'))
    monkeypatch.setattr(module, "_stamp", lambda _path: stamp)
    # Until the check the answers still come from the verified bytes in memory.
    predictor = artifacts.predictor(version)
    assert predictor is not None
    (answer,) = predictor.predict([GOOD_ROW])
    assert answer.prediction is not None
    assert answer.prediction["quantiles"]["0.5"] == "102"  # type: ignore[index, call-overload]
    assert artifacts.verify_all() == ("forecasting/1",)
    assert artifacts.predictor(version) is None


def test_the_full_check_finds_nothing_where_nothing_changed(
    artifacts: Served, version: Version
) -> None:
    artifacts.predictor(version)
    assert artifacts.verify_all() == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"[]",
        b"null",
        orjson.dumps({**path_table(), "horizon": 99}),
        b"\x80\x04\x95.",
    ],
)
def test_registered_bytes_that_are_no_predictor_serve_nothing(
    artifacts: Served, tmp_path: Path, content: bytes
) -> None:
    assert artifacts.predictor(stored(tmp_path, content)) is None


def test_a_kind_that_nobody_knows_serves_nothing(artifacts: Served, tmp_path: Path) -> None:
    version = stored(tmp_path, orjson.dumps(path_table()), kind="forecasting/pickle/1")
    assert artifacts.predictor(version) is None


@pytest.mark.parametrize("uri", ["missing.json", ".", "a.json/x"])
def test_a_file_that_cannot_be_read_serves_nothing(
    artifacts: Served, version: Version, uri: str
) -> None:
    assert artifacts.predictor(replace(version, artifact_uri=uri)) is None


def test_a_version_registered_again_under_another_digest_is_loaded_anew(
    artifacts: Served, version: Version
) -> None:
    assert artifacts.predictor(version) is not None
    assert artifacts.predictor(replace(version, digest="0" * 64)) is None
