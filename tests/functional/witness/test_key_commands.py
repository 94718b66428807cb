"""The commands of docs/guides/keys-and-recovery.md, as people type them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from governance.ledger.core.policy import Policy
from tests.integration.succession.ending import lived_in
from tests.support.project import ROOT
from tests.support.small_deployment import cheap_passwords, password_of

pytestmark = [pytest.mark.requirement("P3"), pytest.mark.slow]
GUIDE = (ROOT / "docs/guides/keys-and-recovery.md").read_text("utf-8")


def vigil(folder: Path, line: str, *, who: str, second: str = "") -> Any:
    """Run a line of the guide in the folder as this person; return what it printed."""
    assert line in GUIDE, "the guide says something else"
    words = line.split()[1:]
    environment = {
        **os.environ,
        "VIGIL_HOME": str(folder / "vigil-home"),
        "VIGIL_PASSWORD": password_of(who),
        "VIGIL_SECOND_PASSWORD": password_of(second) if second else "",
        "XDG_STATE_HOME": str(folder / "state"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-P", "-m", "governance.cli", *words, "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_commands_of_the_guide_work(tmp_path: Path) -> None:
    with cheap_passwords():
        lived_in(tmp_path).rename(tmp_path / "vigil-home")
    before = (tmp_path / "vigil-home" / "log.policy").read_text()
    (tmp_path / "log.policy").write_text(before)
    vigil(tmp_path, "vigil login ada", who="ada")
    new = vigil(tmp_path, "vigil ledger rotate-key", who="ada")["new"]
    vigil(tmp_path, "vigil login rea", who="rea")
    assert vigil(tmp_path, "vigil ledger rotate-key", who="rea")["state"] == "rotated"
    line = "vigil ledger witness add-key VKEY --log-policy log.policy"
    assert line in GUIDE
    done = subprocess.run(
        [sys.executable, "-P", "-m", "governance.cli", *line.replace("VKEY", new).split()[1:]],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(Policy.parse((tmp_path / "log.policy").read_bytes()).logs) == 2
    vigil(tmp_path, "vigil login ada", who="ada")
    assert vigil(tmp_path, "vigil ledger rotate-key --finish", who="ada")["state"] == "retired"
    (close,) = re.findall(r"^vigil ledger close .*$", GUIDE, flags=re.MULTILINE)
    closed = vigil(tmp_path, close, who="ada", second="rea")
    assert closed["mode"] == "closed"
    assert (tmp_path / "next-home" / "vigil.toml").exists()
    again = tmp_path / "again"
    again.mkdir()
    (tmp_path / "next-home").rename(again / "vigil-home")
    (again / "vigil-home" / "keys" / "log.pem").unlink()
    (lost,) = re.findall(r"^vigil ledger recover .*--key-lost.*$", GUIDE, flags=re.MULTILINE)
    assert vigil(again, lost, who="ada", second="rea")["mode"] == "key_lost"
