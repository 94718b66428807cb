"""Mitigations: three ways to narrow a gap, fitted without the test rows and priced on them.

Definition: re-weighting: the learner is fitted again with weights that make group and label
    independent in the training rows. Threshold adjustment: each group has its own cut-offs, chosen
    so that one rate is equal over groups at the best overall objective. Group-wise calibration:
    each group's score is mapped to what was observed in that group.
Formula: weight of a row of group g and label y = P(g) P(y)/P(g, y). Thresholds: fairlearn's
    ThresholdOptimizer (interpolation on the convex hull of each group's trade-off curve).
    Calibration: isotonic regression, or Platt's line logit P(y = 1) = a + b logit(score).
Source: Kamiran and Calders (2012), Knowledge and Information Systems 33, 1-33, section 4.3
    (re-weighting); Hardt, Price and Srebro (2016), Advances in Neural Information Processing
    Systems 29 (thresholds); Zadrozny and Elkan (2002), KDD, 694-699 (isotonic); Platt (1999),
    Advances in Large Margin Classifiers, 61-74.
Assumptions: tuning rows are like the test rows. Scores of calibration lie in [0, 1].
Failure modes: threshold adjustment draws lots between two cut-offs for some people: the same
    patient may be answered differently on another day. It and group-wise calibration need the
    attribute when the decision is taken, which may be unlawful. A group with too few rows of a
    class is not fitted and keeps what it had; that is listed.
Cost: the learner twice; for thresholds a loop over the tuning rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from audits.errors import ProtocolMalformed
from audits.fairness.cells import memberships, thresholded
from audits.fairness.protocol import Mitigation
from audits.sources.sample import Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]
    Decisions: TypeAlias = NDArray[np.int8]

Scorer: TypeAlias = "Callable[[Floats], Floats]"
Learner: TypeAlias = "Callable[[Floats, Floats, Floats], Scorer]"
"""(features (n, k), labels (n), weights (n)) -> a function of features that gives probabilities."""

MINIMUM_OF_CLASS: Final = 10
"""Tuning rows of each class that a group needs before anything is fitted to it."""
EDGE: Final = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Mitigated:
    """Test rows before and after: decisions and scores (n), and what a reader has to know.

    `fitted_on` names the role of the rows that it was fitted on. `needs` are the attributes that
    must be known when a decision is taken.
    """

    name: str
    fitted_on: str
    needs: tuple[str, ...]
    before: Decisions
    after: Decisions
    score_before: Floats
    score_after: Floats
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplied:
    """A mitigation that could not be fitted, and why: listed, never left out (P8)."""

    name: str
    reason: str


def logistic_learner(features: Floats, label: Floats, weight: Floats) -> Scorer:
    """Fit a logistic regression (L2, C = 1) on standardised features."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(features, label, logisticregression__sample_weight=weight)
    return lambda rows: np.asarray(model.predict_proba(rows)[:, 1])


def reweighting(group: Ints, label: Floats) -> Floats:
    """Return the weight (n) of each row: P(g) P(y)/P(g, y); the weights sum to n."""
    import numpy as np

    code = group * 2 + label.astype(np.int64)
    both = np.bincount(code, minlength=2 * (int(group.max(initial=0)) + 1)).astype(np.float64)
    of_group = both.reshape(-1, 2).sum(axis=1)
    of_label = both.reshape(-1, 2).sum(axis=0)
    weights: Floats = of_group[code // 2] * of_label[code % 2] / (label.size * both[code])
    return weights


def apply(
    mitigation: Mitigation,
    samples: Mapping[str, Sample],
    *,
    before: Decisions,
    threshold: float,
    rng: np.random.Generator,
    learner: Learner = logistic_learner,
) -> Mitigated | NotApplied:
    """Fit `mitigation` on the rows of its role and return the test rows before and after.

    `before`: the decisions (n) of the model as it is. Re-weighting is fitted on the role training,
    the other two on tuning, or where there is none on training. Raises ProtocolMalformed where the
    role or a named column is missing.
    """
    role = "tuning" if mitigation.kind != "reweighting" and "tuning" in samples else "training"
    if role not in samples:
        raise ProtocolMalformed(
            f"{mitigation.name} is fitted on rows of the role {role}, and there are none",
            next_step="Add a data set of that role, or leave the mitigation out.",
        )
    if mitigation.kind == "reweighting":
        return _reweighted(mitigation, samples, threshold=threshold, learner=learner)
    if mitigation.kind == "threshold":
        return _own_thresholds(mitigation, samples, role, before=before, rng=rng)
    return _calibrated(mitigation, samples, role, before=before, threshold=threshold)


def _reweighted(
    mitigation: Mitigation, samples: Mapping[str, Sample], *, threshold: float, learner: Learner
) -> Mitigated | NotApplied:
    import numpy as np

    training, test = samples["training"], samples["test"]
    features = _features(training, mitigation)
    _, group = memberships(training, attributes=mitigation.attributes)
    label = _label(training)
    kept = ~(np.isnan(label) | np.isnan(features).any(axis=1))
    if not kept.any() or len(set(label[kept].tolist())) < 2:
        return NotApplied(name=mitigation.name, reason="the training rows have one class only")
    weights = reweighting(group[kept], label[kept])
    rows = _features(test, mitigation)
    complete = ~np.isnan(rows).any(axis=1)
    scores = []
    for weight in (np.ones(weights.size), weights):
        score = np.full(test.n, np.nan)
        if complete.any():
            score[complete] = learner(features[kept], label[kept], weight)(rows[complete])
        scores.append(score)
    dropped = int((~kept).sum()), int((~complete).sum())
    notes = ["both sides are the learner fitted anew, without and with weights"]
    if any(dropped):
        notes.append(f"{dropped[0]} training and {dropped[1]} test rows lack a feature or label")
    return Mitigated(
        name=mitigation.name,
        fitted_on="training",
        needs=(),
        before=thresholded(scores[0], threshold=threshold),
        after=thresholded(scores[1], threshold=threshold),
        score_before=scores[0],
        score_after=scores[1],
        notes=tuple(notes),
    )


def _own_thresholds(
    mitigation: Mitigation,
    samples: Mapping[str, Sample],
    role: str,
    *,
    before: Decisions,
    rng: np.random.Generator,
) -> Mitigated | NotApplied:
    import numpy as np

    tuning = _Tuning.of(samples[role], mitigation)
    fitted = tuning.large_enough()
    if len(fitted) < 2:
        return NotApplied(name=mitigation.name, reason=_too_small(tuning.names, fitted))
    keep = np.isin(tuning.group, fitted)
    optimizer = _optimizer(mitigation)
    optimizer.fit(
        tuning.score[keep].reshape(-1, 1),
        tuning.label[keep],
        sensitive_features=tuning.group[keep],
    )
    names, codes, score = _test_groups(samples["test"], mitigation)
    places = {tuning.names[g]: g for g in fitted}
    group = np.array([places.get(name, -1) for name in names], dtype=np.int64)[codes]
    reached = (group >= 0) & ~np.isnan(score)
    after = before.copy()
    if reached.any():
        after[reached] = optimizer.predict(
            score[reached].reshape(-1, 1),
            sensitive_features=group[reached],
            random_state=int(rng.integers(2**31)),
        )
    return Mitigated(
        name=mitigation.name,
        fitted_on=role,
        needs=mitigation.attributes,
        before=before,
        after=after,
        score_before=score,
        score_after=score,
        notes=(
            "some people are decided by lot between two cut-offs of their group",
            *_left(names, places),
        ),
    )


def _calibrated(
    mitigation: Mitigation,
    samples: Mapping[str, Sample],
    role: str,
    *,
    before: Decisions,
    threshold: float,
) -> Mitigated | NotApplied:
    import numpy as np

    tuning = _Tuning.of(samples[role], mitigation)
    fitted = tuning.large_enough()
    if not fitted:
        return NotApplied(name=mitigation.name, reason=_too_small(tuning.names, fitted))
    names, codes, score = _test_groups(samples["test"], mitigation)
    after = score.copy()
    fit = _isotonic if mitigation.method == "isotonic" else _platt
    places = {tuning.names[g]: g for g in fitted}
    for index, name in enumerate(names):
        rows = (codes == index) & ~np.isnan(score)
        if name in places and rows.any():
            mine = tuning.group == places[name]
            after[rows] = fit(tuning.score[mine], tuning.label[mine])(score[rows])
    return Mitigated(
        name=mitigation.name,
        fitted_on=role,
        needs=mitigation.attributes,
        before=before,
        after=thresholded(after, threshold=threshold),
        score_before=score,
        score_after=after,
        notes=_left(names, places),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tuning:
    """Labelled, scored rows to fit on: label, score and group (n), and the groups' names."""

    label: Floats
    score: Floats
    group: Ints
    names: tuple[str, ...]

    @classmethod
    def of(cls, sample: Sample, mitigation: Mitigation) -> _Tuning:
        import numpy as np

        label, score = _label(sample), _score(sample)
        names, group = memberships(sample, attributes=mitigation.attributes)
        kept = ~(np.isnan(label) | np.isnan(score))
        return cls(label=label[kept], score=score[kept], group=group[kept], names=names)

    def large_enough(self) -> list[int]:
        """Return the groups with enough rows of both classes."""
        found = []
        for g in range(len(self.names)):
            label = self.label[self.group == g]
            positives = int(label.sum())
            if min(positives, label.size - positives) >= MINIMUM_OF_CLASS:
                found.append(g)
        return found


def _optimizer(mitigation: Mitigation) -> Any:  # noqa: ANN401 - fairlearn's estimator
    from fairlearn.postprocessing import ThresholdOptimizer

    return ThresholdOptimizer(
        estimator=_given(),
        constraints=mitigation.constraint,
        objective=mitigation.objective,
        prefit=True,
        predict_method="predict",
    )


def _given() -> Any:  # noqa: ANN401 - an estimator in scikit-learn's shape
    """Return an estimator whose prediction is the score that it is handed."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped bases
        def fit(self, X: Floats, y: Floats) -> Given:
            return self

        def predict(self, X: Floats) -> Floats:
            return X[:, 0]

        def __sklearn_is_fitted__(self) -> bool:
            return True

    return Given()


def _isotonic(score: Floats, label: Floats) -> Scorer:
    import numpy as np
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(score, label)
    return lambda rows: np.asarray(model.predict(rows))


def _platt(score: Floats, label: Floats) -> Scorer:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    def column(values: Floats) -> Floats:
        inside = values.clip(EDGE, 1 - EDGE)
        return np.asarray(np.log(inside / (1 - inside)).reshape(-1, 1))

    model = LogisticRegression(C=np.inf, max_iter=1000).fit(column(score), label)
    return lambda rows: np.asarray(model.predict_proba(column(rows))[:, 1])


def _features(sample: Sample, mitigation: Mitigation) -> Floats:
    import numpy as np

    if absent := [name for name in mitigation.features if name not in sample.numbers]:
        raise ProtocolMalformed(
            f"{mitigation.name} names the feature {absent[0]!r}, which the rows have not",
            next_step=f"Name some of: {', '.join(sorted(sample.numbers)) or '(none)'}.",
        )
    return np.column_stack([sample.numbers[name] for name in mitigation.features])


def _label(sample: Sample) -> Floats:
    if sample.label is None:
        raise _lacks("label")
    return sample.label


def _score(sample: Sample) -> Floats:
    if sample.score is None:
        raise _lacks("score")
    return sample.score


def _lacks(what: str) -> ProtocolMalformed:
    return ProtocolMalformed(
        f"a mitigation needs the {what} of every role's rows",
        next_step=f"Name the column of the {what}, or leave the mitigation out.",
    )


def _test_groups(sample: Sample, mitigation: Mitigation) -> tuple[tuple[str, ...], Ints, Floats]:
    names, codes = memberships(sample, attributes=mitigation.attributes)
    return names, codes, _score(sample)


def _left(names: tuple[str, ...], places: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(
        f"{name} had too few rows of a class to be fitted and keeps what it had"
        for name in names
        if name not in places
    )


def _too_small(names: tuple[str, ...], fitted: list[int]) -> str:
    small = [name for g, name in enumerate(names) if g not in fitted]
    return f"too few rows of a class ({MINIMUM_OF_CLASS} needed) in {'; '.join(small) or 'all'}"
