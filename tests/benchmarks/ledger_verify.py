"""Verifying a long ledger: how fast, and in how much memory (see README.md).

    python tests/benchmarks/bench_ledger_verify.py                about four minutes
    python tests/benchmarks/bench_ledger_verify.py --short        seconds; numbers mean nothing

A log of two million entries is written once and kept in the temporary folder. Each look at it is a
process of its own, so that its memory is its own: deriving the tree as every start does, the full
verification of `vigil ledger verify`, and the rebuild check. The same over a tenth of the log says
what grows with it, and over another tenth, written `SPARSE` entries a commit, what the signatures
of checkpoints cost. Rates are entries a second of processor time, because that is one core's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from governance.home import Home
from governance.ledger.core.receipt import verify_receipt
from governance.storage.open import inspect_storage
from tests.benchmarks.ledger_log import BODY_EVERY, COMMIT, long_home
from tests.benchmarks.published import PAGE, Result, command, machine
from tests.unit.ledger.sample import WITNESSES, SampleLog, policy, private_key

NAME: Final = "ledger_verify"
RATE_GOAL: Final = 100_000
DERIVE_SECONDS_GOAL: Final = 10
TREE_BYTES_GOAL: Final = 100
RECEIPT_GOAL: Final = 0.5
REPLACED_TARGETS: Final = {"derive": (0.5, "hashes alone"), "verify": (0.2, "with canonical form")}
SPARSE: Final = 1000
PHASES: Final = ("derive", "verify", "rebuild")
ROOT: Final = PAGE.parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How long the log is, and how often what is quick is measured."""

    entries: int
    rounds: int
    receipt_rounds: int
    receipts: int


LONG: Final = Shape(entries=2_000_000, rounds=2, receipt_rounds=9, receipts=400)
SHORT: Final = Shape(entries=2_000, rounds=1, receipt_rounds=1, receipts=10)


# --- in a process of its own ------------------------------------------------------------------


def look(root: Path) -> Result:
    """Derive, verify and rebuild the home once; return seconds, and memory in bytes by phase."""
    home = Home.open(root)
    found: Result = {}
    began = _begin()
    with inspect_storage(home) as inspected:
        found["derive"] = _ended(began)
        began = _begin()
        verified = inspected.ledger.verify()
        found["verify"] = _ended(began)
        began = _begin()
        inspected.rebuild()
        found["rebuild"] = _ended(began)
    hashed = _begin()
    for _ in range(verified.size // 10):
        sha256(_ENTRY_SIZED).digest()
    found["hash"] = _ended(hashed)
    return {"entries": verified.size, "anchored": verified.anchored_size, **found}


_ENTRY_SIZED: Final = bytes(300)


def _begin() -> dict[str, float]:
    """Forget the peak of memory, where the system lets us, and take the time."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return {"rss": _memory("VmRSS"), "cpu": time.process_time(), "wall": time.perf_counter()}


def _ended(began: dict[str, float]) -> dict[str, float]:
    return {
        "cpu_seconds": time.process_time() - began["cpu"],
        "wall_seconds": time.perf_counter() - began["wall"],
        "rss_before": began["rss"],
        "rss_peak": _memory("VmHWM"),
    }


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


# --- the whole run ----------------------------------------------------------------------------


def measure(short: bool) -> Result:
    """Return the whole result."""
    shape = SHORT if short else LONG
    with tempfile.TemporaryDirectory() as own:
        cache = Path(own) if short else None
        homes = {
            size: long_home(size, cache=cache) for size in (shape.entries // 10, shape.entries)
        }
        sparse = long_home(shape.entries // 10, cache=cache, commit=SPARSE)
        rounds = [{size: _in_process(home) for size, home in homes.items()}
                  for _ in range(shape.rounds)]  # fmt: skip
        sparse_rounds = [{shape.entries // 10: _in_process(sparse)} for _ in range(shape.rounds)]
    receipts = [_receipts(shape.receipts) for _ in range(shape.receipt_rounds)]
    return {
        "benchmark": NAME,
        "shape": asdict(shape),
        "machine": machine(),
        "log": {"entries_per_checkpoint": COMMIT, "entries_per_body": BODY_EVERY},
        "phases": {phase: _phase(phase, rounds, shape.entries) for phase in PHASES},
        "sparse": {
            "entries_per_checkpoint": SPARSE,
            "rate": _rates("verify", sparse_rounds, shape.entries // 10),
            "against_bare_hash": _against_hash("verify", sparse_rounds, shape.entries // 10),
        },
        "receipts": _judged(receipts),
        "rounds": [{str(size): found for size, found in each.items()} for each in rounds],
    }


def _in_process(home: Path) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.ledger_verify", "--look", str(home)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=900,
    )  # fmt: skip
    found: Result = json.loads(done.stdout)
    return found


def _phase(phase: str, rounds: list[dict[int, Result]], entries: int) -> Result:
    """Return the rates over the long log, and what its memory grew by against the short one."""
    long, short = ([each[size][phase] for each in rounds] for size in (entries, entries // 10))
    grew = [
        (one["rss_peak"] - one["rss_before"]) - (other["rss_peak"] - other["rss_before"])
        for one, other in zip(long, short, strict=True)
    ]
    return {
        "rate": _rates(phase, rounds, entries),
        "against_bare_hash": _against_hash(phase, rounds, entries),
        "wall_seconds": _spread([one["wall_seconds"] for one in long]),
        "bytes_per_entry": _spread([g / (entries - entries // 10) for g in grew]),
        "peak_megabytes": _spread([one["rss_peak"] / 1e6 for one in long]),
    }


def _rates(phase: str, rounds: list[dict[int, Result]], entries: int) -> dict[str, float]:
    return _spread([entries / each[entries][phase]["cpu_seconds"] for each in rounds])


def _against_hash(phase: str, rounds: list[dict[int, Result]], entries: int) -> dict[str, float]:
    """Return the rates as parts of what bare SHA-256 does: `look` hashes a tenth of the entries."""
    found = [each[entries] for each in rounds]
    return _spread([one["hash"]["cpu_seconds"] * 10 / one[phase]["cpu_seconds"] for one in found])


def _receipts(count: int) -> dict[str, float]:
    """Return Ed25519 verifications and receipt verifications a second, with 0 and 3 witnesses."""
    log = SampleLog.of(300)
    key, message = private_key("log"), log.note()
    public, signature = key.public_key(), key.sign(message)
    found = {"V": _per_second(count, lambda: public.verify(signature, message))}
    for number in (0, len(WITNESSES)):
        witnesses = WITNESSES[:number]
        raw = log.receipt(250, witnesses=witnesses)
        trusted = policy(quorum="all" if witnesses else "none")
        found[str(number)] = _per_second(count, partial(verify_receipt, raw, trusted))
    return found


def _per_second(count: int, act: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(count):
        act()
    return count / (time.process_time() - began)


def _judged(rounds: list[dict[str, float]]) -> Result:
    return {
        "V": _spread([found["V"] for found in rounds]),
        **{
            number: {
                "rate": _spread([found[number] for found in rounds]),
                "share": _spread(
                    [found[number] * (1 + int(number)) / found["V"] for found in rounds]
                ),
            }
            for number in ("0", "3")
        },
    }  # fmt: skip


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def table(result: Result) -> str:
    """Return rates, seconds, memory and receipts as Markdown.

    A goal of a log stands only beside a log of the length that it was set for.
    """
    entries = result["shape"]["entries"]
    goals = dict.fromkeys(PHASES, "")
    if entries == LONG.entries:
        goals = {
            "derive": f"≤ {DERIVE_SECONDS_GOAL} s, ≤ {TREE_BYTES_GOAL} bytes",
            "verify": f"≥ {RATE_GOAL}/s, flat",
            "rebuild": "flat",
        }
    head = f"| {entries} entries | entries/s of one core (range) | to bare SHA-256 | seconds "
    lines = [
        f"{head}| memory, bytes/entry | peak MB | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for phase, found in result["phases"].items():
        lines.append(
            f"| {phase} | {_text(found['rate'], 0)} | {_text(found['against_bare_hash'], 2)} "
            f"| {found['wall_seconds']['median']:.1f} | {_whole(found['bytes_per_entry'])} "
            f"| {found['peak_megabytes']['median']:.0f} | {goals[phase]} |"
        )
        if phase == "verify" and "sparse" in result:
            lines.append(_sparse(result["sparse"], goals[phase]))
    if entries != LONG.entries:
        lines += ["", _too_short(result, entries)]
    lines += ["", "| receipt | verifications/s | of V/(1 + witnesses) (range) | goal |",
              "|---|---|---|---|"]  # fmt: skip
    for number in ("0", "3"):
        found = result["receipts"][number]
        lines.append(
            f"| {number} witnesses | {found['rate']['median']:.0f} | {_text(found['share'], 2)} "
            f"| ≥ {RECEIPT_GOAL} |"
        )
    verifies, log = result["receipts"]["V"]["median"], result["log"]
    every = f"{log['entries_per_checkpoint']} entries, a body for each {log['entries_per_body']}"
    below = f"V {verifies:.0f} Ed25519 verifications/s; a signed checkpoint for each {every}."
    return "\n".join([*lines, "", below, "", _replaced(result)])


def _sparse(found: Result, goal: str) -> str:
    what = f"verify, {found['entries_per_checkpoint']} entries a commit"
    ratio = _text(found["against_bare_hash"], 2)
    return f"| {what} | {_text(found['rate'], 0)} | {ratio} | | | | {goal.partition(',')[0]} |"


def _too_short(result: Result, entries: int) -> str:
    scaled = result["phases"]["derive"]["wall_seconds"]["median"] * LONG.entries / entries
    return (
        f"The goals are of {LONG.entries} entries, and this log is shorter: scaled to that length, "
        f"`derive` would take {scaled:.0f} s."
    )


def _replaced(result: Result) -> str:
    """Return the targets that stood before the goals, and what this run reached of them."""
    said = []
    for phase, (target, what) in REPLACED_TARGETS.items():
        reached = result["phases"][phase]["against_bare_hash"]["median"]
        verdict = "met" if reached >= target else "missed"
        said.append(f"{what} ≥ {target:g} × bare SHA-256 ({phase}: {reached:.2f}, {verdict})")
    return f"These goals replaced earlier targets: {'; '.join(said)}."


def _whole(spread: dict[str, Any]) -> str:
    return str(round(spread["median"]))  # and never "-0"


def _text(spread: dict[str, Any], digits: int) -> str:
    return f"{spread['median']:.{digits}f} ({spread['low']:.{digits}f}–{spread['high']:.{digits}f})"


def main() -> None:
    """Look at one home and print JSON, or run the whole benchmark."""
    if "--look" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--look", type=Path)
        print(json.dumps(look(parser.parse_args().look)))
    else:
        command(NAME, measure=measure, table=table, described=__doc__)


if __name__ == "__main__":
    main()
