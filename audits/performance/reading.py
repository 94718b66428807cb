"""How the methods of this room are described in a report.

Definition: one entry a method, found by the name that its estimates carry.
Formula: see the module named.
Source: named in each entry.
Assumptions: every method named by an estimate of this room has an entry (a test).
Failure modes: none.
Cost: constant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from audits.estimate import Estimate
from audits.intervals import clustered, proportion
from audits.performance import (
    brier,
    calibration_curve,
    decision_curve,
    ece,
    precision_recall,
    ranking,
    roc,
    thresholds,
)
from audits.report import Method

SUBJECTS: Final = "subjects are independent, rows of one subject are not"

DESCRIBED: Final[dict[str, tuple[str, str, str]]] = {
    **dict.fromkeys(
        proportion.METHODS.values(),
        (
            "a share of independent rows with its limits",
            (
                "Wilson (1927), Journal of the American Statistical Association 22, 209-212; "
                "Clopper and Pearson (1934), Biometrika 26, 404-413"
            ),
            "one row a subject",
        ),
    ),
    clustered.METHOD: (
        "a share of rows of which subjects have several, with limits of the effective size",
        (
            "Rao and Scott (1992), Biometrics 48, 577-585; Korn and Graubard (1998), Survey "
            "Methodology 24, 193-201"
        ),
        SUBJECTS,
    ),
    roc.METHOD: (
        (
            "probability that a positive row scores above a negative one, ties counting half; "
            "variance by subject, limits on the logit scale"
        ),
        "DeLong et al. (1988), Biometrics 44, 837-845; Obuchowski (1997), Biometrics 53, 567-578",
        SUBJECTS,
    ),
    roc.METHOD_EXACT: (
        "the area where the classes are separated, with the exact limit of disjoint pairs",
        "binomial distribution of disjoint pairs in order",
        SUBJECTS,
    ),
    roc.METHOD_DIFFERENCE: (
        "difference of two areas on the same rows, with their covariance",
        "DeLong et al. (1988), Biometrics 44, 837-845; Obuchowski (1997), Biometrics 53, 567-578",
        SUBJECTS,
    ),
    precision_recall.METHOD: (
        "precision at each positive's score, averaged over the positives",
        "Boyd, Eng and Page (2013), ECML PKDD, LNCS 8190, 451-466",
        f"{SUBJECTS}; the prevalence is that of the population meant",
    ),
    thresholds.METHOD_RATIO: (
        "ratio of the shares acted on among positives and negatives, on the log scale",
        "Simel, Samsa and Matchar (1991), Journal of Clinical Epidemiology 44, 763-770",
        f"{SUBJECTS}; the threshold was fixed without these rows",
    ),
    thresholds.METHOD_FIXED: (
        (
            "sensitivity at the lowest threshold that reaches the specificity, found anew in each "
            "resample of the subjects"
        ),
        "Zhou and Qin (2005), Statistics in Medicine 24, 465-477",
        SUBJECTS,
    ),
    brier.METHOD: (
        "mean squared distance of probability and outcome; scaled by that of the prevalence",
        "Brier (1950), Monthly Weather Review 78, 1-3",
        SUBJECTS,
    ),
    brier.METHOD_PARTS: (
        "the Brier score's reliability, resolution and uncertainty over bins of equal size",
        (
            "Murphy (1973), Journal of Applied Meteorology 12, 595-600; Stephenson et al. (2008), "
            "Weather and Forecasting 23, 752-757"
        ),
        "bins are as stated; the parts are biased upward by their noise",
    ),
    decision_curve.METHOD: (
        "true positives less false positives at the odds of the threshold, by row",
        "Vickers and Elkin (2006), Medical Decision Making 26, 565-574",
        f"{SUBJECTS}; the threshold states how harms are weighed",
    ),
    ranking.METHOD: (
        "actives found early in the list, against a random order",
        "Truchon and Bayly (2007), Journal of Chemical Information and Modeling 47, 488-508",
        SUBJECTS,
    ),
    calibration_curve.METHOD: (
        "logistic recalibration of the outcome on the stated log odds, sandwich by subject",
        (
            "Cox (1958), Biometrika 45, 562-565; Van Calster et al. (2016), Journal of Clinical "
            "Epidemiology 74, 167-176"
        ),
        SUBJECTS,
    ),
    calibration_curve.METHOD_RATIO: (
        "events seen over events stated, on the log scale",
        "Van Calster et al. (2016), Journal of Clinical Epidemiology 74, 167-176",
        SUBJECTS,
    ),
    ece.METHOD: (
        (
            "mean distance of stated and seen shares over bins, with limits that hold by the "
            "triangle inequality"
        ),
        "Naeini et al. (2015), AAAI, 2901-2907; Kumar, Liang and Ma (2019), NeurIPS 32, 3792-3803",
        f"{SUBJECTS}; the measure depends on its bins and is biased upward",
    ),
    ece.METHOD_FLOOR: (
        "the expected calibration error that a calibrated score would show by chance",
        (
            "Ferro and Fricker (2012), Quarterly Journal of the Royal Meteorological Society 138, "
            "1954-1960"
        ),
        SUBJECTS,
    ),
}


def methods_named(estimates: Iterable[Estimate]) -> tuple[Method, ...]:
    """Return the methods behind `estimates`, in order of their names."""
    found = []
    for name in sorted({one.method for one in estimates}):
        title, version = name.rsplit(", v", 1)
        definition, source, assumptions = DESCRIBED[name]
        found.append(
            Method(
                name=title,
                definition=definition,
                source=source,
                assumptions=assumptions,
                version=f"v{version}",
            )
        )
    return tuple(found)
