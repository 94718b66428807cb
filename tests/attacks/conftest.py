"""A home with a short history that each attack gets a copy of, and witnesses of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from governance.clock import FixedClock
from governance.home import Home
from governance.storage.open import create_home
from tests.attacks.support import written
from tests.integration.storage.samples import NOW_US


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home of ten entries that was made once."""
    root = tmp_path_factory.mktemp("attacked") / "home"
    clock = FixedClock(now_us=NOW_US)
    written(create_home(root, organisation="acme", deployment="test", clock=clock), clock)
    return root


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that only the test moves, an hour after the history."""
    return FixedClock(now_us=NOW_US + 3_600_000_000)


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    """Return a home that no process has open: a genesis, acts, and answers from entry 4 on."""
    return Home.open(Path(shutil.copytree(template, tmp_path / "home")))
