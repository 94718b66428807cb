"""The finished demonstration, for every functional test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.demonstration import Demonstration, build


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    """Build it once, whatever the number of test processes; nobody may change it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which the processes of one run share
    kept = folder / "demonstration.json"
    with FileLock(folder / "demonstration.lock"):
        if kept.exists():
            return Demonstration.kept_in(kept)
        built = build(folder / "demonstration")
        built.keep_in(kept)
        return built


@pytest.fixture
def demonstration(finished: Demonstration, tmp_path: Path) -> Demonstration:
    """Return a copy that a test may do with as it likes."""
    return finished.copy(tmp_path)
