"""The two sides as the detectors read them, and what each column means.

Definition: a training and a test sample with the same features; names of the instants, of the
    site, and what else is known about how the rows came to be.
Formula: a row's print is the sum over features j of mix(code of the value, j) modulo 2^64, so that
    the print without one feature is a subtraction.
Source: Steele, Lea and Flood (2014), OOPSLA, 453-472 (the SplitMix64 finaliser).
Assumptions: 64-bit prints of different rows do not meet (chance below 1e-6 for a million rows).
Failure modes: rows built from few coarse values are alike by chance; `tells_apart` says whether
    rows can be told apart at all.
Cost: one sort a feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import ProtocolMalformed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]
    Bools: TypeAlias = NDArray[np.bool_]

CHANCE_PAIRS: Final = 0.5
"""Pairs of equal rows expected by chance above which equality proves nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """What is examined.

    `at`, `label_known`: names of the instants of prediction and of the label. `known_at`: for a
    feature, the instant that its value became known. `ordered`: pairs of instants of which the
    first cannot be later. `now`: the instant of the extract. `earlier_labels`: labels (n) of an
    earlier version of the same rows, by side. `held_out`: sites are meant to be apart.
    `split_by_time`: the test side is meant to come later.
    """

    training: Sample
    test: Sample
    at: str | None = None
    label_known: str | None = None
    known_at: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ordered: tuple[tuple[str, str], ...] = ()
    site: str | None = None
    held_out: bool = False
    split_by_time: bool = True
    now: int | None = None
    tuning: Sample | None = None
    earlier_labels: Mapping[str, Floats] = field(default_factory=lambda: MappingProxyType({}))
    leave_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        times = {self.at, self.label_known, *self.known_at.values()} - {None}
        times |= {name for pair in self.ordered for name in pair}
        for name, sample in self.sides.items():
            absent = sorted(str(one) for one in times - set(sample.times))
            if absent:
                raise _malformed(f"the {name} side has no instant {absent[0]!r}")
            if self.site is not None and self.site not in sample.categories:
                raise _malformed(f"the {name} side has no category {self.site!r}")
            if not sample.n:
                raise _malformed(f"the {name} side has no rows")
            lacking = sorted(set(self.numbers + self.categories) - _columns(sample))
            if lacking:
                raise _malformed(f"the {name} side has no feature {lacking[0]!r}")
        for name, labels in self.earlier_labels.items():
            if name not in self.sides or labels.shape != (self.sides[name].n,):
                raise _malformed("earlier labels have one entry a row of their side")

    @property
    def sides(self) -> dict[str, Sample]:
        """The samples by name."""
        return {"training": self.training, "test": self.test}

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The features that are quantities, in order."""
        return tuple(name for name in sorted(self.training.numbers) if name not in self.leave_out)

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The features that are categories, in order; the site is not one."""
        out = {*self.leave_out, self.site}
        return tuple(name for name in sorted(self.training.categories) if name not in out)

    @cached_property
    def coded(self) -> dict[str, Ints]:
        """Each feature as codes over training rows, then test rows; -1 where missing."""
        return self.codes_of(self.training, self.test)

    def codes_of(self, *samples: Sample, digits: int | None = None) -> dict[str, Ints]:
        """Return the codes of each feature that all `samples` have, over their rows in order.

        With `digits`, quantities that agree to so many significant digits are one.
        """
        import numpy as np

        coded: dict[str, Ints] = {}
        common = set.intersection(*(_columns(one) for one in samples))
        for name in self.numbers:
            if name not in common:
                continue
            values = np.concatenate([one.numbers[name] for one in samples])
            if digits is not None:
                values = _rounded(values, digits)
            _, code = np.unique(values, return_inverse=True)
            coded[name] = np.where(np.isnan(values), -1, code).astype(np.int64)
        for name in self.categories:
            if name in common:
                coded[name] = np.concatenate(_aligned(samples, name))
        return coded


def prints(coded: Mapping[str, Ints], *, without: str | None = None) -> NDArray[np.uint64]:
    """Return the print of each row (n) over the features of `coded`, all but `without`."""
    import numpy as np

    size = next(iter(coded.values())).size
    total = np.zeros(size, dtype=np.uint64)
    for place, (name, code) in enumerate(coded.items()):
        if name != without:
            total += _mixed(code, place)
    return total


def chance_pairs(coded: Mapping[str, Ints], *, without: str | None = None) -> float:
    """Return how many pairs of equal rows chance would make, features taken as independent."""
    import numpy as np

    meet = 1.0
    size = 0
    for name, code in coded.items():
        size = code.size
        if name != without:
            count = np.bincount(code + 1).astype(float)
            meet *= float(count @ (count - 1)) / max(1, size * (size - 1))
    return meet * size * (size - 1) / 2


def tells_apart(coded: Mapping[str, Ints], *, without: str | None = None) -> bool:
    """Return whether equal rows are not to be expected by chance."""
    return bool(coded) and chance_pairs(coded, without=without) <= CHANCE_PAIRS


def independent(sample: Sample) -> Bools:
    """Return the first row of each subject (n, bool): tests count subjects, not rows (P8)."""
    import numpy as np

    first = np.zeros(sample.n, dtype=np.bool_)
    first[np.unique(sample.subject, return_index=True)[1]] = True
    return first


def _mixed(code: Ints, place: int) -> NDArray[np.uint64]:
    import numpy as np

    x = (code + 2).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x += np.uint64((place + 1) * 0xD1B54A32D192ED03 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _rounded(values: Floats, digits: int) -> Floats:
    import numpy as np

    size = np.abs(values)
    usable = np.isfinite(values) & (size > 0)
    scale = np.ones_like(values)
    scale[usable] = 10.0 ** (digits - 1 - np.floor(np.log10(size[usable])))
    return np.asarray(np.round(values * scale) / scale)


def _aligned(samples: tuple[Sample, ...], name: str) -> list[Ints]:
    import numpy as np

    levels = sorted({level for one in samples for level in one.categories[name].levels})
    place = {level: index for index, level in enumerate(levels)}
    found = []
    for one in samples:
        column = one.categories[name]
        table = np.array([place[level] for level in column.levels] + [-1], dtype=np.int64)
        found.append(table[column.codes])
    return found


def _columns(sample: Sample) -> set[str]:
    return {*sample.numbers, *sample.categories}


def _malformed(fault: str) -> ProtocolMalformed:
    return ProtocolMalformed(fault, next_step="Correct the roles of the columns in the protocol.")
