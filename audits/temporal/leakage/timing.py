"""Instants that contradict each other or the split: what was known, when, and by which clock.

Definition: a feature known after its prediction; a label known before it; training labels that
    became known after testing began; training rows from after the cut; instants later than the
    extract; pairs of instants out of order; a site whose clock is off by whole hours.
Formula: comparisons of instants. Clock: d = median delay of the site minus the median of the sites'
    medians, sites weighted by rows; off if |d| >= 30 minutes, |d| > 6 se, and d is a whole number
    of half hours within 3 se + 1 minute, with se = 1.2533 * 1.4826 MAD sqrt(1/n + 1/m).
Source: Kapoor and Narayanan (2023), Patterns 4(9), 100804; Rousseeuw and Croux (1993), Journal of
    the American Statistical Association 88, 1273-1283 (MAD).
Assumptions: instants are microseconds UTC for the clock; any whole unit for the rest.
Failure modes: a site whose work is slower by whole hours looks like a clock; somebody has to say.
Cost: one pass a pair of instants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from audits.sources.sample import MISSING_TIME
from audits.temporal.leakage.finding import Finding, Look, Severity, Unseen, examples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample
    from audits.temporal.leakage.material import Floats, Ints, Material

    Bools = NDArray[np.bool_]

MINUTE_US: Final = 60_000_000
HALF_HOUR_US: Final = 30 * MINUTE_US
SITE_ROWS_MIN: Final = 30
"""Rows of a site below which a median delay says nothing about its clock."""


def known_later(material: Material) -> Look:
    """Find values that became known after the prediction that used them."""
    kind = "feature_known_after_prediction"
    if material.at is None or not material.known_at:
        yield Unseen(kind=kind, reason="no feature has an instant at which it became known")
        return
    for feature, instant in sorted(material.known_at.items()):
        for side, sample in material.sides.items():
            at, known = sample.times[material.at], sample.times[instant]
            late = _dated(at, known) & (known > at) & _present(sample, feature)
            if late.any():
                yield _found(
                    kind,
                    late,
                    side,
                    f"{feature!r} became known after the prediction in {int(late.sum())} rows",
                    column=feature,
                    method=f"{instant} > {material.at}",
                )


def labels_first(material: Material) -> Look:
    """Find rows whose label was known before the prediction: there was nothing left to predict."""
    kind = "label_known_before_prediction"
    if material.at is None or material.label_known is None:
        yield Unseen(kind=kind, reason="the instant of the label or of the prediction is not known")
        return
    for side, sample in material.sides.items():
        at, known = sample.times[material.at], sample.times[material.label_known]
        early = _dated(at, known) & (known < at)
        if early.any():
            yield _found(
                kind,
                early,
                side,
                f"the label was known before the prediction in {int(early.sum())} rows",
                method=f"{material.label_known} < {material.at}",
            )


def training_known(material: Material) -> Look:
    """Find training rows that were predicted, or whose label became known, after testing began."""
    if not material.split_by_time:
        yield Unseen(kind="test_period_before_training_known", reason="the split is not by time")
        return
    if material.at is None:
        yield Unseen(
            kind="test_period_before_training_known",
            reason="the instant of the prediction is not known",
        )
        return
    tested = material.test.times[material.at]
    tested = tested[tested != MISSING_TIME]
    if not tested.size:
        yield Unseen(kind="test_period_before_training_known", reason="no test row is dated")
        return
    start = tested.min()
    at = material.training.times[material.at]
    after = (at != MISSING_TIME) & (at >= start)
    if after.any():
        yield _found(
            "training_rows_after_test_start",
            after,
            "training",
            f"{int(after.sum())} training rows were predicted after testing began",
            method=f"{material.at} >= first {material.at} of the test rows",
        )
    if material.label_known is None:
        return
    known = material.training.times[material.label_known]
    late = (known != MISSING_TIME) & (known > start)
    if late.any():
        yield _found(
            "test_period_before_training_known",
            late,
            "training",
            f"{int(late.sum())} training labels became known after testing began",
            method=f"{material.label_known} > first {material.at} of the test rows",
        )


def future(material: Material) -> Look:
    """Find instants later than the extract they stand in."""
    kind = "future_dated"
    if material.now is None:
        yield Unseen(kind=kind, reason="the instant of the extract is not known")
        return
    for side, sample in material.sides.items():
        for name, column in sorted(sample.times.items()):
            later = column > material.now
            if later.any():
                yield _found(
                    kind,
                    later,
                    side,
                    f"{name!r} lies after the extract in {int(later.sum())} rows",
                    column=name,
                    method=f"{name} > instant of the extract",
                )


def order(material: Material) -> Look:
    """Find pairs of instants in the wrong order."""
    kind = "instants_out_of_order"
    if not material.ordered:
        yield Unseen(kind=kind, reason="no pair of instants has an order")
        return
    for first, second in material.ordered:
        for side, sample in material.sides.items():
            one, two = sample.times[first], sample.times[second]
            wrong = _dated(one, two) & (one > two)
            if wrong.any():
                yield _found(
                    kind,
                    wrong,
                    side,
                    f"{first!r} lies after {second!r} in {int(wrong.sum())} rows",
                    column=second,
                    method=f"{first} > {second}",
                )


def clocks(material: Material) -> Look:
    """Find sites whose delays are off by whole half hours: a time zone, or a clock not set."""
    kind = "clock_shift"
    if material.site is None or not material.ordered:
        yield Unseen(kind=kind, reason="no site, or no pair of instants, to compare clocks by")
        return
    for first, second in material.ordered:
        for side, sample in material.sides.items():
            one, two = sample.times[first], sample.times[second]
            usable = _dated(one, two)
            column = sample.categories[material.site]
            delay = (two - one).astype(float)
            places = {
                level: usable & (column.codes == place) for place, level in enumerate(column.levels)
            }
            for level, hours in _offsets({name: delay[m] for name, m in places.items()}).items():
                yield _found(
                    kind,
                    places[level],
                    side,
                    f"{second!r} at site {level!r} is off by {hours:+g} hours",
                    column=second,
                    method="median delay against the sites' median, whole half hours",
                )


def _offsets(delays: dict[str, Floats]) -> dict[str, float]:
    """Return the hours by which a site's median delay is off, for those that are."""
    import numpy as np

    delays = {name: one for name, one in delays.items() if one.size >= SITE_ROWS_MIN}
    if len(delays) < 2:
        return {}
    middle = {name: float(np.median(one)) for name, one in delays.items()}
    # The median over rows of their sites' medians: of two sites, that of the larger one.
    ranked = sorted(middle, key=lambda name: middle[name])
    weight = np.cumsum([delays[name].size for name in ranked])
    usual = middle[ranked[int(np.searchsorted(weight, weight[-1] / 2))]]
    spread = np.concatenate([one - middle[name] for name, one in delays.items()])
    sd = 1.2533 * 1.4826 * float(np.median(np.abs(spread)))
    off: dict[str, float] = {}
    for name, one in delays.items():
        shift = middle[name] - usual
        se = sd * float(np.sqrt(1 / one.size + 1 / spread.size))
        steps = round(shift / HALF_HOUR_US)
        near = abs(shift - steps * HALF_HOUR_US) <= 3 * se + MINUTE_US
        if steps and near and abs(shift) > 6 * se:
            off[name] = steps / 2
    return off


def _dated(*columns: Ints) -> Bools:
    import numpy as np

    return np.asarray(np.logical_and.reduce([one != MISSING_TIME for one in columns]))


def _present(sample: Sample, feature: str) -> Bools:
    import numpy as np

    if feature in sample.numbers:
        return np.asarray(~np.isnan(sample.numbers[feature]))
    if feature in sample.categories:
        return np.asarray(sample.categories[feature].codes >= 0)
    return np.ones(sample.n, dtype=np.bool_)


def _found(
    kind: str, mask: Bools, side: str, message: str, *, method: str, column: str | None = None
) -> Finding:
    where: Literal["training", "test"] = "training" if side == "training" else "test"
    return Finding(
        kind=kind,
        severity=Severity.SERIOUS,
        side=where,
        message=message,
        count=int(mask.sum()),
        of=mask.size,
        rows=examples(mask),
        column=column,
        method=method,
    )
