"""Exact values of every forecast metric on a small whole-number panel, by rational arithmetic.

Written from the formulas of the docstring of `audits/forecasting/forecast_metrics.py`; imports
nothing of the package under test. `python -m tests.golden.audits.generate` writes
`forecast_metrics.json` anew.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

MONTHS, HORIZON, ORIGINS = 72, 6, (47, 53, 59, 65)
OFFSETS = {"0.025": -33, "0.1": -25, "0.9": 21, "0.975": 28}
FILE = Path(__file__).parent / "forecast_metrics.json"


def history(s: int) -> list[int]:
    """Whole numbers that look like demand: a season, a slope and a remainder pattern."""
    season = (0, 12, 30, 41, 25, 8, -9, -20, -33, -28, -14, -4)
    return [
        300 * (s + 1) + (s + 1) * season[t % 12] + 2 * t + (t * t * (s + 3)) % 37
        for t in range(MONTHS)
    ]


def median(s: int, origin: int, step: int) -> int:
    """Last year's month, moved by a pattern that errs to both sides."""
    return history(s)[origin + step - 12] + (7 * step * (s + 2) + origin) % 61 - 24


def cells() -> list[tuple[int, int, int]]:
    return [(s, o, h) for s in range(3) for o in ORIGINS for h in range(1, HORIZON + 1)]


def differences(s: int, origin: int) -> list[int]:
    past = history(s)[: origin + 1]
    return [now - before for before, now in zip(past, past[12:], strict=False)]


def scale(s: int, origin: int) -> Fraction:
    steps = differences(s, origin)
    return Fraction(sum(abs(x) for x in steps), len(steps))


def scale_squared(s: int, origin: int) -> Fraction:
    steps = differences(s, origin)
    return Fraction(sum(x * x for x in steps), len(steps))


def actual(s: int, origin: int, step: int) -> int:
    return history(s)[origin + step]


def pinball(probability: str, gap: int) -> Fraction:
    p = Fraction(probability)
    return max(p * gap, (p - 1) * gap)


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def share(hits: list[bool]) -> Fraction:
    return Fraction(sum(hits), len(hits))


def held(low: str, high: str) -> Fraction:
    return share([OFFSETS[low] <= actual(*c) - median(*c) <= OFFSETS[high] for c in cells()])


def exact() -> dict[str, Fraction]:
    """Every metric that is a rational number."""
    demand = sum(actual(*c) for c in cells())
    gap = [median(*c) - actual(*c) for c in cells()]
    naive = sum(abs(history(s)[o + h - 12] - actual(s, o, h)) for s, o, h in cells())
    return {
        "mase": mean([abs(median(*c) - actual(*c)) / scale(c[0], c[1]) for c in cells()]),
        "wape": Fraction(sum(abs(x) for x in gap), demand),
        "pinball": mean(
            [
                pinball(p, actual(*c) - median(*c) - move) / scale(c[0], c[1])
                for c in cells()
                for p, move in OFFSETS.items()
            ]
        ),
        "coverage_80": held("0.1", "0.9"),
        "coverage_95": held("0.025", "0.975"),
        "bias": Fraction(sum(gap), demand),
        "under_forecast": Fraction(sum(max(-x, 0) for x in gap), demand),
        "skill_wape": 1 - Fraction(sum(abs(x) for x in gap), naive),
    }


def rmsse_squares() -> list[Fraction]:
    """The squared RMSSE of every path; the metric is the mean of their roots."""
    return [
        mean([Fraction((median(s, o, h) - actual(s, o, h)) ** 2) for h in range(1, HORIZON + 1)])
        / scale_squared(s, o)
        for s in range(3)
        for o in ORIGINS
    ]


def document() -> dict[str, object]:
    """What the file holds: fractions as text."""
    return {
        "exact": {name: str(x) for name, x in exact().items()},
        "rmsse_squares": [str(x) for x in rmsse_squares()],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(document(), indent=1) + "\n", encoding="utf-8")
