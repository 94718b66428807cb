import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.api.support import Api, make_home, running

# A rate that no test but the one about it reaches.
LIMITS = {"max_body_bytes": 20_000, "rows_per_request": 5, "requests_per_minute": 100_000}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that is made once and only copied."""
    return make_home(tmp_path_factory.mktemp("api") / "home", limits=LIMITS)


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    """Return a home of the test's own."""
    return Path(shutil.copytree(template, tmp_path / "home"))


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One served home for tests that leave no act behind."""
    copy = tmp_path_factory.mktemp("shared") / "home"
    shutil.copytree(template, copy)
    with running(copy) as api:
        yield api


@pytest.fixture
def own(home: Path) -> Iterator[Api]:
    """A served home of the test's own, for tests that act."""
    with running(home) as api:
        yield api
