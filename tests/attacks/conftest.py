"""A home with a short history that each attack gets a copy of, and witnesses of its own."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from governance.clock import FixedClock
from governance.home import Home
from governance.storage.open import create_home
from tests.attacks.support import written
from tests.attacks.tools import TOOLS, in_ci, left_out, quiet
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


def _needed(tool: str) -> None:
    if (why := TOOLS[tool][1]()) is not None:
        left_out(why, ci=in_ci())


@pytest.fixture
def faketime() -> None:
    """Run where a process can be given another time."""
    _needed("faketime")


@pytest.fixture
def strace() -> None:
    """Run where system calls can be made to fail."""
    _needed("strace")


@pytest.fixture
def small_file_system() -> None:
    """Run where a file system can be mounted."""
    _needed("small_file_system")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what is skipped for any other reason: its row would count as run."""
    report = yield
    wrong = quiet(report.outcome, item.fixturenames)
    if wrong is not None:
        report.outcome, report.longrepr = "failed", f"{wrong}: {report.longrepr}"
    return report
