from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from governance.clock import FixedClock
from governance.home import Home
from governance.storage.open import create_home
from tests.integration.storage.samples import NOW_US


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that was made once; each test gets a copy."""
    root = tmp_path_factory.mktemp("template") / "home"
    clock = FixedClock(now_us=NOW_US)
    create_home(root, organisation="acme", deployment="test", clock=clock)
    return root


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that only the test moves."""
    return FixedClock(now_us=NOW_US)


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    """Return a fresh home."""
    return Home.open(Path(shutil.copytree(template, tmp_path / "home")))
