"""How many current rows lie outside what the reference covers, all columns together.

Definition: a score of strangeness is learnt from the reference; its `quantile` there is
    the boundary; the estimate is the share of current rows beyond it. Where nothing changed it is
    1 - quantile.
Formula: `mahalanobis`: (x - mean)' inverse(S + ridge) (x - mean), S the covariance of the reference
    and ridge 1e-6 of its mean variance on the diagonal, features as in `two_sample.Features`.
    `isolation`: minus the score of an isolation forest of 100 trees. Interval: a share, by subject
    where subjects repeat; the boundary is taken as fixed.
Source: Mahalanobis (1936), Proceedings of the National Institute of Sciences of India 2(1), 49-55;
    Liu, Ting and Zhou (2008), ICDM, 413-422 (isolation forest).
Assumptions: the reference covers what the model was judged on.
Failure modes: one ellipsoid around two clouds calls the empty middle inside; use `isolation` there.
    A reference with strange rows of its own has a far boundary. Rows inside may still be answered
    badly. The boundary is drawn on the rows that the score was learnt from, which look less strange
    than new ones: with few reference subjects a feature, unchanged rows would lie outside too
    often. Below `LEAST` subjects, or `LEAST_A_FEATURE` for each feature, nothing is said.
Cost: one pass; 100 trees for `isolation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from audits.drift.missingness import share_estimate
from audits.drift.two_sample import Features
from audits.errors import ProtocolMalformed
from audits.estimate import Estimate, undefined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from audits.sources.sample import Sample

    Floats: TypeAlias = NDArray[np.float64]

Strangeness: TypeAlias = Literal["mahalanobis", "isolation"]
LEAST: Final = 100
"""Reference subjects, below which no boundary is drawn."""
LEAST_A_FEATURE: Final = 200
"""Reference subjects a feature, below which the score flatters the rows it was learnt from."""
RIDGE: Final = 1e-6


def outside_share(
    reference: Sample,
    current: Sample,
    *,
    columns: Sequence[str],
    kind: Strangeness,
    quantile: float,
    level: float,
    rng: np.random.Generator,
) -> Estimate:
    """Return the share of current rows that are stranger than `quantile` of the reference."""
    import numpy as np

    if not 0.5 <= quantile < 1.0:
        raise ProtocolMalformed(
            f"the quantile {quantile} draws no boundary", next_step="Give one from 0.5 to 1."
        )
    features = Features.of(reference, columns)
    rows = features.rows(reference)
    least = max(LEAST, LEAST_A_FEATURE * int((rows != rows[:1]).any(axis=0).sum()))
    if reference.subjects < least:
        return undefined(
            metric="outside_share",
            note=f"{reference.subjects} reference subjects are fewer than {least}",
            level=level,
            n=current.subjects,
            unit=current.unit,
            method=kind,
            source="sample",
        )
    score = _mahalanobis(rows) if kind == "mahalanobis" else _isolation(rows, rng)
    boundary = float(np.quantile(score(rows), quantile))
    return share_estimate(
        score(features.rows(current)) > boundary,
        current.subject,
        metric="outside_share",
        level=level,
        unit=current.unit,
    )


def _mahalanobis(rows: Floats) -> Callable[[Floats], Floats]:
    import numpy as np

    mean = rows.mean(axis=0)
    covariance = np.atleast_2d(np.cov(rows, rowvar=False))
    ridge = RIDGE * max(float(np.trace(covariance)) / len(covariance), 1e-300)
    inverse = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))

    def score(x: Floats) -> Floats:
        moved = x - mean
        return np.asarray(np.einsum("ij,jk,ik->i", moved, inverse, moved))

    return score


def _isolation(rows: Floats, rng: np.random.Generator) -> Callable[[Floats], Floats]:
    import numpy as np
    from sklearn.ensemble import IsolationForest

    forest: Any = IsolationForest(n_estimators=100, random_state=int(rng.integers(2**31)))
    forest.fit(rows)

    def score(x: Floats) -> Floats:
        return np.asarray(-forest.score_samples(x), dtype=np.float64)

    return score
