"""The demonstration deletes demonstrations, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.cli.demo.stage import DEPLOYMENT, FINISHED, perform
from governance.clock import FixedClock
from governance.errors import Conflict
from governance.home import HomeOwned, OwnerLock
from governance.storage.open import create_home

CLOCK = FixedClock(now_us=1_800_000_000_000_000)


def _perform(home: Path, *, fresh: bool) -> list[str]:
    told: list[str] = []
    perform(home, port=0, stay=False, fresh=fresh, write=told.append)
    return told


def test_fresh_does_not_delete_a_home_of_another_deployment(tmp_path: Path) -> None:
    home = tmp_path / "home"
    create_home(home, organisation="st-olav", deployment="main", clock=CLOCK)
    with pytest.raises(Conflict):
        _perform(home, fresh=True)
    assert (home / "vigil.sqlite").exists()


def test_fresh_does_not_delete_a_folder_that_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(Conflict):
        _perform(tmp_path, fresh=True)
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_fresh_does_not_delete_a_demonstration_that_is_served(tmp_path: Path) -> None:
    home = tmp_path / "home"
    create_home(home, organisation="demo-hospital", deployment=DEPLOYMENT, clock=CLOCK)
    with OwnerLock(home / "owner.lock"), pytest.raises(HomeOwned):
        _perform(home, fresh=True)
    assert (home / "vigil.sqlite").exists()


def test_a_finished_demonstration_stays_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    create_home(home, organisation="demo-hospital", deployment=DEPLOYMENT, clock=CLOCK)
    (home / FINISHED).touch()
    assert "is finished" in _perform(home, fresh=False)[0]
