"""Columns that tell too much or nothing: the label itself, an identifier, a gap, one value.

Definition: a feature that is constant in training; that is the label in other words; that alone
    decides the label; that is an identifier; whose missing values tell the label; or an order of
    rows that does.
Formula: decides: area outside [0.01, 0.99]. Gap and row order: area at least 0.1 from one half and
    p within the bound of the run (see `examination`). Identifier: whole numbers, at least 99 %
    distinct, in a range at most twice their count, or a category with 95 % distinct levels.
Source: Kaufman, Rosset, Perlich and Stitelman (2012), ACM Transactions on Knowledge Discovery from
    Data 6(4), 15; Rubin (1976), Biometrika 63(3), 581-592 (missingness).
Assumptions: tests use the first row of each subject.
Failure modes: two features that decide the label only together are not seen. A strong honest
    predictor is reported too, with the area it reaches.
Cost: one sort a feature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audits.temporal.leakage.association import of_category, of_quantity
from audits.temporal.leakage.finding import (
    Finding,
    Look,
    Severity,
    Suspicion,
    Unseen,
    examples,
)
from audits.temporal.leakage.material import independent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample
    from audits.temporal.leakage.association import Association
    from audits.temporal.leakage.material import Floats, Ints, Material

    Bools = NDArray[np.bool_]

DECIDES: Final = 0.49
EFFECT_MIN: Final = 0.1
"""Distance of an area from one half below which a true association is not worth a finding."""
IDENTIFIER_ROWS_MIN: Final = 50


def constants(material: Material) -> Look:
    """Find features that have one value, or none, in training."""
    for name, codes in _training(material).items():
        values = codes[codes >= 0]
        if not values.size or (values == values[0]).all():
            what = "has no value" if not values.size else "has one value"
            yield _found(
                "constant_feature",
                Severity.DOUBTFUL,
                material.training.n,
                column=name,
                message=f"{name!r} {what} in training, and tells nothing",
                method="distinct values",
            )


def telltales(material: Material) -> Look:
    """Find features that are the label, or alone decide it."""
    import numpy as np

    sample = material.training
    if sample.label is None:
        yield Unseen(kind="single_feature_decides", reason="training has no labels")
        return
    kept = independent(sample) & ~np.isnan(sample.label)
    label = sample.label[kept]
    if set(np.unique(label)) - {0.0, 1.0}:
        yield Unseen(kind="single_feature_decides", reason="the label is not 0 or 1")
    for name, codes in _training(material).items():
        values = sample.numbers[name][kept] if name in sample.numbers else None
        if _is_label(codes[kept], label):
            yield _found(
                "target_copy",
                Severity.SERIOUS,
                int(kept.sum()),
                column=name,
                message=f"{name!r} is the label in other words: one value for each label",
                method="one-to-one with the label",
            )
            continue
        if set(np.unique(label)) - {0.0, 1.0}:
            continue
        mark = label == 1
        found = of_category(codes[kept], mark) if values is None else of_quantity(values, mark)
        if found is not None and found.strength >= DECIDES and found.p < 1e-3:
            yield _found(
                "single_feature_decides",
                Severity.SERIOUS,
                int(kept.sum()),
                column=name,
                message=f"{name!r} alone reaches an area of {found.area:.3f}",
                method="area under the ROC curve of the feature",
            )


def gaps(material: Material) -> Look:
    """Suspect features whose missing values tell the label."""
    import numpy as np

    kind = "missingness_predicts_label"
    for side, sample in material.sides.items():
        if not _binary(sample):
            yield Unseen(kind=kind, reason=f"the {side} side has no labels of 0 and 1")
            continue
        kept = independent(sample) & ~np.isnan(_label(sample))
        mark = _label(sample)[kept] == 1
        for name in (*material.numbers, *material.categories):
            missing = _missing(sample, name)
            found = of_category(missing[kept].astype(np.int64), mark)
            if found is None or not missing[kept].any() or missing[kept].all():
                continue
            yield _suspected(
                kind,
                found,
                side,
                missing,
                column=name,
                message=f"a missing {name!r} tells the label (area {found.area:.2f})",
                method="Fisher's exact test of missing against label",
            )


def identifiers(material: Material) -> Look:
    """Find features that number the rows or subjects."""
    import numpy as np

    sample = material.training
    if sample.n < IDENTIFIER_ROWS_MIN:
        yield Unseen(
            kind="identifier_like", reason=f"fewer than {IDENTIFIER_ROWS_MIN} training rows"
        )
        return
    first = independent(sample)
    for name in material.numbers:
        values = sample.numbers[name][first]
        values = values[~np.isnan(values)]
        if _counts_up(values):
            yield _identifier(name, values.size, "whole numbers, nearly all distinct, no gaps")
    for name in material.categories:
        codes = sample.categories[name].codes[first]
        codes = codes[codes >= 0]
        if codes.size >= IDENTIFIER_ROWS_MIN and np.unique(codes).size >= 0.95 * codes.size:
            yield _identifier(name, codes.size, "nearly every row has a level of its own")


def row_order(material: Material) -> Look:
    """Suspect an order of the training rows that tells the label."""
    import numpy as np

    sample = material.training
    if not _binary(sample):
        yield Unseen(kind="row_order_predicts_label", reason="training has no labels of 0 and 1")
        return
    kept = independent(sample) & ~np.isnan(_label(sample))
    place = np.flatnonzero(kept).astype(float)
    found = of_quantity(place, _label(sample)[kept] == 1)
    if found is None:
        yield Unseen(kind="row_order_predicts_label", reason="too few rows of a label")
        return
    yield _suspected(
        "row_order_predicts_label",
        found,
        "training",
        np.zeros(sample.n, dtype=np.bool_),
        column=None,
        message=f"the order of the training rows tells the label (area {found.area:.2f})",
        method="Mann-Whitney test of the row number",
    )


def _training(material: Material) -> dict[str, Ints]:
    return {name: codes[: material.training.n] for name, codes in material.coded.items()}


def _is_label(codes: Ints, label: Floats) -> bool:
    """Return whether values and labels go one to one, missing being a value like others."""
    import numpy as np

    values = np.unique(codes).size
    labels = np.unique(label).size
    if labels < 2 or values != labels:
        return False
    pairs = np.unique(np.stack((codes.astype(float), label)), axis=1).shape[1]
    return bool(pairs == labels)


def _counts_up(values: Floats) -> bool:
    import numpy as np

    if values.size < IDENTIFIER_ROWS_MIN or not (values == np.round(values)).all():
        return False
    distinct = np.unique(values).size
    width = float(values.max() - values.min()) + 1
    return bool(distinct >= 0.99 * values.size and width <= 2 * values.size)


def _identifier(name: str, size: int, method: str) -> Finding:
    return _found(
        "identifier_like",
        Severity.DOUBTFUL,
        size,
        column=name,
        message=f"{name!r} looks like an identifier, not like a measurement",
        method=method,
    )


def _binary(sample: Sample) -> bool:
    import numpy as np

    label = _label(sample)
    return not set(np.unique(label[~np.isnan(label)])) - {0.0, 1.0}


def _label(sample: Sample) -> Floats:
    import numpy as np

    return np.full(sample.n, np.nan) if sample.label is None else sample.label


def _missing(sample: Sample, name: str) -> Bools:
    import numpy as np

    if name in sample.numbers:
        return np.isnan(sample.numbers[name])
    return sample.categories[name].codes < 0


def _found(
    kind: str, severity: Severity, of: int, *, column: str, message: str, method: str
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        side="training",
        message=message,
        count=of,
        of=of,
        rows=(),
        column=column,
        method=method,
    )


def _suspected(
    kind: str,
    found: Association,
    side: str,
    mask: Bools,
    *,
    column: str | None,
    message: str,
    method: str,
) -> Suspicion:
    finding = Finding(
        kind=kind,
        severity=Severity.DOUBTFUL,
        side="training" if side == "training" else "test",
        message=message,
        count=int(mask.sum()) if mask.any() else mask.size,
        of=mask.size,
        rows=examples(mask),
        column=column,
        method=method,
    )
    return Suspicion(finding=finding, p=found.p, large=found.strength >= EFFECT_MIN)
