"""The guide's commands are run as they stand, each by somebody who may (P13)."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner, Result

from governance import deployment
from governance.cli.main import app
from tests.support.about_people import OTHER, SUBJECT, people
from tests.support.project import ROOT
from tests.support.small_deployment import (
    DAY_US,
    START_US,
    TickingClock,
    cheap_passwords,
    password_of,
)

pytestmark = pytest.mark.requirement("P13")

GUIDE: Final = ROOT / "docs/guides/erase-a-subject.md"
TYPED: Final = f"{SUBJECT}\nLetter of 3 March\n"
BLOCK: Final = re.compile(r"```sh\n(.*?)```", re.DOTALL)
# Whoever gives the command in the guide; lifting a legal hold takes two.
WHO: Final = {
    "legal-hold place": ["sam"],
    "legal-hold lift": ["rea", "reg"],
    "erase -": ["cas"],
    "erasure confirm": ["reg"],
    "erasure finish": ["cas"],
    "erasure refuse": ["reg"],
    "keys rotate-epoch": ["ada"],
}


def commands() -> list[list[str]]:
    """Return the guide's commands in their order, without what the shell does."""
    blocks = "\n".join(BLOCK.findall(GUIDE.read_text(encoding="utf-8")))
    lines = [line for line in blocks.splitlines() if line.startswith("vigil ")]
    return [shlex.split(line.partition(" < ")[0])[1:] for line in lines]


class Shell:
    """Commands against one home that no server owns, with the session of one person each."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self._folder = folder

    def run(self, person: str, words: list[str], *, typed: str = "") -> Result:
        environment = {
            "XDG_STATE_HOME": str(self._folder / f"state-{person}"),
            "VIGIL_PASSWORD": password_of(person),
            "VIGIL_HOME": str(self.home),
        }
        return CliRunner().invoke(app, words, env=environment, input=typed)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A home with answers about two people, which no process has open."""
    with people(tmp_path, days=0) as opened:
        for subject in (SUBJECT, OTHER):
            opened.ask(subject)
    clock = TickingClock(now_us=START_US + 10 * DAY_US)
    monkeypatch.setattr(deployment, "SystemClock", lambda: clock)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.policy").write_text((tmp_path / "home" / "log.policy").read_text())
    with cheap_passwords():
        yield Shell(tmp_path)


@pytest.mark.slow
def test_the_guide_is_run_from_its_first_command_to_its_last(shell: Shell) -> None:
    found = commands()
    assert len(found) > 10
    for words in found:
        if words[:2] == ["erasure", "refuse"]:
            asked = ["erase", "-", "--basis", "objection", "--reason", "Another letter"]
            assert shell.run("cas", asked, typed=f"{OTHER}\n").exit_code == 0
        for person in WHO.get(" ".join(words[:2]), ["reg"]):
            assert shell.run(person, ["login", person]).exit_code == 0
            done = shell.run(person, words, typed=TYPED if words[0] == "erase" else "")
            assert done.exit_code == 0, (words, done.output, done.exception)
            assert SUBJECT not in done.output
            if words[0] == "erase":
                said = shell.run("reg", ["erasure", "show", "E-1", "--json"])
                assert json.loads(said.output)["reason"] == "Letter of 3 March"
    assert sorted(path.name for path in (shell.home / "keys").glob("kek-*")) == ["kek-2.bin"]


def test_every_command_can_be_read_by_a_program(shell: Shell) -> None:
    asked = ["erase", SUBJECT, "--basis", "objection", "--reason", "A letter", "--json"]
    shell.run("cas", ["login", "cas"])
    shell.run("reg", ["login", "reg"])
    waiting = json.loads(shell.run("cas", asked).output)
    assert (waiting["erasure"], waiting["state"], waiting["may"]) == (
        "E-1",
        "requested",
        [],
    )
    erased = json.loads(shell.run("reg", ["erasure", "confirm", "E-1", "--json"]).output)
    assert erased["bodies"] == 2
    assert json.loads(erased["receipt"])["v"] == 1
    again = shell.run("reg", ["erasure", "confirm", "E-1"])
    assert again.exit_code != 0
    assert getattr(again.exception, "code", "") == "erasure.already_erased"


def test_a_basis_that_is_not_in_the_list_is_refused(shell: Shell) -> None:
    shell.run("cas", ["login", "cas"])
    asked = ["erase", SUBJECT, "--basis", f"{SUBJECT} asked", "--reason", "A letter"]
    done = shell.run("cas", asked)
    assert getattr(done.exception, "code", "") == "input.invalid"
    assert SUBJECT not in str(done.exception)
