"""What every test may rely on: no telemetry, no network but this machine, repeatable examples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.network_guard import refuse_outside

if TYPE_CHECKING:
    from collections.abc import Iterator

# Before anything imports MLflow or evidently, which read these when imported (P15).
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

settings.register_profile(
    "ci",
    derandomize=True,  # the same examples everywhere: a red run can be repeated
    database=None,
    deadline=None,  # a shared machine is no stopwatch
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "campaign",
    max_examples=2_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)

_outside_attempts: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Choose the examples by what was asked for, and close the network."""
    asked = config.getoption("markexpr", default="")
    settings.load_profile("campaign" if asked == "campaign" else "ci")
    refuse_outside(_outside_attempts.append)


@pytest.fixture(autouse=True)
def _no_outside_network() -> Iterator[None]:
    """Fail the test that tried to reach another machine, even where its code hid the refusal."""
    _outside_attempts.clear()
    yield
    if _outside_attempts:
        attempts = ", ".join(_outside_attempts)
        _outside_attempts.clear()
        pytest.fail(f"tried to reach outside this machine: {attempts}")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder of the data sets, or skip: the sets are large and not in the repository."""
    folder = os.environ.get("VIGIL_TEST_DATA", "")
    if not folder:
        pytest.skip("VIGIL_TEST_DATA is not set: no data sets on this machine")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"VIGIL_TEST_DATA={folder} is no folder")
    return path
