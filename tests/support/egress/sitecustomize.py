"""Python imports this first in every process that `test_zero_egress.py` starts.

Each process notes `armed` before it runs anything else, so that a guard that failed to load shows
as a missing line and not as silence; and what it is to run begins by importing `armed` from here.
"""

import os
from pathlib import Path

from tests.support.network_guard import refuse_outside

_record = Path(os.environ["VIGIL_EGRESS_RECORD"])


def _note(line: str) -> None:
    with _record.open("a", encoding="utf-8") as record:
        record.write(line + "\n")


refuse_outside(_note)
armed = "armed"
_note(armed)
