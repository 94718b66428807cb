from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.api.support import Api, make_home, running

# A rate that no test but the one about it reaches.
LIMITS = {"max_body_bytes": 20_000, "rows_per_request": 5, "requests_per_minute": 100_000}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("api") / "home", limits=LIMITS)


@pytest.fixture(scope="module")
def shared(home: Path) -> Iterator[Api]:
    """One served home for tests that leave no act behind."""
    with running(home) as api:
        yield api


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Api]:
    """A home of the test's own, for tests that act."""
    with running(make_home(tmp_path / "home", limits=LIMITS)) as api:
        yield api
