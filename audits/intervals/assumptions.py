"""What is assumed about the truth before data are opened, and how far an estimate would stray.

Definition: an assumption states the true value of a metric and what its standard error depends on;
    n counts all independent units together, or rows where `design_effect` is above 1.
Formula: m = n / design effect.
    Share: exact binomial of floor(m), no standard error.
    Difference of shares, m split 1 : `ratio` between first and second: se1^2 = p1 (1 - p1)/m1 +
        p2 (1 - p2)/m2; se0 the same at the most likely shares that differ by the limit.
    AUROC, m1 = m prevalence cases, m0 = m - m1: Hanley and McNeil var = (A (1 - A) + (m1 - 1)
        (Q1 - A^2) + (m0 - 1) (Q2 - A^2))/(m1 m0), Q1 = A/(2 - A), Q2 = 2 A^2/(1 + A); Obuchowski
        (binormal) var = .0099 exp(-a^2/2) (5 a^2 + 8 + (a^2 + 8) m1/m0)/m1, a = 1.414 Phi^-1(A).
        se0 at the limit, se1 at the assumed value.
    Difference of AUROCs: var1 + var2 - 2 r sqrt(var1 var2), r the correlation of the estimates;
        unpaired ones have m/2 units each. se0 with the first at the limit from the second.
    Mean: sd / sqrt(m).
    design_effect = 1 + (rows a subject - 1) intraclass correlation.
Source: Farrington and Manning (1990), Statistics in Medicine 9, 1447-1454; Hanley and McNeil
    (1982), Radiology 143, 29-36, and (1983), Radiology 148, 839-843 (r); Obuchowski (1994),
    Statistics in Medicine 13, 1533-1542; Kish (1965), Survey Sampling, section 5.4.
Assumptions: that the assumed truth is true; a plan says where its numbers come from.
Failure modes: Hanley and McNeil's Q belong to exponential scores; for other shapes the variance is
    off by up to a fifth. Optimistic assumptions make every n too small.
Cost: constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeAlias

from audits.errors import SampleSizeRefused
from audits.estimate import RECORD_DIGITS, Json, decimal_text
from audits.intervals.bootstrap import normal_cdf
from audits.intervals.proportion import normal_quantile
from audits.intervals.two_proportions import restricted_shares

AurocVariance: TypeAlias = Literal["hanley-mcneil", "obuchowski"]
AUROC_VARIANCES: Final[tuple[AurocVariance, ...]] = ("hanley-mcneil", "obuchowski")
ROOT_TWO_AS_PRINTED: Final = 1.414


def design_effect(*, rows_per_subject: float, correlation: float) -> float:
    """Return by how much repeated rows inflate the variance of a mean of rows."""
    if rows_per_subject < 1 or not 0.0 <= correlation <= 1.0:
        raise _refused("a subject has at least one row, and a correlation lies between 0 and 1")
    return 1 + (rows_per_subject - 1) * correlation


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareAssumed:
    """One proportion that is truly `value`."""

    method: ClassVar[str] = "exact binomial power of the criterion as it will be judged, v1"
    value: float
    design_effect: float = 1.0

    def __post_init__(self) -> None:
        _check(self.design_effect, shares=(self.value,))

    def n_of_groups(self, n: int) -> dict[str, int]:
        """Return how the units divide."""
        return {"all": n}

    def as_record(self) -> dict[str, Json]:
        """Return the assumption in the JSON domain."""
        return _record("share", value=self.value, design_effect=self.design_effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareDifferenceAssumed:
    """Shares `first` and `second` of independent groups, `ratio` units of second a unit of first.

    `variance` score: as the score interval judges; unpooled: the textbook formula.
    """

    method: ClassVar[str] = "normal power of a difference of shares, v1"
    first: float
    second: float
    ratio: float = 1.0
    variance: Literal["score", "unpooled"] = "score"
    design_effect: float = 1.0

    def __post_init__(self) -> None:
        _check(self.design_effect, shares=(self.first, self.second))
        if not (self.ratio > 0 and math.isfinite(self.ratio)):
            raise _refused("the ratio of the groups is above 0")
        if self.variance not in ("score", "unpooled"):
            raise _refused(f"unknown variance {self.variance!r}")

    @property
    def value(self) -> float:
        """Return the assumed difference."""
        return self.first - self.second

    def n_of_groups(self, n: int) -> dict[str, int]:
        """Return how the units divide."""
        first = round(n / (1 + self.ratio))
        return {"first": first, "second": n - first}

    def errors(self, n: float, *, limit: float) -> tuple[float, float]:
        """Return the standard errors at the limit and at the assumed value."""
        m1 = n / self.design_effect / (1 + self.ratio)
        m2 = m1 * self.ratio
        true = _binomial(self.first, m1) + _binomial(self.second, m2)
        if self.variance == "unpooled":
            return math.sqrt(true), math.sqrt(true)
        p1, p2 = restricted_shares(self.first, self.second, theta=self.ratio, null=limit)
        return math.sqrt(_binomial(p1, m1) + _binomial(p2, m2)), math.sqrt(true)

    def as_record(self) -> dict[str, Json]:
        """Return the assumption in the JSON domain."""
        return _record(
            "share_difference",
            first=self.first,
            second=self.second,
            ratio=self.ratio,
            variance=self.variance,
            design_effect=self.design_effect,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AurocAssumed:
    """One AUROC that is truly `value`, with a share `prevalence` of cases among the units."""

    method: ClassVar[str] = "normal power of an AUROC, v1"
    value: float
    prevalence: float
    variance: AurocVariance = "hanley-mcneil"
    design_effect: float = 1.0

    def __post_init__(self) -> None:
        _check(self.design_effect, shares=(self.value, self.prevalence))
        _check_variance(self.variance)

    def n_of_groups(self, n: int) -> dict[str, int]:
        """Return how the units divide."""
        cases = round(n * self.prevalence)
        return {"cases": cases, "others": n - cases}

    def errors(self, n: float, *, limit: float) -> tuple[float, float]:
        """Return the standard errors at the limit and at the assumed value."""
        m = n / self.design_effect
        cases, others = m * self.prevalence, m * (1 - self.prevalence)
        at_limit = min(max(limit, 0.5), 1 - 1e-9)
        found = [
            auroc_variance(x, cases=cases, others=others, method=self.variance)
            for x in (at_limit, self.value)
        ]
        return math.sqrt(found[0]), math.sqrt(found[1])

    def as_record(self) -> dict[str, Json]:
        """Return the assumption in the JSON domain."""
        return _record(
            "auroc",
            value=self.value,
            prevalence=self.prevalence,
            variance=self.variance,
            design_effect=self.design_effect,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AurocDifferenceAssumed:
    """AUROCs `first` and `second`, on the same n units or, unpaired, on n/2 units each.

    `correlation` is that of the two estimates, and belongs to `paired`.
    """

    method: ClassVar[str] = "normal power of a difference of AUROCs, v1"
    first: float
    second: float
    prevalence: float
    paired: bool
    correlation: float = 0.0
    variance: AurocVariance = "hanley-mcneil"
    design_effect: float = 1.0

    def __post_init__(self) -> None:
        _check(self.design_effect, shares=(self.first, self.second, self.prevalence))
        _check_variance(self.variance)
        if not 0.0 <= self.correlation < 1.0 or (self.correlation and not self.paired):
            raise _refused("a correlation lies in [0, 1), and only paired estimates have one")

    @property
    def value(self) -> float:
        """Return the assumed difference."""
        return self.first - self.second

    def n_of_groups(self, n: int) -> dict[str, int]:
        """Return how the units divide."""
        cases = round(n * self.prevalence)
        return {"cases": cases, "others": n - cases}

    def errors(self, n: float, *, limit: float) -> tuple[float, float]:
        """Return the standard errors with `first` at the limit, and as assumed."""
        m = n / self.design_effect / (1 if self.paired else 2)
        cases, others = m * self.prevalence, m * (1 - self.prevalence)
        at_limit = min(max(self.second + limit, 0.5), 1 - 1e-9)
        at_limit, first, second = (
            auroc_variance(x, cases=cases, others=others, method=self.variance)
            for x in (at_limit, self.first, self.second)
        )
        return self._joined(at_limit, second), self._joined(first, second)

    def _joined(self, first: float, second: float) -> float:
        return math.sqrt(first + second - 2 * self.correlation * math.sqrt(first * second))

    def as_record(self) -> dict[str, Json]:
        """Return the assumption in the JSON domain."""
        return _record(
            "auroc_difference",
            first=self.first,
            second=self.second,
            prevalence=self.prevalence,
            paired="paired" if self.paired else "unpaired",
            correlation=self.correlation,
            variance=self.variance,
            design_effect=self.design_effect,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanAssumed:
    """A mean that is truly `value`: calibration in the large, an error, a paired difference.

    Of two shares on the same subjects the standard deviation is sqrt(b + c - value^2), with b and c
    the shares of subjects that only the one and only the other gets right (McNemar's cells).
    """

    method: ClassVar[str] = "power of a mean, t quantile, v1"
    value: float
    standard_deviation: float
    design_effect: float = 1.0

    def __post_init__(self) -> None:
        _check(self.design_effect, shares=())
        if not (math.isfinite(self.value) and 0 < self.standard_deviation < math.inf):
            raise _refused("a mean is finite and its standard deviation above 0")

    def n_of_groups(self, n: int) -> dict[str, int]:
        """Return how the units divide."""
        return {"all": n}

    def errors(self, n: float, *, limit: float) -> tuple[float, float]:
        """Return the standard error, twice."""
        error = self.standard_deviation / math.sqrt(n / self.design_effect)
        return error, error

    def as_record(self) -> dict[str, Json]:
        """Return the assumption in the JSON domain."""
        return _record(
            "mean",
            value=self.value,
            standard_deviation=self.standard_deviation,
            design_effect=self.design_effect,
        )


NormalAssumption: TypeAlias = (
    ShareDifferenceAssumed | AurocAssumed | AurocDifferenceAssumed | MeanAssumed
)
Assumption: TypeAlias = ShareAssumed | NormalAssumption


def auroc_variance(
    auroc: float, *, cases: float, others: float, method: AurocVariance = "hanley-mcneil"
) -> float:
    """Return the variance of an estimated AUROC from `cases` and `others`."""
    if method == "obuchowski":
        a = ROOT_TWO_AS_PRINTED * normal_quantile(auroc)
        spread = 5 * a * a + 8 + (a * a + 8) * cases / others
        return 0.0099 * math.exp(-a * a / 2) * spread / cases
    q1, q2 = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    total = auroc * (1 - auroc)
    total += (cases - 1) * (q1 - auroc**2) + (others - 1) * (q2 - auroc**2)
    return total / (cases * others)


def chance_between(low: float, high: float, *, mean: float, error: float) -> float:
    """Return the chance that a normal estimate falls between `low` and `high`."""
    if low >= high:
        return 0.0
    return normal_cdf((high - mean) / error) - normal_cdf((low - mean) / error)


def _binomial(p: float, n: float) -> float:
    return p * (1 - p) / n


def _record(kind: str, **fields: float | str) -> dict[str, Json]:
    record: dict[str, Json] = {"kind": kind}
    for name, x in fields.items():
        record[name] = x if isinstance(x, str) else decimal_text(x, digits=RECORD_DIGITS)
    return record


def _check(effect: float, *, shares: tuple[float, ...]) -> None:
    if not 1.0 <= effect < math.inf:
        raise _refused(f"a design effect of {effect} is below 1")
    for x in shares:
        if not 0.0 < x < 1.0:
            raise _refused(f"{x} does not lie strictly between 0 and 1")


def _check_variance(variance: str) -> None:
    if variance not in AUROC_VARIANCES:
        raise _refused(f"unknown variance {variance!r}")


def _refused(fault: str) -> SampleSizeRefused:
    return SampleSizeRefused(fault, next_step="State an assumption that can be true.")
