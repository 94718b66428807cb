"""Faults at chosen system calls of a real process, and what must hold afterwards.

strace attaches to the driver when a phase begins, and makes call number N of a kind fail, or ends
the process there. It counts each thread's calls apart, so a number is met by the pen's thread or by
the main one, whichever gets there. Only calls on the home's own files count (`-P`).

After each run the home is opened without faults, as an operator would: nothing is repaired by hand.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from governance.clock import SystemClock
from governance.deployment import open_deployment
from governance.errors import GovernanceError
from governance.home import Home
from governance.ledger.core.policy import Policy
from governance.ledger.core.receipt import verify_receipt
from governance.operations.admin.sign_in import sign_in
from governance.registry.records import Person
from governance.storage.open import Storage, open_storage
from tests.integration.faults import driver

CALLS: Final = ("fdatasync", "fsync", "pwrite64", "ftruncate", "openat", "write", "rename", "mkdir")
FILES: Final = (
    "", "vigil.sqlite", "vigil.sqlite-wal", "vigil.sqlite-shm", "vigil.sqlite-journal",
    "checkpoints.log", "checkpoints.new", "owner.lock",
    "keys", "keys/keys.sqlite", "keys/keys.sqlite-wal", "keys/keys.sqlite-shm",
)  # fmt: skip
SECONDS: Final = 120
# The schema tool keeps its state in a module; and a child that is not yet the program that it is to
# be holds our files, the owner's lock among them.
_ONE_AT_A_TIME: Final = threading.Lock()
_CALL: Final = re.compile(r"^(\d+) +([a-z0-9]+)\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Which call meets what. `when` is strace's: "7", "7+" from there on, "1..7" the first ones."""

    phase: str
    call: str
    what: str
    when: str

    def __str__(self) -> str:
        return f"{self.phase}-{self.call}-{self.what}-{self.when}"

    @property
    def inject(self) -> str:
        """Return the value of strace's option."""
        effect = "signal=KILL" if self.what == "KILL" else f"error={self.what}"
        return f"{self.call}:{effect}:when={self.when}"


@dataclass(slots=True, kw_only=True)
class Ran:
    """What one run said and how it ended."""

    fault: Fault | None
    said: list[dict[str, Any]] = field(default_factory=list)
    killed: bool = False
    hits: int = 0
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    survivors: int = 0

    @property
    def acknowledged(self) -> list[dict[str, Any]]:
        """Return the requests that the driver was told to be durable."""
        return [one for one in self.said if "ack" in one]

    @property
    def refused(self) -> list[str]:
        """Return the codes of the refusals."""
        return [one["code"] for one in self.said if "refused" in one]

    @property
    def ended(self) -> str | None:
        """Return the code with which the driver ended, None where it ended well or was killed."""
        return next((one["ended"] for one in self.said if "ended" in one), None)


@cache
def why_not() -> str | None:
    """Return why no fault can be injected here, None where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=fsync", "true"]
    tried = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=30)
    return None if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()}"


@cache
def _context() -> Any:
    """Return a context whose processes begin with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([driver.__name__])
    return context


def run(
    root: Path, fault: Fault | None, *, phase: str = "commit", requests: int = driver.REQUESTS
) -> Ran:
    """Run the driver on the home at `root` under the fault; without one, count the calls."""
    phase = fault.phase if fault else phase
    ran = Ran(fault=fault)
    ours, theirs = _context().Pipe()
    process = _context().Process(
        target=driver.run, args=(str(root), phase, theirs, requests), daemon=True
    )
    process.start()
    theirs.close()
    try:
        with tempfile.TemporaryDirectory(prefix="vigil-strace-") as folder:
            log = Path(folder) / "calls"
            for message in _messages(ours):
                if "ready" in message:
                    tracer = _attach(process.pid, root, phase, fault, log)
                    ours.send("go")
                    continue
                ran.said.append(message)
            process.join(SECONDS)
            assert process.exitcode is not None, f"{fault}: the driver hangs"
            ran.killed = process.exitcode < 0
            tracer.communicate(timeout=SECONDS)
            _read_calls(log, ran)
    finally:
        process.kill()
        process.join()
        ours.close()
    return ran


def _messages(pipe: Connection) -> Iterable[dict[str, Any]]:
    while pipe.poll(SECONDS):
        try:
            yield pipe.recv()
        except EOFError:
            return
    raise AssertionError("the driver hangs")


def _attach(
    pid: int, root: Path, phase: str, fault: Fault | None, log: Path
) -> subprocess.Popen[str]:
    command = ["strace", "-f", "-y", "-o", str(log), "-p", str(pid)]
    if phase != "init":  # a home in the making has another name
        command += [word for name in FILES for word in ("-P", str(root / name).rstrip("/"))]
    command += ["-e", f"trace={fault.call if fault else ','.join(CALLS)}"]
    command += ["-e", f"inject={fault.inject}"] if fault else []
    with _ONE_AT_A_TIME:
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    line = tracer.stderr.readline()
    assert "attached" in line, line
    return tracer


def _read_calls(log: Path, ran: Ran) -> None:
    for line in log.read_text(errors="replace").splitlines():
        ran.hits += "(INJECTED)" in line
        if found := _CALL.match(line):
            ran.calls[found[1], found[2]] += 1
    if ran.fault is not None and ran.fault.what == "KILL":
        ran.hits += ran.killed


def check(root: Path, ran: Ran, *, requests: int = driver.REQUESTS) -> None:
    """Assert what must hold after any fault: whole, nothing acknowledged lost, nothing twice."""
    home = Home.open(root)
    policy = Policy.parse(home.policy_path.read_bytes())
    assert not (ran.ended or "").startswith("foreign"), f"{ran.fault}: {ran.ended}"
    with driver.small_files(), open_storage(home, clock=SystemClock()) as storage:
        storage.ledger.verify()
        storage.rebuild()
        for one in ran.acknowledged:
            try:
                _check_acknowledged(storage, one, policy)
            except (AssertionError, GovernanceError) as error:
                raise Lost(f"{ran.fault}: {error}") from error
        present = numbers(storage)
        assert max(present.values(), default=1) == 1, f"{ran.fault}: {present}"
        ran.survivors = len(present.keys() - {one["ack"] for one in ran.acknowledged})
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        for number in range(requests):
            driver.ask(storage, number, key_id)
        assert numbers(storage) == Counter(range(requests)), f"{ran.fault}: repeated or lost"
        storage.ledger.verify()
        storage.rebuild()


class Lost(AssertionError):
    """Something that was acknowledged is not there as it was."""


def check_made(root: Path, ran: Ran) -> None:
    """Assert that making a home left a whole one or none; then it can be made."""
    assert not (ran.ended or "").startswith("foreign"), f"{ran.fault}: {ran.ended}"
    if not root.exists():
        with _ONE_AT_A_TIME:
            driver.init(root)
    elif ran.ended is not None:  # told that it failed, so nothing may stand there
        raise AssertionError(f"{ran.fault}: {ran.ended}, and a home is there")
    with driver.cheap_passwords(), open_deployment(root) as deployment:
        deployment.ledger.verify()
        deployment.rebuild()
        sign_in(deployment, person="ada", password=driver.PASSWORD)
    kept = [path.name for path in root.parent.iterdir() if path != root]
    assert not kept or ran.killed, f"{ran.fault}: {kept} are left"


def _check_acknowledged(storage: Storage, one: dict[str, Any], policy: Policy) -> None:
    number = one["ack"]
    if driver.is_act(number):
        with storage.reader() as reader:
            assert reader.get(Person, f"p{number}") is not None, f"act {number} is lost"
    if one["seq"] is None:
        return
    entry = storage.ledger.entry(one["seq"])
    assert entry.event_id == one["event_id"], f"entry {one['seq']} is another one"
    if one["receipt"] is None:
        return
    proven = verify_receipt(one["receipt"], policy)
    assert (proven.seq, proven.entry.event_id) == (one["seq"], one["event_id"])
    assert proven.body == storage.ledger.body(one["seq"])
    if not driver.is_act(number):
        assert proven.body == driver.body_of(number)


def numbers(storage: Storage) -> Counter[int]:
    """Return how often each request is in the ledger."""
    found: Counter[int] = Counter()
    for entry in storage.ledger.entries(0, 10_000):
        facts = entry.facts
        if isinstance(facts, dict) and isinstance(facts.get("number"), int):
            found[facts["number"]] += 1  # type: ignore[index]
    return found


def calls_of(ran: Ran, call: str) -> int:
    """Return how many calls of a kind the busiest thread made: the numbers that can be met."""
    return max((count for (_, name), count in ran.calls.items() if name == call), default=0)
