"""An invented audit report with everything that a report can hold. Its numbers mean nothing."""

from __future__ import annotations

import math

from governance.reports.audit_report import (
    AuditReport,
    CriterionShown,
    EstimateShown,
    Fact,
    HorizonShown,
    Manifestation,
    OrderProof,
    PathShown,
    ReportContext,
)

DIGEST = "5f0c3a9be1d27784c6a1f0e29b3d4c58a7e6f1029384756afbecd01928374655"


def estimate(
    metric: str,
    value: str | None,
    low: str | None = None,
    high: str | None = None,
    *,
    population: str = "all",
    n: int = 36,
    note: str = "",
) -> EstimateShown:
    return EstimateShown(
        metric=metric,
        population=population,
        value=value,
        low=low,
        high=high,
        level="0.95",
        n=n,
        unit="origin",
        method="moving block jackknife over origins",
        note=note or ("" if low else "no interval for a count"),
    )


def criterion(
    name: str, est: EstimateShown, verdict: str, reason: str, **rest: str | None
) -> CriterionShown:
    known: dict[str, str | None] = {
        "floor": None, "low": None, "high": None, "baseline": None, "margin": None,
        "direction": "at_most", "reading": "point",
    }  # fmt: skip
    known.update(rest)
    return CriterionShown(
        id=name,
        metric=est.metric,
        population=est.population,
        direction=str(known["direction"]),
        floor=known["floor"],
        low=known["low"],
        high=known["high"],
        reading=str(known["reading"]),
        baseline=known["baseline"],
        margin=known["margin"],
        minimum_n=24,
        verdict=verdict,
        reason=reason,
        estimate=est,
    )


def criteria() -> tuple[CriterionShown, ...]:
    return (
        criterion(
            "relative-error",
            estimate("relative_mean_absolute_error", "0.661", "0.583", "0.742"),
            "pass",
            "The value 0.661 meets at most 0.9 and the interval [0.583, 0.742] excludes the "
            "baseline 1.",
            floor="0.9", baseline="1", reading="excludes_baseline",
        ),
        criterion(
            "coverage-95",
            estimate("coverage_95", "0.941", "0.912", "0.966"),
            "pass",
            "The value 0.941 meets the range 0.9 to 0.99.",
            direction="within", low="0.9", high="0.99",
        ),
        criterion(
            "bias",
            estimate("relative_bias", "-0.021", "-0.094", "0.049"),
            "pass",
            "The value -0.021 meets the range -0.1 to 0.1 and the interval [-0.094, 0.049] "
            "excludes the margin.",
            direction="within", low="-0.1", high="0.1", reading="margin", margin="0.02",
        ),
        criterion(
            "hospital-only-error",
            estimate(
                "relative_mean_absolute_error", "0.874", "0.702", "1.062",
                population="General", n=14,
            ),
            "insufficient",
            "n = 14 (origin) is below the required 24.",
            floor="0.95", baseline="1", reading="excludes_baseline",
        ),
    )  # fmt: skip


def path(key: str, level: float, phase: float) -> PathShown:
    def month(at: int) -> str:
        return f"{2005 + at // 12}-{at % 12 + 1:02d}"

    def value(at: int) -> float:
        return level * (1 + 0.008 * at + 0.12 * math.sin(at / 12 * 2 * math.pi + phase))

    history = tuple((month(at), f"{value(at) * (1 + 0.03 * math.sin(at * 7)):.1f}") for at in range(30))
    ahead = range(30, 42)
    half = [level * 0.02 * math.sqrt(at - 29) for at in ahead]
    return PathShown(
        key=key,
        origin="2007-06",
        history=history,
        months=tuple(month(at) for at in ahead),
        actual=tuple(f"{value(at) * (1 + 0.03 * math.sin(at * 5)):.1f}" for at in ahead),
        median=tuple(f"{value(at):.1f}" for at in ahead),
        low_95=tuple(f"{value(at) - 1.96 * h:.1f}" for at, h in zip(ahead, half, strict=True)),
        low_80=tuple(f"{value(at) - 1.28 * h:.1f}" for at, h in zip(ahead, half, strict=True)),
        high_80=tuple(f"{value(at) + 1.28 * h:.1f}" for at, h in zip(ahead, half, strict=True)),
        high_95=tuple(f"{value(at) + 1.96 * h:.1f}" for at, h in zip(ahead, half, strict=True)),
    )


def horizons() -> tuple[HorizonShown, ...]:
    shown = []
    for at in range(1, 13):
        model, naive = 310 + 31 * at, 640 + 12 * at
        shown.append(
            HorizonShown(
                horizon=at,
                model=estimate("mean_absolute_error", f"{model}", f"{model * 0.86:.1f}", f"{model * 1.15:.1f}"),
                baseline=estimate("mean_absolute_error", f"{naive}", f"{naive * 0.9:.1f}", f"{naive * 1.11:.1f}"),
            )
        )
    return tuple(shown)


def report() -> AuditReport:
    return AuditReport(
        kind="temporal validation",
        model="forecasting",
        version="forecasting/2",
        verdict="insufficient",
        criteria=criteria(),
        horizons=horizons(),
        horizon_metric="mean_absolute_error",
        coverage=(
            estimate("coverage_95", "0.941", "0.912", "0.966"),
            estimate("coverage_95", "0.952", "0.913", "0.981", population="Concessional"),
            estimate("coverage_95", "0.887", "0.781", "0.958", population="General", n=14),
        ),
        nominal_coverage="0.95",
        groups=(),
        no_groups="",
        paths=(path("L01/Concessional", 41000, 0.3), path("L01/General", 16000, 1.1),
               path("L02/Concessional", 52000, 2.0), path("L02/General", 9000, 0.7)),
        protocol=(
            Fact(label="Design", value="rolling origin, 36 origins from 2002-07 to 2005-06, horizon 12 months"),
            Fact(label="Seen by the model at an origin", value="months up to the origin only (P9)"),
            Fact(label="Baseline", value="seasonal naive: the same month one year before"),
            Fact(label="Interval", value="95 % moving block jackknife, block of 12 origins"),
            Fact(label="Decision under multiplicity", value="every criterion must pass"),
            Fact(label="Seed", value="20250306"),
        ),
        data=(
            Fact(label="Dataset", value="PBS scripts by ATC group (invented)"),
            Fact(label="Months", value="1991-07 to 2008-06"),
            Fact(label="SHA-256", value=DIGEST, code=True),
        ),
        software=(Fact(label="oncovigil", value="0.1.0"), Fact(label="statsforecast", value="2.1.1")),
        limits=("Monthly aggregates only: nothing here speaks about a single patient.",
                "Must not be used for ordering below the level of a region."),
    )  # fmt: skip


def context() -> ReportContext:
    return ReportContext(
        organisation="St Olav Hospital Trust",
        deployment="pharmacy-demand",
        evidence="E-3",
        digest=DIGEST,
        produced_us=1_772_805_780_000_000,
        produced_by="service:evaluator",
        dataset="pbs-l01-l02/3",
        order=OrderProof(plan="plan:forecasting:1", plan_seq=17, opened_seq=24),
        reproduce="vigil audit reproduce E-3",
        signatures=(
            Manifestation(
                printed_name="Ingrid Dahl",
                signer="ingrid.dahl",
                meaning="reviewed",
                signed_us=1_772_810_580_000_000,
                record="review R-7",
                record_digest=DIGEST,
            ),
        ),
        limits=(),
    )
