"""What some attacks need of the machine, and when a test may be left out for want of it.

A row of the table counts as run because its tests are never quietly skipped: a test of this folder
may skip only through one of these fixtures, which look for the tool themselves. Where the tool is,
the test runs; where `CI` is set, a tool that is missing is a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NoReturn

import pytest

from tests.integration.faults import harness, small_disk

SKIPPED: Final = "skipped"


def no_faketime() -> str | None:
    """Return why no process can be given another time here, None where it can."""
    return None if shutil.which("faketime") else "libfaketime is not installed"


# Fixture -> what the page calls it, and why it is not to be had here.
TOOLS: Final[Mapping[str, tuple[str, Callable[[], str | None]]]] = {
    "faketime": ("faketime", no_faketime),
    "strace": ("strace", harness.why_not),
    "small_file_system": ("a file system that can be mounted", small_disk.why_not),
}


def in_ci() -> bool:
    """Return whether this run must leave nothing out."""
    return bool(os.environ.get("CI"))


def left_out(why: str, *, ci: bool) -> NoReturn:
    """Skip the test, or fail it where nothing may be left out."""
    if ci:
        pytest.fail(f"nothing is left out here: {why}", pytrace=False)
    pytest.skip(why)


def quiet(outcome: str, fixtures: Iterable[str]) -> str | None:
    """Return what is wrong with an outcome: a skip that no fixture of a tool explains."""
    if outcome == SKIPPED and not TOOLS.keys() & set(fixtures):
        return "an attack was skipped without a tool of tests/attacks/tools.py that it needs"
    return None
