"""A quantity written in another unit from some window, or at some site, on.

Definition: the median of a window, on the logarithmic scale, lies far from the median of all other
    rows, by at least a factor of two. Windows are spans of the instant of prediction with equal
    numbers of rows, sites, and the two sides.
Formula: d = median log|x| of the window minus that of the others; reported if |d| >= log 2 and
    |d| > 5 se, se = 1.2533 * 1.4826 MAD sqrt(1/n + 1/m), and both quartiles move by between half
    and twice of it, as they do when every value is multiplied. A factor within 10 % of a usual
    conversion is named.
Source: Rousseeuw and Croux (1993), Journal of the American Statistical Association 88, 1273-1283.
Assumptions: at least nine tenths of the values have one sign and are not zero.
Failure modes: a unit that changes for part of a window moves its median too little to be seen; a
    population that truly doubles is reported. Temperatures do not differ by a factor alone.
Cost: one sort a feature and window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audits.sources.sample import MISSING_TIME
from audits.temporal.leakage.finding import Finding, Look, Severity, examples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.temporal.leakage.material import Floats, Material

    Bools = NDArray[np.bool_]

WINDOWS: Final = 8
ROWS_MIN: Final = 20
FACTORS: Final = (
    (2.205, "pounds for kilograms"),
    (2.54, "inches for centimetres"),
    (10.0, "per litre for per decilitre"),
    (18.016, "glucose, mg/dL for mmol/L"),
    (88.4, "creatinine, µmol/L for mg/dL"),
    (100.0, "per cent for shares, or metres for centimetres"),
    (1000.0, "a thousandth for the unit"),
)


def units(material: Material) -> Look:
    """Find windows, sites or sides in which a quantity jumps by a factor."""
    import numpy as np

    sides = (material.training, material.test)
    groups = _groups(material)
    for name in material.numbers:
        values = np.concatenate([one.numbers[name] for one in sides])
        usable = np.isfinite(values) & (values != 0)
        if not usable.any() or not _one_sign(values[np.isfinite(values)]):
            continue
        logs = np.log(np.abs(np.where(usable, values, 1.0)))
        # The first partition that shows a jump says it; the others would repeat it.
        for what, masks in groups:
            found = [
                (label, inside, jump)
                for label, inside in masks
                if (jump := _jump(logs[usable & inside], logs[usable & ~inside]))
            ]
            for label, inside, jump in found[: len(masks) // 2]:
                yield _finding(material, name, f"{what} {label}", usable & inside, jump)
            if found:
                break


def _groups(material: Material) -> list[tuple[str, list[tuple[str, Bools]]]]:
    """Return the partitions of training rows, then test rows, that are compared."""
    import numpy as np

    sides = (material.training, material.test)
    groups: list[tuple[str, list[tuple[str, Bools]]]] = []
    if material.site is not None:
        name = material.site
        levels = sorted({level for one in sides for level in one.categories[name].levels})
        where = np.concatenate(
            [
                np.array([*one.categories[name].levels, ""])[one.categories[name].codes]
                for one in sides
            ]
        )
        groups.append(("site", [(level, where == level) for level in levels]))
    if material.at is not None:
        at = np.concatenate([one.times[material.at] for one in sides])
        dated = at != MISSING_TIME
        bounds = np.unique(np.quantile(at[dated], np.arange(1, WINDOWS) / WINDOWS, method="lower"))
        window = np.searchsorted(bounds, at, side="right")
        masks = [(str(int(k) + 1), dated & (window == k)) for k in np.unique(window[dated])]
        groups.append(("window", masks))
    first = np.arange(sides[0].n + sides[1].n) < sides[0].n
    groups.append(("side", [("test", ~first), ("training", first)]))
    return groups


def _one_sign(values: Floats) -> bool:
    return bool(max((values > 0).mean(), (values < 0).mean()) >= 0.9)


def _jump(ours: Floats, theirs: Floats) -> float:
    """Return the difference of the medians where it is large and sure, else 0."""
    import numpy as np

    if min(ours.size, theirs.size) < ROWS_MIN:
        return 0.0
    shift = float(np.median(ours) - np.median(theirs))
    inside = np.abs(ours - np.median(ours))
    outside = np.abs(theirs - np.median(theirs))
    spread = 1.2533 * 1.4826
    se = spread * float(
        np.sqrt(np.median(inside) ** 2 / ours.size + np.median(outside) ** 2 / theirs.size)
    )
    if abs(shift) < np.log(2) or abs(shift) <= 5 * se:
        return 0.0
    # Of two clumps of values the median may fall into either; the quartiles then stay.
    moved = (np.quantile(ours, (0.25, 0.75)) - np.quantile(theirs, (0.25, 0.75))) / shift
    return shift if bool(((moved >= 0.5) & (moved <= 2)).all()) else 0.0


def _finding(material: Material, name: str, where: str, mask: Bools, jump: float) -> Finding:
    import math

    factor = math.exp(abs(jump))
    usual = [what for size, what in FACTORS if abs(factor / size - 1) <= 0.1]
    hint = f", as {usual[0]} would" if usual else ""
    direction = "up" if jump > 0 else "down"
    cut = material.training.n
    only_test = not mask[:cut].any()
    side = mask[cut:] if only_test else mask[:cut]
    return Finding(
        kind="unit_change",
        severity=Severity.SERIOUS,
        side="test" if only_test else "both" if mask[cut:].any() else "training",
        message=f"{name!r} jumps {direction} by a factor of {factor:.3g} in {where}{hint}",
        count=int(mask.sum()),
        of=mask.size,
        rows=examples(side),
        column=name,
        method="medians on the logarithmic scale",
    )
