"""How a search of the trail compares with reading it: `python tests/benchmarks/bench_trail.py`.

Entries are written by the pen into a small home, most of them answers. Then each search is timed
against one plain pass over the same entries, verified and read as an export reads them, in the same
process; only the ratios mean something. `--entries 1000000` is the size that the design is for.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from governance.operations.trail.search_trail import SearchTrail, search  # noqa: E402
from governance.storage.trail.index import INDEX_NAME, TrailIndex  # noqa: E402
from governance.storage.trail.reading import read_entries  # noqa: E402
from governance.storage.trail.segments import sealing_key  # noqa: E402
from tests.support.small_deployment import Small, small  # noqa: E402
from tests.unit.trail.traffic import pending  # noqa: E402

BATCH = 2_000
ROUNDS = 9
SEARCHES: dict[str, dict[str, Any]] = {
    "everything, counted": {},
    "one kind": {"kind": "release.*"},
    "one person": {"actor": "mo"},
    "one record": {"record": "version:forecasting/1"},
    "fifty answers of a day": {"kind": "inference.*", "answers": True, "since": "2026-09-22"},
    "nothing": {"actor": "nobody"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, small(Path(folder)) as home:
        fill(home, options.entries)
        measure(home)


def fill(home: Small, entries: int) -> None:
    """Write answers until there are so many entries, one in fifty a refusal."""
    while (missing := entries - home.size()) > 0:
        waiting = [
            home.deployment.pen.answer(
                pending(home, refused="gate.suspended" if number % 50 == 0 else None)
            )
            for number in range(min(BATCH, missing))
        ]
        for one in waiting:
            one.result()


def measure(home: Small) -> None:
    """Print the times as ratios to one verified pass over all entries."""
    ledger = home.deployment.ledger
    size = home.size()
    whole = timed(lambda: sum(1 for _ in read_entries(ledger, 0, size)), rounds=1)
    first = timed(lambda: fresh(home).catch_up(), rounds=1)
    again = timed(lambda: fresh(home).catch_up(), rounds=3)
    print(f"{size} entries; one verified pass takes {whole:.2f} s, ratios are to that")
    print(f"  first index       {first / whole:8.3f}")
    print(f"  index from file   {again / whole:8.3f}")
    index = fresh(home)
    index.catch_up()
    for name, asked in SEARCHES.items():
        request = SearchTrail(**asked)
        spent = timed(lambda request=request: search(ledger, index, request), rounds=ROUNDS)
        print(f"  {name:<24}{spent / whole:9.5f}   {spent * 1000:7.1f} ms")


def fresh(home: Small) -> TrailIndex:
    """Return an index that knows nothing yet but its file."""
    root = home.deployment.home.root
    return TrailIndex(
        ledger=home.deployment.ledger,
        path=root / INDEX_NAME,
        key=sealing_key(home.deployment.home),
    )


def timed(work: Callable[[], object], *, rounds: int) -> float:
    """Return the median of so many rounds, in seconds."""
    spent: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
