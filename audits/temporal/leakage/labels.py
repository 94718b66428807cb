"""Labels that changed, or arrived for some and not for others.

Definition: a label that differs between two versions of the data. A label that is missing, or came
    late, more often for some rows than for others: what is then measured is measured on the rest.
Formula: selective arrival: area of each feature for "the label is not there", at least 0.1 from one
    half, p within the bound of the run. Late for a class: the same for the delay against the label.
Source: Rubin (1976), Biometrika 63(3), 581-592 (selection); Begg and Greenes (1983), Biometrics
    39(1), 207-215 (verification bias).
Assumptions: tests use the first row of each subject.
Failure modes: a label that arrives by what no column tells is not seen.
Cost: one sort a feature and side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audits.sources.sample import MISSING_TIME
from audits.temporal.leakage.association import of_category, of_quantity
from audits.temporal.leakage.columns import EFFECT_MIN
from audits.temporal.leakage.finding import Finding, Look, Severity, Suspicion, Unseen, examples
from audits.temporal.leakage.material import independent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample
    from audits.temporal.leakage.association import Association
    from audits.temporal.leakage.material import Material

    Bools = NDArray[np.bool_]

LATE: Final = "label_late_selectively"


def versions(material: Material) -> Look:
    """Find labels that differ from an earlier version of the same rows."""
    import numpy as np

    kind = "label_changed"
    if not material.earlier_labels:
        yield Unseen(kind=kind, reason="no earlier version of the labels was handed over")
        return
    for side, before in sorted(material.earlier_labels.items()):
        label = material.sides[side].label
        if label is None:
            yield Unseen(kind=kind, reason=f"the {side} side has no labels")
            continue
        changed = ~np.isnan(before) & ~np.isnan(label) & (before != label)
        gone = ~np.isnan(before) & np.isnan(label)
        moved = changed | gone
        if moved.any():
            yield Finding(
                kind=kind,
                severity=Severity.SERIOUS,
                side="training" if side == "training" else "test",
                message=f"{int(changed.sum())} labels differ from the earlier version, "
                f"{int(gone.sum())} are gone",
                count=int(moved.sum()),
                of=moved.size,
                rows=examples(moved),
                column=None,
                method="comparison of labels row by row",
            )


def lateness(material: Material) -> Look:
    """Suspect labels that arrive only, or later, for some."""
    for side, sample in material.sides.items():
        absent = _absent(material, sample)
        if absent.any():
            yield from _selection(material, sample, side, absent)
        yield from _delay(material, sample, side)


def _absent(material: Material, sample: Sample) -> Bools:
    import numpy as np

    absent = np.ones(sample.n, dtype=np.bool_)
    if sample.label is not None:
        absent = np.isnan(sample.label)
    if material.label_known is not None:
        known = sample.times[material.label_known]
        absent = absent | (known == MISSING_TIME)
        if material.now is not None:
            absent |= known > material.now
    return absent


def _selection(material: Material, sample: Sample, side: str, absent: Bools) -> Look:
    import numpy as np

    kept = independent(sample)
    for name in (*material.numbers, *material.categories):
        if name in sample.numbers:
            found = of_quantity(sample.numbers[name][kept], absent[kept])
        else:
            codes = sample.categories[name].codes[kept].astype(np.int64)
            found = of_category(codes, absent[kept])
        if found is not None:
            yield _suspected(
                found,
                side,
                absent,
                column=name,
                message=f"a label that is not there is told by {name!r} (area {found.area:.2f})",
                method="test of the missing label against the feature",
            )


def _delay(material: Material, sample: Sample, side: str) -> Look:
    import numpy as np

    if material.at is None or material.label_known is None or sample.label is None:
        yield Unseen(kind=LATE, reason=f"the delay of the {side} labels is not known")
        return
    at, known = sample.times[material.at], sample.times[material.label_known]
    usable = (at != MISSING_TIME) & (known != MISSING_TIME) & ~np.isnan(sample.label)
    usable &= independent(sample)
    label = sample.label[usable]
    if set(np.unique(label)) - {0.0, 1.0}:
        yield Unseen(kind=LATE, reason=f"the {side} labels are not 0 or 1")
        return
    found = of_quantity((known - at)[usable].astype(float), label == 1)
    if found is not None:
        mask = np.zeros(sample.n, dtype=np.bool_)
        mask[np.flatnonzero(usable)[label == 1]] = True
        yield _suspected(
            found,
            side,
            mask,
            column=None,
            message=f"labels of one kind arrive later than the other (area {found.area:.2f})",
            method="Mann-Whitney test of the delay",
        )


def _suspected(
    found: Association, side: str, mask: Bools, *, column: str | None, message: str, method: str
) -> Suspicion:
    finding = Finding(
        kind=LATE,
        severity=Severity.DOUBTFUL,
        side="training" if side == "training" else "test",
        message=message,
        count=int(mask.sum()),
        of=mask.size,
        rows=examples(mask),
        column=column,
        method=method,
    )
    return Suspicion(finding=finding, p=found.p, large=found.strength >= EFFECT_MIN)
