"""How fast a drift audit counts and compares, beside evidently's preset (see README.md).

    python tests/benchmarks/bench_drift.py                        three minutes
    python tests/benchmarks/bench_drift.py --short --out x.json   seconds; numbers mean nothing

Current rows are compared with a stored reference, columns of several shapes, all from raw float64.
Ours is everything: counting in the grid, five distances with intervals for each column. evidently's
preset computes one distance a column and holds the raw reference. Both run in this process, in
turn, and are measured in processor seconds, which neighbours disturb less; evidently's import and
its first small report are not counted.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from audits.drift.distances import VERSIONS, ks_resolution, ks_statistic
from audits.drift.grid import Counts, NumberGrid
from audits.drift.reference import Reference, reference_of
from audits.drift.reference_record import as_record, from_record
from audits.sources.sample import Sample
from tests.benchmarks.published import Result, command, machine

NAME: Final = "drift"
GOAL, TARGET, KS_GOAL = 50.0, 100.0, 1e-4
SHAPES: Final[dict[str, Callable[[np.random.Generator, int], Any]]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "gamma": lambda rng, n: rng.gamma(2.0, size=n),
    "counts": lambda rng, n: rng.poisson(30, size=n).astype(np.float64),
    "many zeros": lambda rng, n: np.where(rng.random(n) < 0.4, 0.0, rng.gamma(2.0, size=n)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How much there is, and how often everything is measured."""

    rows: int
    columns: int
    reference: int
    rounds: int
    evidently_rounds: int


LONG: Final = Shape(rows=1_000_000, columns=30, reference=100_000, rounds=5, evidently_rounds=1)
SHORT: Final = Shape(rows=3_000, columns=6, reference=12_000, rounds=2, evidently_rounds=1)


def measure(short: bool) -> Result:
    """Return the whole result."""
    shape = SHORT if short else LONG
    rng = np.random.default_rng(20260101)
    names = [f"{list(SHAPES)[i % len(SHAPES)]} {i}" for i in range(shape.columns)]
    reference = {name: _column(rng, name, shape.reference) for name in names}
    current = {name: _column(rng, name, shape.rows) * 1.001 for name in names}
    sample = Sample(subject=np.arange(shape.reference), numbers=reference)
    began = time.process_time()
    record = as_record(reference_of(sample, columns=names))
    building = time.process_time() - began
    began = time.process_time()
    stored = from_record(record)
    reading = time.process_time() - began
    few = {name: values[:500] for name, values in reference.items()}
    preset(few, few)
    ours = [_timed(lambda: audited(stored, current)) for _ in range(shape.rounds)]
    theirs = [_timed(lambda: preset(reference, current)) for _ in range(shape.evidently_rounds)]
    again = [_timed(lambda: audited(stored, current)) for _ in range(shape.rounds)]
    seconds = statistics.median([*ours, *again])
    return {
        "benchmark": NAME,
        "shape": asdict(shape),
        "machine": machine(),
        "seconds": {"ours": [*ours, *again], "evidently": theirs},
        "once": {"building": building, "reading": reading},
        "ratio": {
            "median": min(theirs) / seconds,
            "low": min(theirs) / max(*ours, *again),
            "high": min(theirs) / min(*ours, *again),
        },
        "ks": [_ks(stored, name, reference, current) for name in names[: len(SHAPES)]],
        "memory": _memory(stored, names[0], current[names[0]]),
    }


def audited(stored: Reference, current: dict[str, Any]) -> dict[str, Any]:
    """Count every column and compare it by every method, intervals included."""
    found = {}
    for name, column in stored.columns.items():
        assert isinstance(column.grid, NumberGrid)
        counts = column.grid.tally(current[name])
        found[name] = column.compare(
            counts, effective=counts.present, methods=VERSIONS, level=0.9997
        )
    return found


def preset(reference: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """Let evidently's preset compare the same columns, its import aside."""
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=list(reference))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sides = [
            Dataset.from_pandas(pd.DataFrame(table), data_definition=definition)
            for table in (current, reference)
        ]
        answer: dict[str, Any] = Report([DataDriftPreset()]).run(*sides).dict()
    assert len(answer["metrics"]) == len(reference) + 1
    return answer


def table(result: Result) -> str:
    """Return the tables of the page."""
    shape, ratio = result["shape"], result["ratio"]
    seconds = statistics.median(result["seconds"]["ours"])
    whole = shape == asdict(LONG)
    goal = f"≥ {GOAL:.0f}, target {TARGET:.0f}" if whole else ""
    memory, theirs = result["memory"], min(result["seconds"]["evidently"])
    rows = f"{shape['rows']} rows × {shape['columns']} columns, reference {shape['reference']}"
    times = f"{ratio['median']:.0f} ({ratio['low']:.0f}–{ratio['high']:.0f})"
    lines = [
        f"| {rows} | processor seconds | evidently ÷ ours (range) | goal |",
        "|---|---|---|---|",
        f"| ours: counting, five methods with intervals | {seconds:.3f} | {times} | {goal} |",
        f"| evidently's preset, one method a column | {theirs:.1f} | 1 | |",
        f"| once: the reference is built | {result['once']['building']:.2f} | | |",
        f"| once: the reference is read from its record | {result['once']['reading']:.2f} | | |",
        "",
        "| column | cells | KS error | stated bound | ns a value |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one['column']} | {one['cells']} | {one['error']:.1e} | {one['bound']:.1e} "
        f"| {one['nanoseconds']:.1f} |"
        for one in result["ks"]
    ]
    worst = max(one["error"] for one in result["ks"])
    lines += [
        "",
        f"Largest KS error {worst:.1e}"
        + (f" (goal ≤ {KS_GOAL:.0e})" if whole else "")
        + f"; memory while counting one column, MB: {memory['tenth_mb']:.1f} for a tenth of the "
        f"rows, {memory['all_mb']:.1f} for all.",
    ]
    return "\n".join(lines)


def _column(rng: np.random.Generator, name: str, n: int) -> Any:
    return SHAPES[name.rsplit(" ", 1)[0]](rng, n)


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _ks(
    stored: Reference, name: str, reference: dict[str, Any], current: dict[str, Any]
) -> dict[str, Any]:
    from scipy.stats import ks_2samp

    column = stored.columns[name]
    assert isinstance(column.grid, NumberGrid)
    grid = column.grid
    counts: Counts = grid.tally(current[name])
    exact = ks_2samp(reference[name], current[name], method="asymp").statistic
    spent = min(_timed(lambda: grid.tally(current[name])) for _ in range(3))
    return {
        "column": name.rsplit(" ", 1)[0],
        "cells": grid.cells,
        "error": abs(float(exact) - ks_statistic(column.counts.cells, counts.cells)),
        "bound": ks_resolution(column.counts.cells, counts.cells, grid.single),
        "nanoseconds": 1e9 * spent / len(current[name]),
    }


def _memory(stored: Reference, name: str, rows: Any) -> dict[str, float]:
    column = stored.columns[name]
    assert isinstance(column.grid, NumberGrid)
    peaks = []
    for part in (rows[: len(rows) // 10], rows):
        tracemalloc.start()
        column.grid.tally(part)
        peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
    return {"tenth_mb": peaks[0], "all_mb": peaks[1]}


if __name__ == "__main__":
    command(NAME, measure=measure, table=table, described=__doc__)
