"""Decision curve: what acting on a score is worth, in true positives, at each action threshold.

Definition: net benefit at the threshold t counts true positives and takes off false positives at
    the odds t/(1 - t) at which somebody who acts at t weighs them; treating everybody and nobody
    are the strategies to beat.
Formula: NB(t) = mean over rows of [s >= t] (y - (1 - y) t/(1 - t)); treat all: the same with every
    row acted on; treat none: 0. Gain = NB - max(NB of all, 0), against the better of the two on
    these rows. Interval: influence by subject, t quantile; the gain uses the rows' differences.
Source: Vickers and Elkin (2006), Medical Decision Making 26(6), 565-574; Vickers, Cronin, Elkin and
    Gonen (2008), BMC Medical Informatics and Decision Making 8, 53 (intervals).
Assumptions: scores are probabilities, and the threshold states how harms are weighed.
Failure modes: a miscalibrated score is acted on at the wrong people. Which of the two strategies is
    the better one is chosen on the same rows, which lowers the gain slightly where they are close.
    Few subjects that gain, or few that lose: value without interval.
Cost: one pass a threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import ProtocolMalformed
from audits.estimate import Estimate, decimal_text
from audits.performance.brier import probabilities
from audits.performance.influence import RARER, measured, nothing, one_class, too_few

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.performance.rows import Rows

    Floats: TypeAlias = NDArray[np.float64]

METHOD: Final = "net benefit, influence by subject, t, v1"
MINIMUM_EVENTS: Final = 10
MINIMUM_MOVED: Final = 8
"""Subjects of each class, and subjects that gain and that lose, below which the interval no longer
covered its level in simulation."""


def net_benefit(rows: Rows, *, threshold: float, level: float) -> tuple[Estimate, ...]:
    """Return net benefit of the model, of treating all, and the model's gain over the better.

    Metrics are named "net_benefit@0.2", "net_benefit_all@0.2", "net_benefit_gain@0.2".
    """
    probabilities(rows)
    if not 0 < threshold < 1:
        raise ProtocolMalformed(
            f"a decision threshold of {threshold} weighs one error at nothing",
            next_step="Name thresholds strictly between 0 and 1.",
        )
    at = decimal_text(threshold)
    names = tuple(f"net_benefit{part}@{at}" for part in ("", "_all", "_gain"))
    if why := one_class(rows):
        return tuple(
            nothing(rows, metric=name, why=why, level=level, method=METHOD) for name in names
        )
    worth = rows.label - ~rows.label * (threshold / (1 - threshold))
    model = worth * (rows.score >= threshold)
    better = worth if worth.mean() > 0 else worth * 0.0
    return tuple(
        _mean(rows, name, values, level=level)
        for name, values in zip(names, (model, worth, model - better), strict=True)
    )


def _mean(rows: Rows, metric: str, values: Floats, *, level: float) -> Estimate:
    value = float(values.mean())
    # gains and losses are the two classes that this mean counts
    moved = min(rows.subjects_with(values > 0), rows.subjects_with(values < 0))
    return measured(
        rows,
        metric=metric,
        value=value,
        influence=(values - value) / rows.n,
        level=level,
        method=METHOD,
        df=max(1, moved - 1),
        short=too_few(rows.rarer, MINIMUM_EVENTS, RARER)
        or too_few(moved, MINIMUM_MOVED, "subjects that gain, or that lose,"),
    )
