"""Splits by time as scikit-learn takes them, with embargo, label maturity, subjects and sites (P9).

Definition: a cut is an instant c. Training rows were predicted before c and had their label by c.
    Test rows were predicted from c + embargo on, before the end of the test window, and had their
    label by `evaluated_at`. No subject stands on both sides; with a site held out its rows are
    tested and no other.
Formula: with t the instant of prediction and k the instant the label became known,
    training: t < c and k <= c, and t >= c - window where the window rolls;
    test: c + embargo <= t < min(c + embargo + horizon, end) and k <= evaluated_at.
    Bounds are half open: a row at the cut is a test row, a label known at the cut is known.
Source: Bergmeir and Benitez (2012), Information Sciences 191, 192-213 (origins); Lopez de Prado
    (2018), Advances in Financial Machine Learning, chapter 7 (labels that reach over the cut,
    embargo); Riley et al. (2016), BMJ 353, i3140 (a cluster held out).
Assumptions: instants are whole numbers of one unit (microseconds UTC, or years), and say when the
    prediction would have been made, not when the row was written.
Failure modes: without label instants every label counts as known at its prediction, which is false
    for most outcomes: the fold then says so. A fold with an empty side is refused, never skipped.
Cost: a few passes over the rows a fold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from audits.errors import SplitRefused
from audits.sources.sample import MISSING_TIME

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]
    Bools: TypeAlias = NDArray[np.bool_]

Returning: TypeAlias = Literal["leave_test", "leave_training"]
"""Which side loses the rows of a subject seen on both. `leave_test` is what a model in use meets if
asked about new subjects; `leave_training` chooses training rows by what happened later."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """When each row (n) was predicted, when its label became known, and whose it is.

    `predicted_at`, `label_known_at` (n, int64): one unit; MISSING_TIME where not known.
    `subjects`, `sites` (n): equal entries are one subject, one site.
    """

    predicted_at: Ints
    label_known_at: Ints | None = None
    subjects: Ints | None = None
    sites: NDArray[np.generic] | None = None

    def __post_init__(self) -> None:
        for name in ("predicted_at", "label_known_at", "subjects", "sites"):
            column = getattr(self, name)
            if column is None:
                continue
            if column.shape != (self.predicted_at.size,):
                raise _refused(f"{name} has shape {column.shape}, not one entry a row")
            if name.endswith("_at") and column.dtype.kind != "i":
                raise _refused(f"{name} holds {column.dtype}, not whole instants")

    @property
    def n(self) -> int:
        """How many rows there are."""
        return int(self.predicted_at.size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fold:
    """The two sides of one cut as row numbers, and how many rows were left out for which reason.

    `cut` is None for a random split, which has no cut and is never called temporal.
    """

    training: Ints
    test: Ints
    cut: int | None
    test_from: int | None
    test_until: int | None
    left_out: Mapping[str, int]
    maturity_known: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class _TimeSplit:
    """What the splits by time share; `split` is scikit-learn's, `folds` says more."""

    temporal: ClassVar[bool] = True

    timeline: Timeline
    embargo: int = 0
    evaluated_at: int | None = None
    returning: Returning = "leave_test"
    held_out_sites: tuple[int | str, ...] = ()

    def __post_init__(self) -> None:
        if self.embargo < 0:
            raise _refused("an embargo is never negative")
        if self.returning not in ("leave_test", "leave_training"):
            raise _refused(f"{self.returning!r} is not a rule for returning subjects")
        if self.held_out_sites and self.timeline.sites is None:
            raise _refused("a site is held out, and no row names its site")

    def _windows(self) -> list[_Window]:
        raise AssertionError("each split states its own windows")  # pragma: no cover

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of folds."""
        return len(self._windows())

    def split(
        self, X: object, y: object = None, groups: object = None
    ) -> Iterator[tuple[Ints, Ints]]:
        """Yield (training rows, test rows) a fold; `groups` are subjects and override the timeline.

        Raises SplitRefused where `X` has another length than the timeline or a side is empty.
        """
        rows = _length(X)
        if rows != self.timeline.n:
            raise _refused(f"there are {rows} rows and {self.timeline.n} instants")
        for fold in self.folds(subjects=None if groups is None else _codes(groups)):
            yield fold.training, fold.test

    def folds(self, *, subjects: Ints | None = None) -> Iterator[Fold]:
        """Yield every fold with the counts of the rows it leaves out."""
        whose = self.timeline.subjects if subjects is None else subjects
        if whose is not None and whose.shape != (self.timeline.n,):
            raise _refused("subjects have one entry a row")
        for window in self._windows():
            yield self._fold(window, whose)

    def _fold(self, window: _Window, subjects: Ints | None) -> Fold:
        import numpy as np

        time, known = self.timeline.predicted_at, self.timeline.label_known_at
        dated = time != MISSING_TIME
        test_from = window.cut + self.embargo
        # `since` and `until` may be None: no bound.
        before = dated & (time < window.cut)
        if window.since is not None:
            before &= time >= window.since
        after = dated & (time >= test_from)
        if window.until is not None:
            after &= time < window.until
        left: dict[str, int] = {
            "no instant of prediction": int((~dated).sum()),
            "inside the embargo": int((dated & (time >= window.cut) & (time < test_from)).sum()),
        }
        if known is not None:
            has = known != MISSING_TIME
            ripe = has & (known <= window.cut)
            left["label not known at the cut"] = int((before & ~ripe).sum())
            before = before & ripe
            mature = has if self.evaluated_at is None else has & (known <= self.evaluated_at)
            left["label not mature at evaluation"] = int((after & ~mature).sum())
            after = after & mature
        before, after = self._by_site(before, after, left)
        before, after = _by_subject(before, after, subjects, self.returning, left)
        for side, mask in (("training", before), ("test", after)):
            if not mask.any():
                raise _refused(f"the {side} side of the cut at {window.cut} has no rows")
        return Fold(
            training=np.flatnonzero(before),
            test=np.flatnonzero(after),
            cut=window.cut,
            test_from=test_from,
            test_until=window.until,
            left_out=MappingProxyType({why: n for why, n in left.items() if n}),
            maturity_known=known is not None,
        )

    def _by_site(self, before: Bools, after: Bools, left: dict[str, int]) -> tuple[Bools, Bools]:
        import numpy as np

        if not self.held_out_sites or self.timeline.sites is None:
            return before, after
        held = np.isin(self.timeline.sites, np.array(self.held_out_sites))
        left["site held out of training"] = int((before & held).sum())
        left["site not held out"] = int((after & ~held).sum())
        return before & ~held, after & held


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    cut: int
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class TemporalHoldOut(_TimeSplit):
    """One cut: train on what was known at `cut`, test on what came after, until `end` if given."""

    cut: int
    end: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.end is not None and self.end <= self.cut + self.embargo:
            raise _refused("the test window ends before it begins")

    def _windows(self) -> list[_Window]:
        return [_Window(cut=self.cut, until=self.end)]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpandingOrigin(_TimeSplit):
    """Several cuts; each trains on all that was known by it, tests on the `horizon` after it."""

    cuts: tuple[int, ...]
    horizon: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.horizon < 1:
            raise _refused("a horizon is at least one unit of time")
        if not self.cuts or list(self.cuts) != sorted(set(self.cuts)):
            raise _refused("cuts are in order and named once each, and at least one is")

    def _windows(self) -> list[_Window]:
        return [self._window(cut) for cut in self.cuts]

    def _window(self, cut: int) -> _Window:
        return _Window(cut=cut, until=cut + self.embargo + self.horizon)


@dataclass(frozen=True, kw_only=True, eq=False)
class RollingOrigin(ExpandingOrigin):
    """Several cuts; each trains only on the `window` before it, tests on the `horizon` after it."""

    window: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window < 1:
            raise _refused("a training window is at least one unit of time")

    def _window(self, cut: int) -> _Window:
        return _Window(cut=cut, since=cut - self.window, until=cut + self.embargo + self.horizon)


@dataclass(frozen=True, kw_only=True, eq=False)
class RandomSplit:
    """Whole subjects drawn at random. For comparison only: it is never called temporal (P9)."""

    temporal: ClassVar[bool] = False

    test_share: float
    seed: int
    repeats: int = 1
    subjects: Ints | None = None

    def __post_init__(self) -> None:
        if not 0 < self.test_share < 1:
            raise _refused("the test share lies strictly between 0 and 1")
        if self.repeats < 1:
            raise _refused("a split is drawn at least once")

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of draws."""
        return self.repeats

    def split(
        self, X: object, y: object = None, groups: object = None
    ) -> Iterator[tuple[Ints, Ints]]:
        """Yield (training rows, test rows) a draw; subjects come from `groups` or the splitter."""
        for fold in self.folds(_length(X), subjects=None if groups is None else _codes(groups)):
            yield fold.training, fold.test

    def folds(self, n: int, *, subjects: Ints | None = None) -> Iterator[Fold]:
        """Yield each draw over `n` rows; every draw has its own stream of random numbers."""
        import numpy as np

        whose = self.subjects if subjects is None else subjects
        whose = np.arange(n) if whose is None else whose
        if whose.shape != (n,):
            raise _refused("subjects have one entry a row")
        _, code = np.unique(whose, return_inverse=True)
        count = int(code.max()) + 1 if n else 0
        wanted = round(self.test_share * count)
        if not 0 < wanted < count:
            raise _refused(f"{count} subjects cannot be split with a test share {self.test_share}")
        for draw in range(self.repeats):
            rng = np.random.default_rng([self.seed, draw])
            chosen = np.zeros(count, dtype=np.bool_)
            chosen[rng.permutation(count)[:wanted]] = True
            yield Fold(
                training=np.flatnonzero(~chosen[code]),
                test=np.flatnonzero(chosen[code]),
                cut=None,
                test_from=None,
                test_until=None,
                left_out=MappingProxyType({}),
                maturity_known=False,
            )


def evenly(*, first: int, step: int, count: int) -> tuple[int, ...]:
    """Return `count` cuts, `step` apart, from `first` on."""
    if step < 1 or count < 1:
        raise _refused("cuts are at least one, and at least one unit apart")
    return tuple(first + step * index for index in range(count))


def _by_subject(
    before: Bools,
    after: Bools,
    subjects: Ints | None,
    returning: Returning,
    left: dict[str, int],
) -> tuple[Bools, Bools]:
    import numpy as np

    if subjects is None:
        return before, after
    if returning == "leave_test":
        seen = after & np.isin(subjects, subjects[before])
        left["subject already in training"] = int(seen.sum())
        return before, after & ~seen
    returns = before & np.isin(subjects, subjects[after])
    left["subject returns in the test window"] = int(returns.sum())
    return before & ~returns, after


def _codes(groups: object) -> Ints:
    """Return subjects (n) as codes: scikit-learn hands over whatever array-like it was given."""
    import numpy as np

    _, code = np.unique(np.asarray(groups), return_inverse=True)
    return code.astype(np.int64)


def _length(X: object) -> int:
    shape = getattr(X, "shape", None)
    if shape:
        return int(shape[0])
    if hasattr(X, "__len__"):
        return len(X)
    raise _refused("the rows have no length")


def _refused(fault: str) -> SplitRefused:
    return SplitRefused(
        fault, next_step="Correct the cut, the windows or the columns of the split."
    )
