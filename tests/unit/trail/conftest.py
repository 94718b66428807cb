from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.small_deployment import DAY_US, START_US, Small, TickingClock, small


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock(now_us=START_US + DAY_US)


@pytest.fixture
def home(tmp_path: Path, clock: TickingClock) -> Iterator[Small]:
    with small(tmp_path, clock) as opened:
        yield opened
