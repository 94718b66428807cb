"""The gate beside ungated servers, in one interleaved run (see README.md).

    python tests/benchmarks/bench_serving.py                      two minutes, and publishes
    python tests/benchmarks/bench_serving.py --out serving.json   the JSON elsewhere
    python tests/benchmarks/bench_serving.py --short              seconds; numbers mean nothing

Machines drift, so only ratios are quoted: in each round every server is measured in turn, the
ratio to `plain` is taken within the round, and the median over rounds is reported with its range.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from governance.adapters.tokens import TokenAuthority
from governance.clock import SystemClock
from governance.home import Home
from tests.benchmarks import published
from tests.benchmarks.load import Plan
from tests.benchmarks.servers import KINDS
from tests.functional.api.support import PREDICT, QUESTION, make_home

PAGE = published.PAGE
PUBLISHED = published.RESULTS / "serving.json"

BASELINE = "plain"
CLIENTS = (1, 32)
# More than any run sends, so that the limit is checked and never met.
LIMITS = {"requests_per_minute": 60_000_000}
_ROW20 = {f"x{number}": 0.1 * number for number in range(20)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How long the run is."""

    rounds: int
    requests_max: int
    seconds_max: float


LONG = Shape(rounds=5, requests_max=6000, seconds_max=2.0)
SHORT = Shape(rounds=1, requests_max=64, seconds_max=2.0)


@contextmanager
def started(kind: str, home: Path) -> Iterator[int]:
    """Run a server for the length of the block and give its port."""
    command = [sys.executable, "-m", "tests.benchmarks.servers", kind, str(home)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server {kind!r} did not start")
        yield int(line)
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def measure(plan: Plan) -> dict[str, Any]:
    """Run the load generator in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"],
        input=json.dumps(asdict(plan)), capture_output=True, text=True, check=True,
        timeout=plan.seconds_max + 30,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    if set(found["statuses"]) != {"200"}:
        raise RuntimeError(f"not every answer was a 200: {found['statuses']}")
    return found


def plan_for(kind: str, port: int, token: str, clients: int, shape: Shape) -> Plan:
    """Return what is sent to a server of this kind."""
    body: Any = _ROW20 if kind == "plain scikit-learn" else QUESTION
    gated = kind.startswith("gate")
    return Plan(
        port=port,
        path=PREDICT if gated else "/predict",
        headers={"Authorization": f"Bearer {token}"} if gated else {},
        body=orjson.dumps(body).decode(),
        clients=clients,
        requests_max=shape.requests_max if clients > 1 else shape.requests_max // 4,
        seconds_max=shape.seconds_max,
    )


def run(shape: Shape, folder: Path) -> dict[str, Any]:
    """Start every server, measure them in turn, and return the whole result."""
    home = make_home(folder / "home", limits=LIMITS)
    token = _token(home)
    rounds: list[dict[str, dict[str, Any]]] = []
    flushes: list[float] = []
    with _all_started(home) as ports:
        for _ in range(shape.rounds + 1):  # the first round warms up and is dropped
            found: dict[str, dict[str, Any]] = {}
            flushes.append(flush_ms(folder))
            for clients in CLIENTS:
                for kind, port in ports.items():
                    plan = plan_for(kind, port, token, clients, shape)
                    found.setdefault(str(clients), {})[kind] = measure(plan)
            rounds.append(found)
    kept = rounds[1:]
    return {
        "benchmark": "serving",
        "shape": asdict(shape),
        "machine": {**published.machine(), "flush ms": round(statistics.median(flushes[1:]), 2)},
        "baseline": BASELINE,
        "summary": [_summary(kind, clients, kept) for clients in CLIENTS for kind in KINDS],
        "rounds": kept,
    }


def flush_ms(folder: Path) -> float:
    """Return the median time to flush 32 KiB, as one answer's commit does, to the gate's disk."""
    spent = []
    with (folder / "flushed").open("wb", buffering=0) as file:
        for number in range(64):
            file.seek(number % 2 * 32768)
            file.write(bytes(32768))
            before = time.perf_counter()
            os.fsync(file.fileno())
            spent.append(1000 * (time.perf_counter() - before))
    return statistics.median(spent)


@contextmanager
def _all_started(home: Path) -> Iterator[dict[str, int]]:
    """Start every server, each over a copy of the home: a home has one owner."""
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        for number, kind in enumerate(KINDS):
            own = home.with_name(f"home-{number}")
            shutil.copytree(home, own)
            ports[kind] = stack.enter_context(started(kind, own))
        yield ports


def _token(root: Path) -> str:
    home = Home.open(root)
    text, _seconds = TokenAuthority(key=home.token_key(), issuer=home.origin).issue(
        client="planner",
        scopes=frozenset({"infer:forecasting"}),
        secret_epoch=1,
        now_us=SystemClock().now_us(),
    )
    return text


def _summary(kind: str, clients: int, rounds: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    runs = [found[str(clients)] for found in rounds]
    ratios = [run[kind]["per_second"] / run[BASELINE]["per_second"] for run in runs]
    return {
        "server": kind,
        "clients": clients,
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        **{
            name: statistics.median(run[kind][name] for run in runs)
            for name in ("per_second", "p50_ms", "p99_ms")
        },
    }


def table(result: dict[str, Any]) -> str:
    """Return the summary as a Markdown table, with the ratio to the usual model as well."""
    usual = "plain scikit-learn"
    head = (
        f"| server | clients | ratio to plain (range) | to {usual} | requests/s | p50 ms | p99 ms "
    )
    lines = [f"{head}|", "|---|---|---|---|---|---|---|"]
    for row in result["summary"]:
        runs = [found[str(row["clients"])] for found in result["rounds"]]
        to_usual = statistics.median(
            run[row["server"]]["per_second"] / run[usual]["per_second"] for run in runs
        )
        lines.append(
            f"| {row['server']} | {row['clients']} "
            f"| {row['ratio']:.2f} ({row['ratio_low']:.2f}–{row['ratio_high']:.2f}) "
            f"| {to_usual:.2f} "
            f"| {row['per_second']:.0f} | {row['p50_ms']:.2f} | {row['p99_ms']:.2f} |"
        )
    return "\n".join(lines)


def rendered(page: str, result: dict[str, Any]) -> str:
    """Return the page with the run's table between its marks."""
    return published.rendered(page, "serving", table(result), result["machine"])


def main() -> None:
    """Run, print the table, and publish; or write the JSON elsewhere."""
    published.command("serving", measure=measured, table=table, described=__doc__)


def measured(short: bool) -> dict[str, Any]:
    """Return the whole result."""
    with tempfile.TemporaryDirectory() as folder:
        return run(SHORT if short else LONG, Path(folder))


if __name__ == "__main__":
    main()
