"""One finished demonstration, built once by the real command, and copied for each test."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 60.0
_ACCOUNT = re.compile(r"^  (\w+) +([0-9a-f]{6}(?:-[0-9a-f]{6}){3}) ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """A home, who can sign in to it, and where their sessions are kept."""

    home: Path
    passwords: Mapping[str, str]
    state: Path
    told: str

    def keep_in(self, file: Path) -> None:
        """Write down where it is, for another test process."""
        known = {
            "home": str(self.home),
            "passwords": dict(self.passwords),
            "state": str(self.state),
            "told": self.told,
        }
        file.write_text(json.dumps(known), encoding="utf-8")

    @classmethod
    def kept_in(cls, file: Path) -> Demonstration:
        """Return what another test process built."""
        known = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            home=Path(known["home"]),
            passwords=known["passwords"],
            state=Path(known["state"]),
            told=known["told"],
        )

    def vigil(
        self, *words: str, password: str | None = None, home: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the real command against this home in a process of its own."""
        return run_vigil(
            *words,
            *(("--home", str(self.home)) if home else ()),
            password=password,
            state=self.state,
        )

    def login(self, person: str) -> None:
        """Sign the person in, so that the commands that follow act as them."""
        done = self.vigil("login", person, password=self.passwords[person])
        assert done.returncode == 0, done.stderr

    def copy(self, folder: Path) -> Demonstration:
        """Return the same demonstration in a folder of its own."""
        shutil.copytree(self.home, folder / "home")
        return Demonstration(
            home=folder / "home",
            passwords=self.passwords,
            state=folder / "state",
            told=self.told,
        )

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve the home in a process of its own, as an operator would, and give its address."""
        with start_server(self.home) as process:
            try:
                yield address_of(process)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=START_SECONDS)


def run_vigil(
    *words: str, password: str | None = None, state: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `vigil` with the words; a password is given as the environment gives it."""
    environment = {key: value for key, value in os.environ.items() if key != "VIGIL_PASSWORD"}
    if password is not None:
        environment["VIGIL_PASSWORD"] = password
    if state is not None:
        environment["XDG_STATE_HOME"] = str(state)
    return subprocess.run(
        [sys.executable, "-P", "-m", "governance.cli", *words],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=600,
    )


def build(folder: Path) -> Demonstration:
    """Build the demonstration with its own command."""
    folder.mkdir(exist_ok=True)
    home = folder / "home"
    done = run_vigil("demo", "--check", "--home", str(home))
    assert done.returncode == 0, done.stdout + done.stderr
    return Demonstration(
        home=home,
        passwords=dict(_ACCOUNT.findall(done.stdout)),
        state=folder / "state",
        told=done.stdout,
    )


def start_server(home: Path) -> subprocess.Popen[str]:
    """Start `vigil serve` on a free port."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "governance.cli", "serve", "--home", str(home), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def address_of(process: subprocess.Popen[str]) -> str:
    """Wait for the server's word that it serves, and return its address."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("Serving http://"):
        _out, errors = process.communicate(timeout=START_SECONDS)
        raise AssertionError(f"the server did not start: {line}{errors}")
    address = line.removeprefix("Serving ").strip()
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/healthz", timeout=5).status_code == httpx.codes.OK:
                return address
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server listens and does not answer")


def token(address: str, client: str, secret: str, scope: str) -> str:
    """Get an access token as a calling system does."""
    issued = httpx.post(
        f"{address}/oauth/token",
        data={"grant_type": "client_credentials", "scope": scope},
        auth=(client, secret),
        timeout=30,
    )
    issued.raise_for_status()
    return str(issued.json()["access_token"])


def ask(address: str, bearer: str, **row: Any) -> httpx.Response:
    """Ask the forecasting model one row."""
    return httpx.post(
        f"{address}/v1/models/forecasting/predict",
        json={
            "rows": [{"product_class": "A10", "concession": "total", "horizon": 6} | row],
            "context": {"purpose": "stock-planning"},
        },
        headers={"Authorization": f"Bearer {bearer}"},
        timeout=30,
    )


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what a command with --json printed."""
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
