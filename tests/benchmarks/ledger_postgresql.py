"""The ledger on PostgreSQL: batches beside one event a transaction, three processes beside one.

    python tests/benchmarks/bench_ledger_postgresql.py                        about two minutes
    python tests/benchmarks/bench_ledger_postgresql.py --short --out x.json   numbers mean nothing

Everything is counted at the caller: sealed, durable, signed, with its receipt. In each round every
kind is measured in turn, ratios are taken within the round, the first round is dropped, and the
median over rounds is reported with its range. `flush ms` is the time in which the database's disk
makes 8 KiB durable, which bounds what is written one by one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

from governance.clock import SystemClock
from governance.home import Home
from governance.storage.open import Storage, create_home, open_storage
from governance.storage.promise import Promise
from tests.benchmarks import published
from tests.benchmarks.published import Result
from tests.integration.storage.samples import answer
from tests.support.postgresql import administer, own_server

NAME = "ledger-postgresql"
PAGE = published.PAGE
ROOT = PAGE.parents[1]
PUBLISHED = published.RESULTS / f"{NAME}.json"

IN_FLIGHT = 1024
# Kind -> processes, answers in flight in each, and which kind its ratio is to.
KINDS = {
    "one event a transaction": (1, 1, "one event a transaction"),
    "batches": (1, IN_FLIGHT, "one event a transaction"),
    "three processes, batches": (3, IN_FLIGHT, "batches"),
}


def work(root: Path, in_flight: int, seconds: float) -> None:
    """Open the home, say so, wait for a line, answer for so long, and say how many were given."""
    with open_storage(Home.open(root), clock=SystemClock(), check_rows=False) as storage:
        key_id = storage.pen.commit(lambda unit: unit.new_key())
        _answer(storage, key_id, in_flight, 0.3)
        print("ready", flush=True)
        sys.stdin.readline()
        begun = time.perf_counter()
        count = _answer(storage, key_id, in_flight, seconds)
        print(json.dumps([count, time.perf_counter() - begun]), flush=True)


def _answer(storage: Storage, key_id: str, in_flight: int, seconds: float) -> int:
    until, count = time.perf_counter() + seconds, 0
    waiting: deque[Promise[Any]] = deque()
    while time.perf_counter() < until:
        while len(waiting) < in_flight:
            waiting.append(storage.pen.answer(answer(key_id, number=count)))
            count += 1
        waiting.popleft().result()
        while waiting and waiting[0].done():
            waiting.popleft().result()
    for left in waiting:
        left.result()
    return count


def measured(root: Path, kind: str, seconds: float) -> dict[str, Any]:
    """Run one kind once; return entries a second, in all and by process."""
    processes, in_flight, _ = KINDS[kind]
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.ledger_postgresql",
             "--work", str(root), "--in-flight", str(in_flight), "--seconds", str(seconds)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(processes)
    ]  # fmt: skip
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in started:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    rates = []
    for one in started:
        out, _ = one.communicate(timeout=120)
        count, took = json.loads(out)
        rates.append(count / took)
    return {"kind": kind, "per_second": sum(rates), "by_process": [round(rate) for rate in rates]}


def run(*, rounds: int, seconds: float) -> Result:
    """Measure every kind in every round over one growing log, and summarise."""
    with own_server() as server, tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        home = create_home(
            Path(folder) / "home",
            organisation="acme",
            deployment="bench",
            clock=SystemClock(),
            database=server.get_uri(),
        )
        found: list[list[dict[str, Any]]] = []
        flushes = []
        for _ in range(rounds):
            flushes.append(_flush_ms(Path(folder)))
            found.append([measured(home.root, kind, seconds) for kind in KINDS])
        version = administer(server.get_uri(), "SHOW server_version")[0][0]
        with open_storage(home, clock=SystemClock()) as storage:
            size = storage.ledger.verify().size
    kept = found[1:] or found
    return {
        "rounds": found,
        "summary": [_summary(kind, kept) for kind in KINDS],
        "entries_verified": size,
        "machine": {
            **published.machine(),
            "postgresql": version,
            "flush ms": round(statistics.median(flushes), 2),
        },
    }


def _summary(kind: str, rounds: list[list[dict[str, Any]]]) -> dict[str, Any]:
    to = KINDS[kind][2]
    ratios, rates, slowest = [], [], []
    for one in rounds:
        by_kind = {row["kind"]: row for row in one}
        rates.append(by_kind[kind]["per_second"])
        ratios.append(by_kind[kind]["per_second"] / by_kind[to]["per_second"])
        shares = by_kind[kind]["by_process"]
        slowest.append(min(shares) * len(shares) / sum(shares))
    return {
        "kind": kind,
        "to": to,
        "per_second": round(statistics.median(rates)),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_low": round(min(ratios), 2),
        "ratio_high": round(max(ratios), 2),
        "slowest_share": round(min(slowest), 2),
    }


def _flush_ms(folder: Path) -> float:
    path, times = folder / "flush", []
    with path.open("wb") as file:
        for _ in range(20):
            begun = time.perf_counter()
            file.write(bytes(8192))
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def table(result: Result) -> str:
    """Return the summary as a table for the page."""
    lines = [
        "| | ratio (range) | to | entries/s | slowest process's part of a fair share |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['kind']} | {row['ratio']:.2f} ({row['ratio_low']:.2f}–{row['ratio_high']:.2f}) "
        f"| {row['to']} | {row['per_second']} | {row['slowest_share']:.2f} |"
        for row in result["summary"]
    ]
    return "\n".join([*lines, "", f"{len(result['rounds']) - 1} rounds."])


def rendered(page: str, result: Result) -> str:
    """Return the page with the run's table between its marks."""
    return published.rendered(page, NAME, table(result), result["machine"])


def measure(short: bool) -> Result:
    """Return the whole result."""
    return run(rounds=1, seconds=0.3) if short else run(rounds=6, seconds=2.5)


def main() -> None:
    """Be one of the processes that are measured, or run the whole benchmark."""
    if "--work" not in sys.argv:
        published.command(NAME, measure=measure, table=table, described=__doc__)
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    work(given.work, given.in_flight, given.seconds)


if __name__ == "__main__":
    main()
