"""The pages in a browser. The samples and helpers stand in this folder, which is no package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from browser import CHROMIUM, chromium, served
from console_samples.desk import SampleDesk

if TYPE_CHECKING:
    from playwright.sync_api import Browser


# Not for the whole session: while it is open, the thread's event loop is Playwright's.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}; set VIGIL_CHROMIUM to one")
    with chromium() as running:
        yield running


@pytest.fixture
def desk() -> SampleDesk:
    return SampleDesk(witnessed=True)


@pytest.fixture
def address(desk: SampleDesk) -> Iterator[str]:
    with served(desk) as where:
        yield where
