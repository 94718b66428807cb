"""What stands on both sides, or twice: subjects, sites, rows, and rows used for tuning.

Definition: nothing of the test side may have been seen in training. Rows are equal if every feature
    is; nearly equal if every feature agrees to three significant digits (up to six, the fewest that
    tell the rows apart), or all but one agree exactly (from four features on).
Formula: equal 64-bit prints of the coded features, see `material`. Reported where so many equal
    pairs have a chance of at most 0.001 under a Poisson law with the mean that independent features
    would give; a mean above one half is not looked at.
Source: Kapoor and Narayanan (2023), Patterns 4(9), 100804 (a taxonomy of leakage).
Assumptions: features are not strongly dependent; where they are, coarse rows meet more often.
Failure modes: a subject under two pseudonyms is seen only through equal rows.
Cost: one sort of the prints, and one more a feature for rows that differ in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audits.temporal.leakage.finding import Finding, Look, Severity, Unseen, examples
from audits.temporal.leakage.material import chance_pairs, prints, tells_apart

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from audits.temporal.leakage.material import Ints, Material

    Prints = NDArray[np.uint64]
    Bools = NDArray[np.bool_]

DIGITS: Final = (3, 4, 5, 6)
SURPRISE: Final = 0.001
FEATURES_MIN: Final = 4
"""Features from which rows that agree in all but one are called nearly equal."""


def subjects(material: Material) -> Look:
    """Find test rows whose subject is in training too."""
    import numpy as np

    seen = np.isin(material.test.subject, material.training.subject)
    if seen.any():
        shared = int(np.unique(material.test.subject[seen]).size)
        yield _of_test(
            "subject_on_both_sides",
            seen,
            f"{shared} subjects have rows in training and in test",
            method="equal subject",
        )


def sites(material: Material) -> Look:
    """Find test rows of a site that is in training too, where sites are held out."""
    import numpy as np

    if not material.held_out or material.site is None:
        yield Unseen(kind="site_on_both_sides", reason="the split does not hold out sites")
        return
    ours, theirs = (one.categories[material.site] for one in (material.training, material.test))
    known = {ours.levels[code] for code in np.unique(ours.codes) if code >= 0}
    both = [place for place, level in enumerate(theirs.levels) if level in known]
    seen = np.isin(theirs.codes, both)
    if seen.any():
        yield _of_test(
            "site_on_both_sides",
            seen,
            f"{np.unique(theirs.codes[seen]).size} held-out sites have rows in training",
            method="equal site",
            column=material.site,
        )


def duplicates(material: Material) -> Look:
    """Find rows that occur twice, exactly and nearly, within a side and across the sides."""
    import numpy as np

    coded = material.coded
    if not tells_apart(coded):
        reason = "the features are too few or too coarse to tell rows apart"
        yield Unseen(kind="duplicated_rows", reason=reason)
        return
    exact = prints(coded)
    method = "every feature equal"
    if _surprising(exact, np.ones(exact.size, dtype=np.bool_), chance_pairs(coded)):
        yield from _repeats(material, exact, "duplicated_rows", method, None)
    yield from _near(material, coded, exact)


def _near(material: Material, coded: Mapping[str, Ints], exact: Prints) -> Look:
    import numpy as np

    kind = "nearly_duplicated_rows"
    new = ~np.isin(exact, _twice(exact))
    for digits in DIGITS if material.numbers else ():
        rounded = material.codes_of(material.training, material.test, digits=digits)
        if tells_apart(rounded):
            alike = prints(rounded)
            if _surprising(alike, new, chance_pairs(rounded)):
                method = f"every feature equal to {digits} significant digits"
                yield from _repeats(material, alike, kind, method, exact)
            break
    else:
        yield Unseen(kind=kind, reason="rounded features are too few or too coarse")
    if len(coded) < FEATURES_MIN:
        return
    for name in coded:
        if tells_apart(coded, without=name):
            alike = prints(coded, without=name)
            if _surprising(alike, new, chance_pairs(coded, without=name)):
                yield from _repeats(material, alike, kind, f"equal in all but {name!r}", exact)


def _surprising(prints_: Prints, new: Bools, expected: float) -> bool:
    """Return whether the equal pairs among the rows of `new` (n) are too many for chance."""
    import numpy as np
    from scipy.stats import poisson

    _, counts = np.unique(prints_[new], return_counts=True)
    pairs = int(counts @ (counts - 1)) // 2
    return pairs > 0 and float(poisson.sf(pairs - 1, expected)) <= SURPRISE


def _repeats(
    material: Material, prints_: Prints, kind: str, method: str, exact: Prints | None
) -> Look:
    """Report repeats of `prints_` (n); rows that are equal in `exact` are reported elsewhere."""
    import numpy as np

    cut = material.training.n
    new = np.ones(prints_.size, dtype=np.bool_)
    if exact is not None:
        new = ~np.isin(exact, _twice(exact))
    across = np.isin(prints_[cut:], prints_[:cut]) & new[cut:]
    if across.any():
        yield _of_test(
            f"{kind}_across_sides",
            across,
            f"{int(across.sum())} test rows stand in training too ({method})",
            method=method,
        )
    for side, part in (("training", slice(None, cut)), ("test", slice(cut, None))):
        again = _later_copies(prints_[part]) & new[part]
        if again.any():
            yield Finding(
                kind=kind,
                severity=Severity.DOUBTFUL,
                side="training" if side == "training" else "test",
                message=f"{int(again.sum())} rows repeat an earlier row of {side} ({method})",
                count=int(again.sum()),
                of=again.size,
                rows=examples(again),
                column=None,
                method=method,
            )


def tuning(material: Material) -> Look:
    """Find test rows that were used for tuning: the same subject, or an equal row."""
    import numpy as np

    kind = "test_rows_used_for_tuning"
    if material.tuning is None:
        yield Unseen(kind=kind, reason="the rows used for tuning were not handed over")
        return
    seen = np.isin(material.test.subject, material.tuning.subject)
    coded = material.codes_of(material.tuning, material.test)
    if tells_apart(coded):
        both = prints(coded)
        seen |= np.isin(both[material.tuning.n :], both[: material.tuning.n])
    if seen.any():
        yield _of_test(
            kind,
            seen,
            f"{int(seen.sum())} test rows belong to the tuning rows",
            method="equal subject, or every feature equal",
        )


def _of_test(
    kind: str, seen: Bools, message: str, *, method: str, column: str | None = None
) -> Finding:
    return Finding(
        kind=kind,
        severity=Severity.SERIOUS,
        side="test",
        message=message,
        count=int(seen.sum()),
        of=seen.size,
        rows=examples(seen),
        column=column,
        method=method,
    )


def _twice(prints_: Prints) -> Prints:
    import numpy as np

    values, counts = np.unique(prints_, return_counts=True)
    return values[counts > 1]


def _later_copies(prints_: Prints) -> Bools:
    import numpy as np

    again = np.ones(prints_.size, dtype=np.bool_)
    again[np.unique(prints_, return_index=True)[1]] = False
    return again
