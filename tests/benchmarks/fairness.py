"""What a fairness audit costs beside one pass that only counts (see README.md).

    python tests/benchmarks/bench_fairness.py                        about a minute
    python tests/benchmarks/bench_fairness.py --short --out x.json   seconds; numbers mean nothing

A million independent rows in 24 intersectional groups: six metrics of every group, and limits that
hold together for all 276 pairs of a metric, from 1,000 resamples. Everything takes turns in each
round, in processor time, so that a busy neighbour slows all of it alike. fairlearn's bootstrap is
measured on fewer rows with few resamples and extrapolated by the resamples alone.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from audits.fairness.cells import count_cells, decided
from audits.fairness.draws import draw
from audits.fairness.gaps import gap_limits, pairs_of
from audits.fairness.metrics import DECISION_METRICS
from audits.sources.sample import Category, Sample
from tests.benchmarks.published import Result, command, machine

NAME: Final = "fairness"
LEVELS: Final = {"race": 4, "age": 3, "sex": 2}
METRICS: Final = tuple(DECISION_METRICS.values())
COUNTED: Final = "one counting pass"
WHOLE: Final = "counts, resamples and limits of all pairs"
BY_DUCKDB: Final = "the same groups counted by DuckDB"
LIMIT: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How many rows and resamples, and how often everything is measured."""

    rows: int
    replicates: int
    rounds: int
    fairlearn_rows: int
    fairlearn_resamples: int


LONG: Final = Shape(
    rows=1_000_000, replicates=1000, rounds=9, fairlearn_rows=100_000, fairlearn_resamples=3
)
SHORT: Final = Shape(
    rows=4_000, replicates=200, rounds=1, fairlearn_rows=500, fairlearn_resamples=2
)


def sample_of(rows: int, *, seed: int = 1) -> Sample:
    """Return independent rows; every group has positives and negatives, acted on and not."""
    rng = np.random.default_rng(seed)
    return Sample(
        subject=np.arange(rows),
        label=(rng.random(rows) < 0.2).astype(np.float64),
        decision=(rng.random(rows) < 0.3).astype(np.int8),
        categories={
            name: Category(
                codes=rng.integers(0, size, rows).astype(np.int32),
                levels=tuple(f"{name}{level}" for level in range(size)),
            )
            for name, size in LEVELS.items()
        },
    )


def counted(sample: Sample) -> Any:
    """Return the counts of all groups: the one pass over the rows."""
    return count_cells(sample, attributes=tuple(LEVELS), outcome=decided(sample))


def audited(sample: Sample, *, replicates: int) -> Any:
    """Return the limits of every pair of groups in every metric, counting included."""
    cells = counted(sample)
    drawn = draw(cells, replicates=replicates, rng=np.random.default_rng(1))
    return gap_limits(cells, METRICS, drawn, pairs=pairs_of(cells.groups), level=0.95)


def measure(short: bool) -> Result:
    """Return the whole result."""
    shape = SHORT if short else LONG
    sample = sample_of(shape.rows)
    frame = _frame(sample)
    tasks: dict[str, Callable[[], object]] = {
        COUNTED: partial(counted, sample),
        WHOLE: partial(audited, sample, replicates=shape.replicates),
        "the same groups counted by pandas": partial(_pandas, frame),
        BY_DUCKDB: partial(_duckdb, frame),
    }
    for task in tasks.values():
        task()
    rounds = [{name: _seconds(task) for name, task in tasks.items()} for _ in range(shape.rounds)]
    fewer = sample_of(max(shape.rows // 10, 1000))
    return {
        "benchmark": NAME,
        "shape": {**asdict(shape), "groups": 24, "metrics": len(METRICS), "pairs": 276},
        "machine": machine(),
        "summary": [_summary(name, rounds) for name in tasks],
        "memory": {
            "rows": shape.rows,
            "bytes": _peak(partial(audited, sample, replicates=shape.replicates)),
            "fewer_rows": fewer.n,
            "fewer_bytes": _peak(partial(audited, fewer, replicates=shape.replicates)),
        },
        "fairlearn": _fairlearn(shape),
        "rounds": rounds,
    }


def _frame(sample: Sample) -> Any:
    import pandas as pd

    columns = {name: column.codes for name, column in sample.categories.items()}
    return pd.DataFrame({**columns, "label": sample.label, "decision": sample.decision})


def _pandas(frame: Any) -> object:
    return frame.groupby([*LEVELS, "label", "decision"]).size()


def _duckdb(frame: Any) -> object:
    import duckdb

    keys = ", ".join([*LEVELS, "label", "decision"])
    return duckdb.query_df(frame, "t", f"SELECT {keys}, count(*) FROM t GROUP BY {keys}").fetchall()


def _fairlearn(shape: Shape) -> Result:
    """Return the seconds of fairlearn's point estimates and of one of its resamples."""
    from fairlearn.metrics import (
        MetricFrame,
        false_positive_rate,
        selection_rate,
        true_negative_rate,
        true_positive_rate,
    )
    from sklearn.metrics import accuracy_score, precision_score

    sample = sample_of(shape.fairlearn_rows)
    given: dict[str, Any] = {
        "metrics": {
            "selection_rate": selection_rate,
            "true_positive_rate": true_positive_rate,
            "false_positive_rate": false_positive_rate,
            "true_negative_rate": true_negative_rate,
            "accuracy": accuracy_score,
            "precision": partial(precision_score, zero_division=0),
        },
        "y_true": sample.label,
        "y_pred": sample.decision,
        "sensitive_features": _frame(sample)[list(LEVELS)],
    }
    point = _seconds(lambda: MetricFrame(**given))
    several = _seconds(
        lambda: MetricFrame(
            **given, n_boot=shape.fairlearn_resamples, ci_quantiles=[0.025, 0.975], random_state=1
        )
    )
    ours = _seconds(partial(audited, sample, replicates=shape.replicates))
    each = max(several - point, 1e-9) / shape.fairlearn_resamples
    return {
        "rows": sample.n,
        "point_seconds": point,
        "resample_seconds": each,
        "extrapolated_seconds": point + each * shape.replicates,
        "ours_seconds": ours,
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return max(time.process_time() - began, 1e-9)


def _peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _summary(name: str, rounds: list[dict[str, float]]) -> Result:
    ratios = [found[name] / found[COUNTED] for found in rounds]
    return {
        "what": name,
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "milliseconds": 1000 * statistics.median(found[name] for found in rounds),
    }


def table(result: Result) -> str:
    """Return the summary as Markdown."""
    shape = result["shape"]
    title = (
        f"{shape['rows']} rows, {shape['groups']} groups, {shape['metrics']} metrics, "
        f"{shape['replicates']} resamples"
    )
    lines = [f"| {title} | to {COUNTED} (range) | ms | goal |", "|---|---|---|---|"]
    lines += [
        f"| {row['what']} | {row['ratio']:.2f} ({row['ratio_low']:.2f}–{row['ratio_high']:.2f}) "
        f"| {row['milliseconds']:.1f} | {_goal(row) if shape == _long() else ''} |"
        for row in result["summary"]
    ]
    said = [_duckdb_line(result), _memory_line(result), _fairlearn_line(result)]
    return "\n\n".join(["\n".join(lines), *said])


def _duckdb_line(result: Result) -> str:
    ratios = [found[WHOLE] / found[BY_DUCKDB] for found in result["rounds"]]
    middle = statistics.median(ratios)
    goal = f", {'met' if middle <= LIMIT else 'missed'}" if result["shape"] == _long() else ""
    return (
        f"The whole audit to DuckDB's pass over the same rows: {middle:.2f} "
        f"({min(ratios):.2f}–{max(ratios):.2f}; goal ≤ {LIMIT:g}{goal})."
    )


def _memory_line(result: Result) -> str:
    memory = result["memory"]
    peak, fewer = memory["bytes"] / 1e6, memory["fewer_bytes"] / 1e6
    return (
        f"Peak memory beside the columns: {peak:.1f} MB with {memory['rows']} rows, {fewer:.1f} MB "
        f"with {memory['fewer_rows']} (goal: flat)."
    )


def _fairlearn_line(result: Result) -> str:
    shape, theirs = result["shape"], result["fairlearn"]
    whole, ours = theirs["extrapolated_seconds"], theirs["ours_seconds"]
    return (
        f"fairlearn on {theirs['rows']} rows: {theirs['point_seconds']:.2f} s for the values, "
        f"{theirs['resample_seconds']:.2f} s a resample; {shape['replicates']} resamples, "
        f"extrapolated from {shape['fairlearn_resamples']}, {whole:.0f} s. "
        f"The whole audit of the same rows: {ours:.3f} s, {whole / ours:.0f} times less."
    )


def _long() -> dict[str, Any]:
    return {**asdict(LONG), "groups": 24, "metrics": len(METRICS), "pairs": 276}


def _goal(row: Result) -> str:
    if row["what"] != WHOLE:
        return ""
    return f"≤ {LIMIT:g}, {'met' if row['ratio'] <= LIMIT else 'missed'}"


if __name__ == "__main__":
    command(NAME, measure=measure, table=table, described=__doc__)
