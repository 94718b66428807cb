"""The guide to PostgreSQL is executed: its `vigil db` commands do what it says."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from governance.cli.main import app
from governance.storage.engine import reader_engine
from governance.storage.fencing import epoch_at_start
from tests.support.postgresql import owned
from tests.support.project import ROOT

if TYPE_CHECKING:
    from governance.home import Home

GUIDE = (ROOT / "docs/guides/run-on-postgresql.md").read_text("utf-8")
OWNER = "postgresql://vigil_admin@db.example/vigil"

pytestmark = pytest.mark.postgres


def commands() -> list[list[str]]:
    """Return the guide's `vigil db` commands, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    split = [shlex.split(line) for line in lines]
    return [words for words in split if words[:2] == ["vigil", "db"]]


def test_every_database_command_of_the_guide_succeeds(postgresql_home: Home) -> None:
    printed = []
    for words in commands():
        known = {"vigil-home": str(postgresql_home.root), OWNER: str(owned(postgresql_home))}
        here = [known.get(word, word) for word in words[1:]]
        if "--apply" in here and "--address" not in here:  # made by the owner, when it is set up
            here += ["--address", str(owned(postgresql_home))]
        done = CliRunner().invoke(app, here, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        printed.append(done.output)
    assert len(printed) >= 5
    assert "CREATE ROLE vigil_writer NOLOGIN" in printed[0]
    engine = reader_engine(postgresql_home.database)
    assert epoch_at_start(engine) == 1
    engine.dispose()
