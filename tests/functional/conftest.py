"""The finished demonstration, for every functional test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.demonstration import Demonstration, build


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    """Build it once; nobody may change it."""
    return build(tmp_path_factory.mktemp("demonstration"))


@pytest.fixture
def demonstration(finished: Demonstration, tmp_path: Path) -> Demonstration:
    """Return a copy that a test may do with as it likes."""
    return finished.copy(tmp_path)
