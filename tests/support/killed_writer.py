"""A process that opens a home and commits until it is killed: a crash, not a picture of one."""

from __future__ import annotations

import multiprocessing
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from governance.home import Home
from governance.ledger.core.policy import Policy
from governance.ledger.core.witness import seen_path
from governance.ledger.store.witnesses import WitnessAnswer
from governance.storage.open import open_storage
from governance.witness.home import open_witness
from governance.witness.store import SeenStore
from governance.witness.witness import Reply, Witness
from tests.support.small_deployment import TickingClock

SECONDS = 60


class FileWitness:
    """A witness that keeps its memory in a folder, asked without a network by any process.

    It reads the policy at each request: its owner tells it of a new key of the log at once.
    """

    def __init__(self, root: Path, *, policy: Path, now_us: int) -> None:
        self._home = open_witness(root)
        self._policy = policy
        self._clock = TickingClock(now_us=now_us)
        self.store = SeenStore(self._home.database_path)

    def add_checkpoint(self, body: bytes) -> WitnessAnswer:
        """Answer as the witness does."""
        return _answered(self._witness().add_checkpoint(body))

    def seen(self, origin: str) -> WitnessAnswer:
        """Show what the witness saw last."""
        return _answered(self._witness().seen(seen_path(origin).split("/")[1]))

    def _witness(self) -> Witness:
        policy = Policy.parse(self._policy.read_bytes())
        return Witness(home=self._home, store=self.store, policy=policy, clock=self._clock)


def _answered(reply: Reply) -> WitnessAnswer:
    return WitnessAnswer(status=reply.status, content_type=reply.content_type, body=reply.body)


def write(root: str, witness: str, now_us: int, pipe: Connection) -> None:
    """Commit acts until somebody ends the process; tell each one when it is durable."""
    home = Home.open(Path(root))
    door = FileWitness(Path(witness), policy=home.policy_path, now_us=now_us)
    clock = TickingClock(now_us=now_us)
    with open_storage(home, clock=clock, reach=lambda _where: door) as storage:
        while True:
            done = storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
            pipe.send((done.seq, done.event_id))


def acknowledged_until_killed(
    root: Path, witness: Path, *, now_us: int, kill_after: int
) -> list[tuple[int, str]]:
    """Let the process acknowledge some acts, kill it, and return every one that it told."""
    ours, theirs = _context().Pipe(duplex=False)
    process = _context().Process(
        target=write, args=(str(root), str(witness), now_us, theirs), daemon=True
    )
    process.start()
    theirs.close()
    said: list[tuple[int, str]] = []
    try:
        while ours.poll(SECONDS):
            said.append(ours.recv())
            if len(said) == kill_after:
                process.kill()
    except EOFError:
        pass
    finally:
        process.kill()
        process.join()
        ours.close()
    assert len(said) >= kill_after, "the writer never wrote"
    return said


@cache
def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context
