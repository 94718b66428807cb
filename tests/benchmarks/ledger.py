"""Appending to the ledger, beside its disk and beside bare SQLite (see README.md).

    python tests/benchmarks/bench_ledger.py                        about two minutes
    python tests/benchmarks/bench_ledger.py --short --out x.json   seconds; numbers mean nothing

In each round everything is measured in turn: the flushes of the disk before and after, bare inserts
of the same rows, and appends through the pen with everything on (seal, link, head, read back,
signature, note file; each waiting caller also makes its receipt). Ratios are taken in the round.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from governance.clock import SystemClock
from governance.home import Home
from governance.storage.open import Storage, create_home, open_storage
from governance.storage.ports import Pen, PendingAnswer, Unit
from tests.benchmarks.ledger_log import answer_facts
from tests.benchmarks.published import Result, command, machine

NAME: Final = "ledger"
WRITERS: Final = 64
BATCH: Final = 1000
SMALL: Final = 32
FLUSH_BYTES: Final = 512
REPLACED_TARGET: Final = 0.7

_TABLE: Final = (
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, env BLOB NOT NULL,"
    " leaf BLOB NOT NULL, facts BLOB NOT NULL, facts_salt BLOB NOT NULL)"
)
_INSERT: Final = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)"

Row = tuple[int, str, bytes, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How long the run is; `seconds` is for each measurement of a round."""

    rounds: int
    seconds: float
    rows: int


LONG: Final = Shape(rounds=7, seconds=1.2, rows=20_000)
SHORT: Final = Shape(rounds=1, seconds=0.05, rows=2_000)


def repeated(act: Callable[[], int], seconds: float) -> float:
    """Return how many a second `act` does; it returns how many it did."""
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds or not done:
        done += act()
    return done / spent


def flushes(folder: Path, seconds: float) -> float:
    """Return fdatasync a second, each after an append of 512 bytes."""
    path = folder / "flushed"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def flush() -> int:
        os.write(descriptor, bytes(FLUSH_BYTES))
        os.fdatasync(descriptor)
        return 1

    try:
        return repeated(flush, seconds)
    finally:
        os.close(descriptor)
        path.unlink()


def bare(
    folder: Path,
    rows: Sequence[Row],
    batch: int,
    seconds: float,
    now: Callable[[], float] = time.perf_counter,
) -> float:
    """Return rows a second that executemany inserts, in the same journal mode, `batch` a commit.

    After the last row the same rows go into another file; making it is not on the clock.
    """
    done, spent, files = 0, 0.0, itertools.count()
    with tempfile.TemporaryDirectory(dir=folder) as own:
        while spent < seconds:
            with closing(_empty(Path(own) / f"bare-{next(files)}.sqlite")) as connection:
                for at in range(0, len(rows) - batch + 1, batch):
                    began = now()
                    connection.execute("BEGIN IMMEDIATE")
                    connection.executemany(_INSERT, rows[at : at + batch])
                    connection.execute("COMMIT")
                    spent += now() - began
                    done += batch
                    if spent >= seconds:
                        break
    return done / spent


def _empty(path: Path) -> sqlite3.Connection:
    """Return a database with an empty table for the rows of entries, durable as the ledger's."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = 2")
    connection.execute(_TABLE)
    return connection


def pending(number: int) -> PendingAnswer:
    """Return an entry that waits for its place: facts as those of an answer, no body."""
    return PendingAnswer(
        kind="inference.refused",
        facts=answer_facts(number, body_key=None),
        body=None,
        reply=b"{}",
        status=409,
        epoch=0,
        until_us=None,
    )


def serial(pen: Pen, seconds: float) -> float:
    """Return entries a second of one caller who waits for each receipt."""

    def one() -> int:
        return 1 if pen.answer(pending(1)).result().receipt else 0

    return repeated(one, seconds)


def waiting(pen: Pen, writers: int, seconds: float) -> float:
    """Return entries a second of many callers, each waiting for its receipt."""
    done = [0.0] * writers
    threads = [
        threading.Thread(target=lambda n=n: done.__setitem__(n, serial(pen, seconds)))  # type: ignore[misc]
        for n in range(writers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def batched(pen: Pen, batch: int, seconds: float) -> float:
    """Return entries a second of acts that record `batch` entries each."""
    notes = {**answer_facts(1, body_key=None)}
    notes["artifact"] = notes.pop("digest")
    del notes["body_key"]

    def act(unit: Unit) -> None:
        for _ in range(batch):
            unit.record(kind="benchmark.noted", actor="benchmark", notes=notes)

    def one() -> int:
        pen.commit(act)
        return batch

    return repeated(one, seconds)


def in_flight(pen: Pen, batch: int, seconds: float) -> float:
    """Return entries a second of one caller who has `batch` answers under way at once."""

    def one() -> int:
        futures = [pen.answer(pending(number)) for number in range(batch)]
        return sum(1 for future in futures if future.result().receipt)

    return repeated(one, seconds)


def measure(short: bool) -> Result:
    """Return the whole result."""
    shape = SHORT if short else LONG
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        clock = SystemClock()
        home = create_home(
            own / "home", organisation="example.org", deployment="benchmark", clock=clock
        )
        with open_storage(home, clock=clock) as storage:
            rows = _rows(storage, home, shape.rows)
            rounds = [
                _round(storage.pen, own, rows, shape.seconds) for _ in range(shape.rounds + 1)
            ]
    kept = rounds[1:] or rounds  # the first round warms up
    return {
        "benchmark": NAME,
        "shape": asdict(shape),
        "machine": machine(),
        "measured": {name: _spread([found[name] for found in kept]) for name in kept[0]},
        "goals": [_judged(goal, kept) for goal in GOALS],
        "rounds": kept,
    }


def _rows(storage: Storage, home: Home, count: int) -> list[Row]:
    """Write that many entries through the pen and return their rows, for the bare insert."""
    for _ in range(0, count, BATCH):
        batched(storage.pen, BATCH, 0)
    connection = sqlite3.connect(f"file:{home.database_path}?mode=ro", uri=True)
    try:
        found = connection.execute(
            "SELECT seq, event_id, env, leaf, facts, facts_salt FROM entry LIMIT ?", (count,)
        )
        return found.fetchall()
    finally:
        connection.close()


def _round(pen: Pen, folder: Path, rows: Sequence[Row], seconds: float) -> dict[str, float]:
    before = flushes(folder, seconds)
    inserts = partial(bare, folder, rows, seconds=seconds)
    found = {
        "bare 1": inserts(batch=1),
        "serial": serial(pen, seconds),
        f"bare {SMALL}": inserts(batch=SMALL),
        "waiting": waiting(pen, WRITERS, seconds),
        f"bare {BATCH}": inserts(batch=BATCH),
        "batch": batched(pen, BATCH, seconds),
        "in flight": in_flight(pen, BATCH, seconds),
    }
    return {"F": (before + flushes(folder, seconds)) / 2, **found}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A measured rate, and the rates that it may not stay under: the smaller of them counts."""

    what: str
    rate: str
    floors: tuple[tuple[float, str], ...]


GOALS: Final = (
    Goal(what="one caller", rate="serial", floors=((0.7, "F"), (0.4, f"bare {SMALL}"))),
    Goal(
        what=f"{WRITERS} waiting callers",
        rate="waiting",
        floors=((15, "serial"), (0.4, f"bare {SMALL}")),
    ),
    Goal(what=f"{BATCH} entries a commit", rate="batch", floors=((0.4, f"bare {BATCH}"),)),
)


def _judged(goal: Goal, rounds: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return each ratio with its spread, and the share of the goal that was reached."""
    reached = [
        found[goal.rate] / min(factor * found[name] for factor, name in goal.floors)
        for found in rounds
    ]
    return {
        "what": goal.what,
        "rate": goal.rate,
        "goal": " or ".join(f"{factor:g} × {name}" for factor, name in goal.floors),
        "ratios": {
            name: _spread([found[goal.rate] / found[name] for found in rounds])
            for _, name in goal.floors
        },
        "reached": _spread(reached),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def table(result: Result) -> str:
    """Return the goals, and the rates they are made of, as Markdown."""
    lines = [
        "| append | entries/s | ratios (range) | goal, the smaller | of the goal (range) |",
        "|---|---|---|---|---|",
    ]
    for goal in result["goals"]:
        ratios = ", ".join(f"{_text(ratio)} × {name}" for name, ratio in goal["ratios"].items())
        rate = result["measured"][goal["rate"]]["median"]
        reached = _text(goal["reached"])
        lines.append(f"| {goal['what']} | {rate:.0f} | {ratios} | {goal['goal']} | {reached} |")
    rest = {name: result["measured"][name]["median"] for name in result["measured"]}
    shown = ("F", "bare 1", f"bare {SMALL}", f"bare {BATCH}", "in flight")
    rates = "; ".join(f"{name} {rest[name]:.0f}/s" for name in shown)
    return "\n".join([*lines, "", rates + ".", "", _replaced(result)])


def _replaced(result: Result) -> str:
    """Return the target that stood before the goals, and what this run reached of it."""
    (shared,) = (goal for goal in result["goals"] if goal["rate"] == "waiting")
    reached = shared["ratios"][f"bare {SMALL}"]
    said = "met" if reached["median"] >= REPLACED_TARGET else "missed"
    return (
        f"These goals replaced an earlier target: append ≥ {REPLACED_TARGET:g} × bare {SMALL}. "
        f"{WRITERS} waiting callers: {_text(reached)}, {said} at the median."
    )


def _text(spread: dict[str, float]) -> str:
    return f"{spread['median']:.2f} ({spread['low']:.2f}–{spread['high']:.2f})"


if __name__ == "__main__":
    command(NAME, measure=measure, table=table, described=__doc__)
