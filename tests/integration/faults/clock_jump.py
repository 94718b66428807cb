"""Write on a home with the machine's own clock, wherever libfaketime has put it.

`python -m tests.integration.faults.clock_jump HOME` prints what was recorded as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from governance.clock import SystemClock
from governance.home import Home
from governance.storage.open import open_storage


def write(root: Path) -> dict[str, int]:
    """Commit one act; return the clock's instant, the entry's, and its number."""
    clock = SystemClock()
    with open_storage(Home.open(root), clock=clock) as storage:
        wall_us = clock.now_us()
        done = storage.pen.commit(lambda unit: unit.record(kind="test.added", actor="ana"))
        return {"wall_us": wall_us, "t_us": done.t_us, "seq": done.seq}


if __name__ == "__main__":
    print(json.dumps(write(Path(sys.argv[1]))))
