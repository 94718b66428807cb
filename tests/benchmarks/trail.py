"""How a search of the trail compares with reading all of it (see README.md).

    python tests/benchmarks/bench_trail.py                        about a minute
    python tests/benchmarks/bench_trail.py --short --out x.json   seconds; numbers mean nothing

Entries are written by the pen into a small home, most of them answers. Then each search, and the
index itself, is timed beside a plain pass over the same entries, verified and read as an export
reads them, in the same process and the same round.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from governance.operations.trail.search_trail import SearchTrail, search
from governance.storage.trail.index import INDEX_NAME, TrailIndex
from governance.storage.trail.reading import read_entries
from governance.storage.trail.segments import sealing_key
from tests.benchmarks.published import Result, command, machine
from tests.support.small_deployment import Small, small
from tests.unit.trail.traffic import pending

NAME: Final = "trail"
PASS: Final = "one verified pass"
BATCH: Final = 2_000
REFUSED_EVERY: Final = 50
SEARCHES: Final[dict[str, dict[str, Any]]] = {
    "everything, counted": {},
    "one kind of act": {"kind": "release.*"},
    "one person": {"actor": "mo"},
    "one record": {"record": "version:forecasting/1"},
    "fifty answers of a day": {"kind": "inference.*", "answers": True, "since": "2026-09-22"},
    "nothing": {"actor": "nobody"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How long the log is, and how often everything is measured."""

    entries: int
    rounds: int


LONG: Final = Shape(entries=50_000, rounds=3)
SHORT: Final = Shape(entries=400, rounds=1)


def measure(short: bool) -> Result:
    """Return the whole result."""
    shape = SHORT if short else LONG
    with tempfile.TemporaryDirectory() as folder, small(Path(folder)) as home:
        fill(home, shape.entries)
        rounds = [_round(home) for _ in range(shape.rounds)]
        size = home.size()
    return {
        "benchmark": NAME,
        "shape": {**asdict(shape), "entries": size},
        "machine": machine(),
        "summary": [_summary(name, rounds) for name in rounds[0]],
        "rounds": rounds,
    }


def fill(home: Small, entries: int) -> None:
    """Write answers until there are so many entries, one in fifty a refusal."""
    while (missing := entries - home.size()) > 0:
        waiting = [
            home.deployment.pen.answer(
                pending(home, refused=None if number % REFUSED_EVERY else "gate.suspended")
            )
            for number in range(min(BATCH, missing))
        ]
        for one in waiting:
            one.result()


def _round(home: Small) -> dict[str, float]:
    """Return the seconds of everything, in turn."""
    ledger, size = home.deployment.ledger, home.size()
    (home.deployment.home.root / INDEX_NAME).unlink(missing_ok=True)
    found = {
        PASS: _seconds(lambda: sum(1 for _ in read_entries(ledger, 0, size))),
        "index made anew": _seconds(_fresh(home).catch_up),
        "index read from its file": _seconds(_fresh(home).catch_up),
    }
    index = _fresh(home)
    index.catch_up()
    for name, asked in SEARCHES.items():
        found[name] = _seconds(partial(search, ledger, index, SearchTrail(**asked)))
    return found


def _fresh(home: Small) -> TrailIndex:
    """Return an index that knows nothing yet but its file."""
    return TrailIndex(
        ledger=home.deployment.ledger,
        path=home.deployment.home.root / INDEX_NAME,
        key=sealing_key(home.deployment.home),
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _summary(name: str, rounds: Sequence[dict[str, float]]) -> Result:
    ratios = [found[name] / found[PASS] for found in rounds]
    return {
        "what": name,
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "milliseconds": 1000 * statistics.median(found[name] for found in rounds),
    }


def table(result: Result) -> str:
    """Return the summary as Markdown."""
    lines = [
        f"| {result['shape']['entries']} entries | to {PASS} (range) | ms |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row['what']} | {row['ratio']:.4f} ({row['ratio_low']:.4f}–{row['ratio_high']:.4f}) "
        f"| {row['milliseconds']:.1f} |"
        for row in result["summary"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    command(NAME, measure=measure, table=table, described=__doc__)
