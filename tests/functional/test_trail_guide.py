"""The commands of the guide to the trail, one after the other, in a small home."""

from __future__ import annotations

import csv
import re
import shlex
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from change_control.roles import Role
from governance.cli.main import app
from tests.support.project import ROOT
from tests.support.small_deployment import (
    EVERYWHERE,
    START_US,
    admit,
    cheap_passwords,
    password_of,
    small,
)

GUIDE = ROOT / "docs" / "guides" / "review-the-trail.md"
COMMANDS = re.findall(r"^\$ vigil (.*)$", GUIDE.read_text("utf-8"), re.MULTILINE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which `ines` reviews and has done nothing else; she is signed in."""
    with small(tmp_path) as opened:
        admit(opened, "ines", ((Role.REVIEWER, EVERYWHERE),))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("VIGIL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VIGIL_PASSWORD", password_of("ines"))
    monkeypatch.setattr("governance.clock.SystemClock.now_us", lambda _: START_US + 10**12)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def vigil(command: str) -> str:
    done = CliRunner().invoke(app, shlex.split(command), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_every_command_of_the_guide_does_what_it_says(home: Path) -> None:
    assert len(COMMANDS) >= 10
    with cheap_passwords():
        vigil("login ines")
        told = {command: vigil(command) for command in COMMANDS}
        files = vigil("ledger search --files --kind trail.exported --json")
    assert "accepted" in told[COMMANDS[-1]]
    assert "REL-1" in told["ledger search --record version:forecasting/1"]
    for name in ("releases.pdf", "mo.csv", "release.jsonl"):
        assert sha256(Path(name).read_bytes()).hexdigest() in files, name
    with Path("mo.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["actor"] for row in csv.DictReader(stream)} == {"mo"}
    assert (home / "trail.sqlite").exists() is False, "a short log has no finished segment"
