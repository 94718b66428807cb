"""Witnesses as other parties run them: the real command, a port of its own, HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.demonstration import run_vigil

NAMES = ("hospital", "vendor", "body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A witness's folder, its verifier key, and where it is served."""

    name: str
    root: Path
    vkey: str
    address: str


@contextmanager
def served_witness(root: Path, *, name: str, policy: Path, port: int = 0) -> Iterator[Party]:
    """Make the witness where there is none, and serve it for the length of the block."""
    if not root.exists():
        made = run_vigil(
            "ledger", "witness", "init", "--name", f"{name}.example", "--home", str(root)
        )
        assert made.returncode == 0, made.stderr
    words = ("serve", "--home", str(root), "--log-policy", str(policy), "--port", str(port))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "governance.cli", "ledger", "witness", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().split()
        assert line[:1] == ["Witnessing"], line
        yield Party(name=name, root=root, address=line[1], vkey=line[3])
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def configure(home: Path, parties: list[Party], **settings: int) -> None:
    """Name the parties in vigil.toml, as an operator would with an editor."""
    config = home / "vigil.toml"
    text = config.read_text()
    for name, value in settings.items():
        lines = [one for one in text.splitlines() if not one.startswith(f"{name} = ")]
        text = "\n".join(lines).replace("[witnessing]", f"[witnessing]\n{name} = {value}") + "\n"
    for party in parties:
        text += (
            f'\n[[witness]]\nname = "{party.name}"\norganisation = "{party.name}"\n'
            f"address = {json.dumps(party.address)}\nvkey = {json.dumps(party.vkey)}\n"
        )
    config.write_text(text)
