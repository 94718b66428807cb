"""Which features matter over all rows, how sure that is, and whether it stays so over time.

Definition: mean |contribution| of a feature; or permutation importance: how much the loss rises
    when the feature's column is shuffled. Stability: Kendall's tau of the importances of two
    windows of time, the share of pairs of features in the same order less the share in the opposite
    one.
Formula: I_j = mean over rows of |c_j|. Permutation: P_j = mean over rows and shuffles of
    loss(shuffled) - loss. Intervals: percentile of Poisson resamples of the subjects, tails widened
    for their number (`audits.intervals.bootstrap`). Tau: in each window the order of a pair is sure
    where its max-t limits, which hold for all pairs at the level 1 - alpha/2, exclude zero; with C
    and D the shares of pairs surely in the same and surely in the opposite order in both windows,
    the limits are 2 C - 1 and 1 - 2 D. They hold with at least the level, whatever the truth.
Source: Breiman (2001), Machine Learning 45, 5-32, section 10; Fisher, Rudin and Dominici (2019),
    Journal of Machine Learning Research 20(177), 1-81; Kendall (1938), Biometrika 30, 81-93; Klein,
    Wright and Wieczorek (2020), Journal of the Royal Statistical Society A 183(3), 897-919 (ranks
    from simultaneous limits).
Assumptions: subjects are independent; the loss is a mean over rows.
Failure modes: shuffling breaks ties between features and asks about rows that do not exist; of two
    alike features neither seems to matter. With fewer than MINIMUM_FEATURES features an order says
    nothing: undefined. Importances that are nearly equal change places by chance: tau falls, and
    its limits are wide. A bootstrap of tau itself is not offered: where the order lasts it never
    reaches one.
Cost: replicates times subjects times features, and pairs of features; shuffles times features calls
    of the scorer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.estimate import Estimate
from audits.explanation.contributions import Contributions, checked, malformed
from audits.explanation.trees import Scorer
from audits.intervals.bootstrap import MINIMUM_UNITS, bootstrap_interval, poisson_weights
from audits.intervals.simultaneous import bonferroni_level, max_t

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

Loss: TypeAlias = "Callable[[Floats, Floats], Floats]"
"""Takes labels (n) and outputs (n), returns each row's loss (n)."""

METHOD: Final = "mean absolute contribution, Poisson bootstrap by subject, v1"
METHOD_PERMUTED: Final = "permutation importance, Poisson bootstrap by subject, v1"
METHOD_STABLE: Final = "Kendall tau of importances, pairs surely ordered by max-t, v1"
MINIMUM_FEATURES: Final = 3


def mean_absolute(
    found: Contributions,
    *,
    subject: Ints,
    level: float,
    replicates: int,
    seed: int,
    unit: str = "subject",
    population: str = "all",
) -> tuple[Estimate, ...]:
    """Return mean |contribution| of each feature, named "importance@age"."""
    import numpy as np

    _aligned(found.values.shape[0], subject)
    return _means(
        np.abs(found.values),
        [f"importance@{name}" for name in found.features],
        subject=subject,
        level=level,
        replicates=replicates,
        seed=seed,
        unit=unit,
        population=population,
        method=METHOD,
    )


def permutation(
    scorer: Scorer,
    columns: Mapping[str, Floats],
    *,
    label: Floats,
    loss: Loss,
    subject: Ints,
    level: float,
    shuffles: int,
    replicates: int,
    rng: np.random.Generator,
    unit: str = "subject",
    population: str = "all",
) -> tuple[Estimate, ...]:
    """Return how much the mean loss rises with each column shuffled, as "permutation@age"."""
    import numpy as np

    names = tuple(columns)
    n = checked(columns, names)
    _aligned(n, subject)
    if label.shape != (n,) or shuffles < 1:
        raise malformed("every row has a label, and there is at least one shuffle")
    usual = loss(label, scorer(columns))
    rises = np.zeros((n, len(names)))
    for j, name in enumerate(names):
        for _ in range(shuffles):
            changed = {**columns, name: columns[name][rng.permutation(n)]}
            rises[:, j] += (loss(label, scorer(changed)) - usual) / shuffles
    return _means(
        rises,
        [f"permutation@{name}" for name in names],
        subject=subject,
        level=level,
        replicates=replicates,
        seed=int(rng.integers(2**62)),
        unit=unit,
        population=population,
        method=METHOD_PERMUTED,
    )


def stability(
    earlier: Contributions,
    later: Contributions,
    *,
    subjects: tuple[Ints, Ints],
    level: float,
    replicates: int,
    seed: int,
    unit: str = "subject",
    population: str = "all",
) -> Estimate:
    """Return Kendall's tau of the importances of two windows, "importance_stability".

    `subjects` are those of the rows of each window. n counts the subjects of the smaller window.
    """
    import numpy as np

    if earlier.features != later.features:
        raise malformed("two windows are explained by the same features, in the same order")
    windows = list(zip((earlier, later), subjects, strict=True))
    for found, subject in windows:
        _aligned(found.values.shape[0], subject)
    smaller = min(int(np.unique(one).size) for one in subjects)
    about = partial(
        Estimate,
        metric="importance_stability",
        unit=unit,
        population=population,
        method=METHOD_STABLE,
        source="sample",
        level=level,
        n=smaller,
    )
    if len(earlier.features) < MINIMUM_FEATURES or smaller == 0:
        why = f"a rank correlation needs {MINIMUM_FEATURES} features, and rows in both windows"
        return about(value=None, low=None, high=None, note=why)
    each = bonferroni_level(level, 2)
    seen, sure = zip(
        *(
            _orders(np.abs(found.values), subject, level=each, replicates=replicates, seed=seed)
            for found, subject in windows
        ),
        strict=True,
    )
    value = float((seen[0] * seen[1]).mean())
    if smaller < MINIMUM_UNITS:
        why = f"{smaller} subjects are too few for an interval"
        return about(value=value, low=None, high=None, note=why)
    agreed = sure[0] * sure[1]
    return about(
        value=value,
        low=2 * float((agreed > 0).mean()) - 1,
        high=1 - 2 * float((agreed < 0).mean()),
        note=f"{int((agreed == 0).sum())} of {agreed.size} pairs are not surely ordered",
    )


def _orders(
    sizes: Floats, subject: Ints, *, level: float, replicates: int, seed: int
) -> tuple[Floats, Floats]:
    """Return the sign (pairs) of each difference of importances, as seen and where it is sure."""
    import numpy as np

    first, second = np.triu_indices(sizes.shape[1], k=1)
    place, sums, rows = _sums(sizes, subject)
    point = sizes.mean(axis=0)
    weights = poisson_weights(place, replicates=replicates, seed=seed)
    drawn = np.asarray([(w @ sums) / max(1, int(w @ rows)) for w in weights])
    limits = max_t(
        point[first] - point[second],
        drawn[:, first] - drawn[:, second],
        level=level,
        units=np.full(first.size, place.size),
    )
    sure = np.where(limits.low > 0, 1.0, np.where(limits.high < 0, -1.0, 0.0))
    return np.sign(point[first] - point[second]), sure


def _means(
    values: Floats,
    metrics: list[str],
    *,
    subject: Ints,
    level: float,
    replicates: int,
    seed: int,
    unit: str,
    population: str,
    method: str,
) -> tuple[Estimate, ...]:
    import numpy as np

    about = partial(
        Estimate,
        level=level,
        n=int(np.unique(subject).size),
        unit=unit,
        population=population,
        method=method,
        source="sample",
    )
    if values.shape[0] == 0:
        return tuple(
            about(metric=name, value=None, low=None, high=None, note="there is no row")
            for name in metrics
        )
    subjects, sums, rows = _sums(values, subject)
    weights = poisson_weights(subjects, replicates=replicates, seed=seed)
    replicated = np.asarray([(w @ sums) / max(1, int(w @ rows)) for w in weights])
    point = values.mean(axis=0)
    found = []
    for j, name in enumerate(metrics):
        interval = bootstrap_interval(
            replicated[:, j], level=level, point=float(point[j]), units=subjects.size
        )
        found.append(
            about(
                metric=name,
                value=float(point[j]),
                low=interval.low,
                high=interval.high,
                note=interval.note,
            )
        )
    return tuple(found)


def _sums(values: Floats, subject: Ints) -> tuple[Ints, Floats, Ints]:
    """Return the subjects (s), the sums of `values` (n, k) by subject (s, k) and their rows (s).

    A resample is then a weighted mean of few numbers.
    """
    import numpy as np

    subjects, place = np.unique(subject, return_inverse=True)
    sums = [np.bincount(place, weights=one, minlength=subjects.size) for one in values.T]
    return subjects, np.column_stack(sums), np.bincount(place, minlength=subjects.size)


def _aligned(n: int, subject: Ints) -> None:
    if subject.shape != (n,):
        raise malformed("every row has its subject")
