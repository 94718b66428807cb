"""A home appears whole or not at all, keeps its keys to itself, and has one owner."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from governance.clock import FixedClock
from governance.errors import Conflict, InvalidInput, NotFound
from governance.home import Home, HomeInvalid, HomeOwned, OwnerLock, policy_text
from governance.ledger.core.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = FixedClock(now_us=1_800_000_000_000_000)


def make(root: Path, **changes: object) -> Home:
    named = {"organisation": "acme", "deployment": "test", "clock": CLOCK, **changes}
    return Home.create(root, **{"populate": lambda _home: None, **named})  # type: ignore[arg-type]


def test_a_home_opens_as_it_was_made(tmp_path: Path) -> None:
    home = make(tmp_path / "home")
    assert Home.open(home.root) == home
    assert home.origin == f"acme/test/audit/{home.config.log_uuid}"
    assert Policy.parse(home.policy_path.read_bytes()).log_keys(home.origin)
    assert home.policy_path.read_text() == policy_text(home.log_key(), home.origin)


def test_keys_are_readable_by_their_owner_only_and_differ(tmp_path: Path) -> None:
    home = make(tmp_path / "home")
    assert home.keys_dir.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in home.keys_dir.iterdir()} == {0o600}
    keys = (home.log_key(), home.signature_key(), home.token_key())
    assert len({key.private_bytes_raw() for key in keys}) == 3


def test_an_empty_folder_becomes_a_home_and_a_full_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty")
    for occupied in (tmp_path / "empty", tmp_path):
        before = sorted(occupied.iterdir())
        with pytest.raises(Conflict, match="not empty"):
            make(occupied)
        assert sorted(occupied.iterdir()) == before


def test_a_home_whose_filling_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing(_home: Home) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        make(tmp_path / "home", populate=failing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "Acme", "a b", "a+b", "a/b", "-a", "a\n", "ä", "a" * 65])
def test_a_name_that_cannot_be_in_a_log_origin_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="organisation"):
        make(tmp_path / "home", organisation=name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_home_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no home"):
        Home.open(tmp_path)


@pytest.mark.parametrize("line", ["port = ", "surprise = 1", "[limits]\nmax_body_bytes = 0"])
def test_a_configuration_that_is_not_understood_is_refused(tmp_path: Path, line: str) -> None:
    home = make(tmp_path / "home")
    config = home.root / "vigil.toml"
    config.write_text(line + "\n" + config.read_text().split("\n[limits]")[0])
    with pytest.raises(HomeInvalid):
        Home.open(home.root)


def test_a_lost_or_foreign_key_file_is_named(tmp_path: Path) -> None:
    home = make(tmp_path / "home")
    (home.keys_dir / "log.pem").write_bytes(b"no key")
    (home.keys_dir / "token.pem").unlink()
    with pytest.raises(HomeInvalid, match=r"log\.pem"):
        home.log_key()
    with pytest.raises(HomeInvalid, match=r"token\.pem"):
        home.token_key()


def test_a_home_has_one_owner_until_it_is_released(tmp_path: Path) -> None:
    first, second = OwnerLock(tmp_path / "lock"), OwnerLock(tmp_path / "lock")
    with first, pytest.raises(HomeOwned, match=str(os.getpid())) as refused:
        second.acquire()
    assert refused.value.http_status == 409
    with second:
        pass
