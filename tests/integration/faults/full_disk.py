"""Serve a home on a file system of a few megabytes until it is full, then make room.

Run in a mount namespace of its own, with a small tmpfs mounted at FOLDER:
`python -m tests.integration.faults.full_disk HOME FOLDER`.
Prints what was seen as one line of JSON; the test judges it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from governance.home import Home
from governance.storage.open import inspect_storage
from tests.functional.api.support import Api, running

MOST = 4_000


def fill(folder: Path, *, keep: int) -> Path:
    """Take all room but `keep` bytes."""
    filler = folder / "filler"
    room = os.statvfs(folder)
    with filler.open("wb") as file:
        file.write(b"\0" * max(0, room.f_bavail * room.f_frsize - keep))
    return filler


def ask(api: Api, key: str) -> Any:
    """Ask under an idempotency key."""
    return api.ask(headers={"Idempotency-Key": key})


def until_full(api: Api) -> tuple[int, Any]:
    """Ask until the first refusal; return how many were answered, and the refusal."""
    for number in range(MOST):
        reply = ask(api, f"key-{number}")
        if reply.status_code != 200:
            return number, reply
    raise AssertionError("the disk never became full")


def story(home: Path, folder: Path) -> dict[str, Any]:
    """Return what happened, in order."""
    root = folder / "home"
    shutil.copytree(home, root)
    with running(root) as api:
        filler = fill(folder, keep=400_000)
        answered, refusal = until_full(api)
        size = api.size()
        again = [ask(api, f"key-{answered}").status_code for _ in range(3)]
        full_verified = api.deployment.ledger.verify().size
        api.deployment.rebuild()
        with inspect_storage(Home.open(root)) as beside:
            beside_verified = beside.ledger.verify().size
        checkpoint = api.http.get("/checkpoint").status_code
        filler.unlink()
        recovered = ask(api, f"key-{answered}")
        repeated = ask(api, f"key-{answered}")
        after = api.deployment.ledger.verify().size
    with running(root) as api:
        reopened = api.deployment.ledger.verify().size
        first = ask(api, "key-0").json()["event_id"]
        known = api.deployment.ledger.find(first).seq < size
    return {
        "answered": answered,
        "refused": refusal.status_code,
        "problem": refusal.json(),
        "again": again,
        "size": size,
        "verified": [full_verified, beside_verified],
        "checkpoint": checkpoint,
        "recovered": recovered.status_code,
        "same": recovered.json()["event_id"] == repeated.json()["event_id"],
        "after": after,
        "reopened": reopened,
        "known": known,
    }


if __name__ == "__main__":
    print(json.dumps(story(Path(sys.argv[1]), Path(sys.argv[2]))))
