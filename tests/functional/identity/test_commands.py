"""Accounts from the command line, in a home that no server owns (P6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from governance.cli.main import app
from governance.operations.actor import PasswordMustChange
from governance.operations.admin.passwords import PasswordRefused
from governance.operations.admin.sign_in import BadCredentials
from tests.unit.identity.conftest import cheap_hashes

ADA, FIRST, OWN = "known-to-ada-alone", "given-to-rea-by-ada", "known-to-rea-alone"


class Shell:
    """Commands against one home, with the session of whoever signed in last."""

    def __init__(self, folder: Path) -> None:
        self._home = str(folder / "home")
        self._state = str(folder / "state")

    def try_to(self, *words: str, password: str = "", new: str | None = None) -> Result:
        environment = {"XDG_STATE_HOME": self._state, "VIGIL_PASSWORD": password}
        environment |= {} if new is None else {"VIGIL_NEW_PASSWORD": new}
        words = (*words, "--home", self._home, "--json")
        return CliRunner().invoke(app, words, env=environment)

    def vigil(self, *words: str, password: str = "", new: str | None = None) -> dict[str, Any]:
        done = self.try_to(*words, password=password, new=new)
        assert done.exit_code == 0, (done.output, done.exception)
        found: dict[str, Any] = json.loads(done.output)
        return found


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A new home with ada, who has just added the reviewer rea."""
    opened = Shell(tmp_path)
    init = ("init", "--organisation", "st-olav", "--administrator", "ada")
    with cheap_hashes():
        opened.vigil(*init, "--printed-name", "Ada Berg", password=ADA)
        opened.vigil("login", "ada", password=ADA)
        opened.vigil("user", "add", "rea", "--printed-name", "Rea Lind", password=FIRST)
        opened.vigil("user", "roles", "rea", "--scope", "st-olav/*", "--grant", "reviewer")
        yield opened


def test_a_first_password_is_changed_and_then_everything_opens(shell: Shell) -> None:
    assert shell.vigil("login", "rea", password=FIRST)["must_change_password"] is True
    assert isinstance(shell.try_to("user", "list").exception, PasswordMustChange)
    changed = shell.vigil("user", "password", password=FIRST, new=OWN)
    assert changed == {"person": "rea", "must_change": False}
    assert len(shell.vigil("user", "list")["people"]) == 2
    assert isinstance(shell.try_to("login", "rea", password=FIRST).exception, BadCredentials)
    assert shell.vigil("login", "rea", password=OWN)["must_change_password"] is False


def test_a_password_is_not_changed_without_the_present_one(shell: Shell) -> None:
    refused = shell.try_to("user", "password", password="a-guess-at-it", new=OWN)
    assert isinstance(refused.exception, PasswordRefused)
    shell.vigil("login", "ada", password=ADA)


def test_a_forgotten_password_is_reset_to_one_that_is_changed(shell: Shell) -> None:
    reset = shell.vigil("user", "reset", "rea", password="another-first-one")
    assert reset == {"person": "rea", "must_change": True}
    assert isinstance(shell.try_to("login", "rea", password=FIRST).exception, BadCredentials)
    opened = shell.vigil("login", "rea", password="another-first-one")
    assert opened["must_change_password"] is True
