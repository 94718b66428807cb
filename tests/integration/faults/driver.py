"""A process that commits under faults and says what it was told: one acknowledgement a request.

It runs on the home as it is deployed; only two limits are lowered, so that a short run moves the
write-ahead log into the database and begins `checkpoints.log` anew several times. Every request can
be sent again: an act adds a person once, an answer has an idempotency key. What goes through the
pipe was handed to the kernel before the next request, so it survives the process.

`PHASES` says where the process waits for whoever brings the faults: before the home is made, before
it is opened, before the first commit, or before it is closed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final
from unittest.mock import patch

from governance.clock import SystemClock
from governance.errors import GovernanceError
from governance.home import Home
from governance.ledger.core import canonical
from governance.ledger.store import note_file
from governance.operations.admin.create_home import create_home
from governance.registry.records import Person
from governance.storage import engine
from governance.storage.errors import AuditUnavailable
from governance.storage.open import Storage, open_storage
from governance.storage.ports import Body, CommittedAnswer, PendingAnswer, Recorded, Unit
from tests.support.small_deployment import cheap_passwords

PHASES: Final = ("init", "open", "commit", "close")
REQUESTS: Final = 12
ATTEMPTS: Final = 3
PASSWORD: Final = "the password of ada"
_FILLING: Final = "x" * 12_000  # so that a commit is more than one page
_SET_PTRACER: Final = 0x59616D61
_CHECKPOINT_PAGES: Final = 60
_ROTATE_BYTES: Final = 2_000
_TAIL_BYTES: Final = 1_000


def is_act(number: int) -> bool:
    """Return whether request `number` is a governed act; the others are answers."""
    return number % 3 == 0


def act(number: int, unit: Unit) -> Recorded | None:
    """Add person `number`; a repetition changes nothing."""
    if unit.get(Person, f"p{number}") is not None:
        return None
    person = Person(
        id=f"p{number}",
        printed_name=f"Person {number}",
        organisation="acme",
        created_us=unit.now_us,
        disabled=False,
        demonstration=True,
    )
    unit.put_blob(f"{number}{_FILLING}".encode(), media_type="text/plain")
    return unit.record(kind="person.added", actor="ada", add=[person], notes={"number": number})


def body_of(number: int) -> bytes:
    """Return the body of answer `number`."""
    return canonical.dumps(
        {"reply": f'{{"rows":[{number}]}}', "request": f"{number}{_FILLING}", "v": 1}
    )


def answer(number: int, key_id: str, epoch: int) -> PendingAnswer:
    """Return answer `number` under its idempotency key."""
    return PendingAnswer(
        kind="inference.answered",
        facts={"caller": "clinic", "model": "m", "number": number, "epoch": epoch},
        body=Body(content=body_of(number), key_id=key_id),
        reply=f'{{"rows":[{number}]}}'.encode(),
        status=200,
        epoch=epoch,
        until_us=None,
        idempotency=("clinic", f"key-{number}", f"{number:064x}"),
        observations=(("low", str(number)),),
    )


def ask(storage: Storage, number: int, key_id: str) -> Recorded | CommittedAnswer | None:
    """Send request `number` and wait for its end; None is an act that was done before."""
    if is_act(number):
        return storage.pen.commit(lambda unit: act(number, unit))
    return storage.pen.answer(answer(number, key_id, storage.pen.standing_epoch)).result(60)


@contextmanager
def small_files() -> Iterator[None]:
    """Move the write-ahead log and begin the notes anew after a few commits, not thousands."""
    writer = {**engine._WRITER, "wal_autocheckpoint": _CHECKPOINT_PAGES}
    with (
        patch.object(engine, "_WRITER", writer),
        patch.object(note_file, "_ROTATE_BYTES", _ROTATE_BYTES),
        patch.object(note_file, "_TAIL_BYTES", _TAIL_BYTES),
    ):
        yield


def run(root: str, phase: str, pipe: Connection, requests: int = REQUESTS) -> None:
    """Do the work of one run in this process; `pipe` gets every acknowledgement."""
    # Where only an ancestor may trace a process, this one allows it to anybody.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_PTRACER, ctypes.c_ulong(-1 & (2**64 - 1)), 0, 0, 0)
    ended: dict[str, object] = {"ended": None}
    try:
        with small_files():
            if phase == "init":
                _wait(pipe)
                init(Path(root))
            else:
                _work(Path(root), phase, pipe, requests)
    except GovernanceError as error:
        ended = {"ended": error.code, "said": str(error)}
    except Exception as error:  # noqa: BLE001 - a foreign error is what the harness looks for
        ended = {"ended": f"foreign {type(error).__module__}.{type(error).__name__}: {error}"}
    pipe.send(ended)


def init(root: Path) -> None:
    """Make a home as `vigil init` does."""
    with cheap_passwords():
        create_home(
            root,
            organisation="acme",
            deployment="faults",
            database="sqlite",
            administrator="ada",
            printed_name="Ada Small",
            password=PASSWORD,
        )


def _work(root: Path, phase: str, pipe: Connection, requests: int) -> None:
    if phase == "open":
        _wait(pipe)
    with open_storage(Home.open(root), clock=SystemClock()) as storage:
        if phase == "commit":
            _wait(pipe)
        if (key_id := _new_key(storage, pipe)) is not None:
            for number in range(requests):
                if not _asked(storage, number, key_id, pipe):
                    break
        if phase == "close":
            _wait(pipe)


def _new_key(storage: Storage, pipe: Connection) -> str | None:
    for _attempt in range(ATTEMPTS):
        try:
            return storage.pen.commit(lambda unit: unit.new_key())
        except GovernanceError as error:
            pipe.send({"refused": -1, "code": error.code})
    return None


def _asked(storage: Storage, number: int, key_id: str, pipe: Connection) -> bool:
    """Send a request until it is acknowledged; give up where the fault stays."""
    for _attempt in range(ATTEMPTS):
        try:
            done = ask(storage, number, key_id)
        except AuditUnavailable as error:
            pipe.send({"refused": number, "code": error.code})
            continue
        pipe.send(_acknowledged(storage, number, done))
        return True
    return False


def _acknowledged(
    storage: Storage, number: int, done: Recorded | CommittedAnswer | None
) -> Mapping[str, object]:
    if isinstance(done, CommittedAnswer):
        return {
            "ack": number,
            "seq": done.recorded.seq,
            "event_id": done.recorded.event_id,
            "receipt": done.receipt,
        }
    if done is None:  # an act that an earlier attempt had made durable
        return {"ack": number, "seq": None, "event_id": None, "receipt": None}
    receipt = None
    with suppress(Exception):  # an act is acknowledged without a receipt; it is fetched, if it can
        receipt = storage.ledger.receipt(done.event_id)
    return {"ack": number, "seq": done.seq, "event_id": done.event_id, "receipt": receipt}


def _wait(pipe: Connection) -> None:
    """Say that the phase begins, and wait until the faults are in place."""
    pipe.send({"ready": True})
    pipe.recv()
