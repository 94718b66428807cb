"""Audit of calibration: whether as many events come as the probabilities say, at every height.

Definition: one frozen protocol; calibration in the large, observed over expected, intercept and
    slope, Brier score with its parts, expected calibration error with its floor, for all rows and
    for each population; the flexible curve with its band and the bins; observed over expected by
    window.
Formula: see `calibration_curve`, `brier`, `ece`.
Source: Van Calster, McLernon, van Smeden, Wynants and Steyerberg (2019), BMC Medicine 17, 230; the
    house rules on estimates and verdicts (P4, P8).
Assumptions: scores are probabilities of the label.
Failure modes: many criteria raise the chance that one fails by luck; windows describe and do not
    decide by themselves. See each method for its own.
Cost: seconds for a million rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audits.criteria import Criterion
from audits.estimate import Estimate, Json
from audits.performance.brier import brier, brier_parts
from audits.performance.calibration_curve import binned_curve, calibration, flexible_curve
from audits.performance.ece import ece
from audits.performance.influence import one_class
from audits.performance.protocol import (
    COMMON,
    Common,
    Members,
    Parts,
    estimates_table,
    floored,
    judge_all,
    malformed,
    parts_of,
    text,
    unclear,
)
from audits.performance.reading import methods_named
from audits.performance.rows import Rows
from audits.report import (
    AuditReport,
    Chart,
    ChartKind,
    Progress,
    Rule,
    Section,
    Table,
    judged,
    quiet,
)

if TYPE_CHECKING:
    import numpy as np

    from audits.sources.sample import Sample

KIND: Final = "calibration"
BINS_MAX: Final = 100
LIMITS: Final = (
    "Intervals hold one by one; the band of the curve holds point by point.",
    (
        "The expected calibration error depends on its bins and is biased upward by chance: read "
        "it beside what a calibrated score would show."
    ),
    "Rows without label or score were left out; the results describe the others.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationProtocol:
    """How the audit is run; frozen before the test data are opened (P4)."""

    common: Common
    bins: int = 10

    def __post_init__(self) -> None:
        if not 2 <= self.bins <= BINS_MAX:
            raise malformed("bins", f"is between 2 and {BINS_MAX}")

    def as_record(self) -> dict[str, Json]:
        """Return the protocol in the JSON domain; `parse` reads it back."""
        return {**self.common.as_record(), "bins": self.bins}


def parse(record: Mapping[str, Json]) -> CalibrationProtocol:
    """Return the protocol of a record; ProtocolMalformed names the member at fault."""
    members = Members(record, names=(*COMMON, "bins"))
    return CalibrationProtocol(common=members.common(), bins=members.whole("bins"))


def run(
    samples: Mapping[str, Sample],
    *,
    protocol: CalibrationProtocol,
    criteria: Sequence[Criterion],
    rng: np.random.Generator,
    progress: Progress = quiet,
) -> AuditReport:
    """Return the report on the sample of the role "test"."""
    if "test" not in samples:
        raise malformed("samples", "lack the role 'test'")
    parts = parts_of(samples["test"], protocol.common)
    estimates: list[Estimate] = []
    groups = (parts.rows, *parts.populations)
    for done, rows in enumerate(groups):
        progress(done, len(groups), rows.population)
        estimates += floored(_estimates(rows, protocol, rng=rng), rows, protocol.common)
    windows = tuple(
        one
        for rows in parts.windows
        for one in floored(calibration(rows, level=protocol.common.level), rows, protocol.common)
    )
    progress(len(groups), len(groups), "judging")
    paired = judged(criteria, judge_all(criteria, (*estimates, *windows)))
    return AuditReport(
        kind=KIND,
        question="Do as many events come as the probabilities say, at every height?",
        protocol=protocol.as_record(),
        criteria=paired[0],
        judgements=paired[1],
        sections=_sections(parts, estimates, windows, protocol),
        methods=methods_named((*estimates, *windows)),
        data=parts.data,
        limits=LIMITS,
        missing=(*parts.missing, *unclear((*estimates, *windows))),
    )


def _estimates(
    rows: Rows, protocol: CalibrationProtocol, *, rng: np.random.Generator
) -> tuple[Estimate, ...]:
    level = protocol.common.level
    return (
        *calibration(rows, level=level),
        *brier(rows, level=level),
        *brier_parts(rows, bins=protocol.bins, level=level),
        *ece(rows, bins=protocol.bins, level=level, rng=rng),
    )


def _sections(
    parts: Parts,
    estimates: Sequence[Estimate],
    windows: Sequence[Estimate],
    protocol: CalibrationProtocol,
) -> tuple[Section, ...]:
    line = ("calibration_in_the_large", "calibration_intercept", "calibration_slope")
    found = [
        _estimates_section(
            "line",
            "Calibration in the large and the logistic line",
            [one for one in estimates if one.metric in (*line, "observed_expected_ratio")],
        ),
    ]
    if not one_class(parts.rows):
        found.append(_curve(parts.rows, protocol))
    errors = ("ece", "ece_if_calibrated", "calibration_rms_debiased")
    found += [
        _estimates_section(
            "errors",
            "Calibration error over bins",
            [one for one in estimates if one.metric in errors],
        ),
        _estimates_section(
            "brier", "Brier score", [one for one in estimates if one.metric.startswith("brier")]
        ),
    ]
    if windows:
        found.append(_by_window(windows))
    return tuple(found)


def _estimates_section(ident: str, title: str, shown: Sequence[Estimate]) -> Section:
    return Section(id=ident, title=title, estimates=tuple(shown))


def _curve(rows: Rows, protocol: CalibrationProtocol) -> Section:
    level = protocol.common.level
    bins, shares = binned_curve(rows, bins=protocol.bins, level=level)
    binned = Table(
        id="bins_table",
        caption="Stated and observed shares in bins of nearly equal size, all rows",
        columns=("stated", "observed", "low", "high", "rows"),
        rows=tuple(
            (text(float(stated)), text(one.value), text(one.low), text(one.high), int(size))
            for stated, one, size in zip(bins.forecast, shares, bins.size, strict=True)
        ),
    )
    points = Chart(
        id="bins_chart",
        kind=ChartKind.CURVE,
        caption="Calibration in bins",
        alt="Observed against stated share in each bin with its interval, beside the diagonal.",
        table="bins_table",
        x="stated",
        y="observed",
        low="low",
        high="high",
        diagonal=True,
    )
    curve = flexible_curve(rows, level=level)
    if isinstance(curve, str):
        return Section(
            id="curve",
            title="Calibration curve",
            paragraphs=(f"There is no flexible curve: {curve}.",),
            tables=(binned,),
            charts=(points,),
        )
    lines = zip(curve.stated, curve.observed, curve.low, curve.high, strict=True)
    smooth = Table(
        id="curve_table",
        caption="Flexible calibration curve with its pointwise band, all rows",
        columns=("stated", "observed", "low", "high"),
        rows=tuple(tuple(text(float(x)) for x in line) for line in lines),
    )
    chart = Chart(
        id="curve_chart",
        kind=ChartKind.CURVE,
        caption="Flexible calibration curve",
        alt="Observed against stated probability with a band, beside the diagonal.",
        table="curve_table",
        x="stated",
        y="observed",
        low="low",
        high="high",
        diagonal=True,
    )
    return Section(
        id="curve", title="Calibration curve", tables=(smooth, binned), charts=(chart, points)
    )


def _by_window(windows: Sequence[Estimate]) -> Section:
    ratios = [one for one in windows if one.metric == "observed_expected_ratio"]
    return Section(
        id="windows",
        title="By window of time",
        estimates=tuple(windows),
        tables=(estimates_table("ratios_table", "Observed over expected by window", ratios),),
        charts=(
            Chart(
                id="windows_chart",
                kind=ChartKind.SERIES,
                caption="Observed over expected events by window",
                alt="The ratio in each window with its interval, beside one.",
                table="ratios_table",
                x="population",
                y="value",
                low="low",
                high="high",
                rules=(Rule(at="1", label="as stated"),),
            ),
        ),
    )
