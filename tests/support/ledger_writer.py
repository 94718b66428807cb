"""A process that writes to a home's ledger without pause: `python -m tests.support.ledger_writer`.

Arguments: the home, a name, how many threads answer, and how many seconds. Each answer has an
idempotency key of its own and is asked again under it until it is acknowledged or the time is
over; one more thread commits acts. A line on standard output is an acknowledgement:

    answer <key> <seq> <event id>          act <event id> <seq>
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from pathlib import Path

from governance.clock import SystemClock
from governance.home import Home
from governance.storage.errors import AuditUnavailable
from governance.storage.open import Storage, open_storage
from tests.integration.storage.samples import answer


def told(line: str) -> None:
    """Write the line at once and whole."""
    os.write(1, line.encode() + b"\n")


def answers(storage: Storage, key_id: str, name: str, until: float) -> None:
    """Answer until the time is over; each key is asked again until it has its answer."""
    number = 0
    while time.monotonic() < until:
        number += 1
        key = f"{name}-{number}"
        digest = hashlib.sha256(key.encode()).hexdigest()
        while time.monotonic() < until:
            pending = answer(key_id, number=number, idempotency=("clinic", key, digest))
            try:
                committed = storage.pen.answer(pending).result(60)
            except AuditUnavailable:
                time.sleep(0.02)
                continue
            told(f"answer {key} {committed.recorded.seq} {committed.recorded.event_id}")
            break


def acts(storage: Storage, name: str, until: float) -> None:
    """Commit acts until the time is over."""
    while time.monotonic() < until:
        try:
            recorded = storage.pen.commit(lambda unit: unit.record(kind="test.added", actor=name))
        except AuditUnavailable:
            time.sleep(0.02)
            continue
        told(f"act {recorded.event_id} {recorded.seq}")
        time.sleep(0.005)


def main(root: str, name: str, threads: str, seconds: str) -> None:
    """Open the home, say `ready`, wait for a line, and write."""
    with open_storage(Home.open(Path(root)), clock=SystemClock()) as storage:
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        told("ready")
        sys.stdin.readline()
        until = time.monotonic() + float(seconds)
        running = [
            threading.Thread(target=answers, args=(storage, key_id, f"{name}.{number}", until))
            for number in range(int(threads))
        ]
        running.append(threading.Thread(target=acts, args=(storage, name, until)))
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        told("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
