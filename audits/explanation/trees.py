"""Contributions to the output of tree ensembles, and of any scorer with few features.

Definition: the Shapley value of a feature is its average effect on the output as features become
    known one after the other, over all orders. An unknown feature takes its values from the
    background rows (interventional).
Formula: phi_j = sum over S without j of |S|! (k - |S| - 1)!/k! (v(S + j) - v(S)), v(S) = mean over
    background rows b of the output at the row with the features outside S taken from b.
    `tree_contributions` has shap's TreeExplainer compute it; `exact_shapley` sums all 2^k sets. The
    residual of additivity, |sum phi + mean output - output|, is recorded with the result.
Source: Shapley (1953), Contributions to the Theory of Games II, 307-317; Lundberg et al. (2020),
    Nature Machine Intelligence 2, 56-67; Janzing, Minorics and Bloebaum (2020), AISTATS, 2907-2916
    (why interventional).
Assumptions: the background rows stand for the population that a row is compared with.
Failure modes: rows mixed from two may be unlike any patient. Another background gives other values:
    it belongs to the entry. shap is an optional extra; without it the call is refused and says what
    to install. A residual above `tolerance` is refused, not reported as an explanation.
Cost: shap: leaves times depth times background rows, a row. Exact: 2^k times background rows, a
    row; at most FEATURES_MAX features.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from audits.errors import ExplanationEngineMissing
from audits.explanation.contributions import Contributions, checked, malformed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

Scorer: TypeAlias = "Callable[[Mapping[str, Floats]], Floats]"
"""Takes columns by feature name (n each), returns the output (n)."""

METHOD: Final = "interventional SHAP of trees, v1"
METHOD_EXACT: Final = "Shapley values over all sets, v1"
FEATURES_MAX: Final = 12
TOLERANCE: Final = 1e-6
"""Some ensembles compute in single precision; more than this is not rounding."""


def tree_contributions(
    model: object,
    columns: Mapping[str, Floats],
    *,
    features: Sequence[str],
    background: Mapping[str, Floats],
    scorer: Scorer,
    tolerance: float = TOLERANCE,
) -> Contributions:
    """Return the contributions to the raw output of a fitted tree ensemble, in log odds.

    `features` in the model's own order; `scorer` returns that raw output and checks additivity.
    Raises ExplanationEngineMissing without shap or for a model that it cannot read.
    """
    import numpy as np

    names = tuple(features)
    checked(columns, names)
    if checked(background, names) == 0:
        raise malformed("there is no background row to compare with")
    rows = np.column_stack([columns[name] for name in names])
    behind = np.column_stack([background[name] for name in names])
    values = _shap_values(model, rows, behind)
    baseline = float(np.mean(scorer({name: background[name] for name in names})))
    output = np.asarray(scorer({name: columns[name] for name in names}), dtype=np.float64)
    return _additive(names, baseline, values, output, method=METHOD, tolerance=tolerance)


def exact_shapley(
    scorer: Scorer, columns: Mapping[str, Floats], *, background: Mapping[str, Floats]
) -> Contributions:
    """Return the Shapley values of every row of `columns` by summing all sets of features."""
    import numpy as np

    names = tuple(columns)
    if not 1 <= len(names) <= FEATURES_MAX:
        raise malformed(f"all sets of {len(names)} features are not summed (1 to {FEATURES_MAX})")
    n, behind = checked(columns, names), checked(background, names)
    if behind == 0:
        raise malformed("there is no background row to compare with")
    worth = np.empty((2 ** len(names), n))
    for known in range(2 ** len(names)):
        mixed = {
            name: np.repeat(columns[name], behind)
            if known >> j & 1
            else np.tile(background[name], n)
            for j, name in enumerate(names)
        }
        worth[known] = np.asarray(scorer(mixed)).reshape(n, behind).mean(axis=1)
    values = np.zeros((n, len(names)))
    for j in range(len(names)):
        for known in range(2 ** len(names)):
            if known >> j & 1:
                continue
            size = known.bit_count()
            share = math.factorial(size) * math.factorial(len(names) - size - 1)
            gain = worth[known | 1 << j] - worth[known]
            values[:, j] += share / math.factorial(len(names)) * gain
    baseline = float(worth[0][0]) if n else 0.0
    return _additive(names, baseline, values, worth[-1], method=METHOD_EXACT, tolerance=TOLERANCE)


def _additive(
    names: tuple[str, ...],
    baseline: float,
    values: Floats,
    output: Floats,
    *,
    method: str,
    tolerance: float,
) -> Contributions:
    import numpy as np

    gap = np.abs(values.sum(axis=1) + baseline - output)
    residual = float(gap.max(initial=0.0))
    scale = max(1.0, float(np.abs(output).max(initial=0.0)))
    if not residual <= tolerance * scale:
        raise malformed(
            f"contributions miss the model's output by {residual:.3g}: they explain something else"
        )
    return Contributions(
        features=names,
        baseline=baseline,
        values=values,
        logit=output,
        residual=residual,
        method=method,
    )


def _shap_values(model: object, rows: Floats, background: Floats) -> Floats:
    import numpy as np

    try:
        with warnings.catch_warnings():
            # its plots use matplotlib calls that matplotlib means to retire
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            import shap
    except ImportError as error:
        raise ExplanationEngineMissing(
            "shap is not installed, so trees cannot be explained",
            next_step="Install the optional extra: oncovigil[trees].",
        ) from error
    # shap thins a background of more than 100 rows by itself unless it is masked explicitly
    masker = shap.maskers.Independent(background, max_samples=background.shape[0])
    try:
        explainer = shap.TreeExplainer(
            model, data=masker, feature_perturbation="interventional", model_output="raw"
        )
        found = np.asarray(explainer.shap_values(rows, check_additivity=False), dtype=np.float64)
    except Exception as error:  # shap raises its own base exceptions for models it cannot read
        raise ExplanationEngineMissing(
            f"shap cannot read a model of type {type(model).__name__}: {error}",
            next_step="Explain a tree ensemble that shap supports, or use exact contributions.",
        ) from error
    if found.shape != rows.shape:
        raise malformed(f"the model has several outputs (shape {found.shape}); explain one")
    return found
