"""An invented temporal validation: real code on invented series. Its numbers mean nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from audits.criteria import Criterion
from audits.estimate import Json
from audits.forecasting.rolling_origin import PathForecast
from audits.forecasting.seasonal_naive import seasonal_naive
from audits.forecasting.temporal_validation import TemporalProtocol, run
from audits.sources.series import Month, MonthlySeries, Panel
from governance.reports.audit_report import (
    AuditReport,
    Manifestation,
    OrderProof,
    ReportContext,
)
from governance.reports.evidence_reader import read_audit

DIGEST = "5f0c3a9be1d27784c6a1f0e29b3d4c58a7e6f1029384756afbecd01928374655"
START = Month.parse("1994-07")
MONTHS = 168
KEYS = (
    ("L01/Concessional", "Concessional", 41_000.0),
    ("L01/General", "General", 16_000.0),
    ("L02/Concessional", "Concessional", 52_000.0),
    ("L02/General", "General", 9_000.0),
)


def panel(*, grouped: bool = True) -> Panel:
    rng = np.random.default_rng(20250306)
    series = []
    for at, (key, group, level) in enumerate(KEYS):
        noise = rng.normal(0.0, 0.035, MONTHS)
        values = tuple(
            float(
                level
                * (1 + 0.005 * t)
                * (1 + 0.11 * math.sin(t * math.pi / 6 + at))
                * (1 + noise[t])
            )
            for t in range(MONTHS)
        )
        series.append(
            MonthlySeries(key=key, start=START, values=values, group=group if grouped else None)
        )
    return Panel(series=tuple(series))


def drifting(training: Panel, horizon: int) -> Mapping[str, PathForecast]:
    """Last year's months, moved by last year's growth."""
    paths = {}
    for key, path in seasonal_naive(training, horizon).items():
        values = next(one.values for one in training.series if one.key == key)
        growth = sum(values[-12:]) / sum(values[-24:-12])
        paths[key] = PathForecast(
            key=key,
            origin=path.origin,
            median=tuple(x * growth for x in path.median),
            quantiles={
                level: tuple(x * growth for x in xs) for level, xs in path.quantiles.items()
            },
        )
    return paths


CRITERIA = (
    Criterion(
        id="skill-over-baseline",
        metric="skill_wape",
        direction="at_least",
        floor=0.05,
        reading="excludes_baseline",
        baseline=0.0,
        minimum_n=5,
    ),
    Criterion(
        id="coverage-95", metric="coverage_95", direction="within", low=0.88, high=1.0, minimum_n=5
    ),
    Criterion(
        id="bias",
        metric="bias",
        direction="within",
        low=-0.03,
        high=0.03,
        reading="margin",
        margin=0.01,
        minimum_n=5,
    ),
    Criterion(
        id="general-error",
        metric="wape",
        population="General",
        direction="at_most",
        floor=0.08,
        reading="margin",
        margin=0.005,
        minimum_n=5,
    ),
)


@cache
def _evidence_text(grouped: bool) -> str:
    found = run(
        panel(grouped=grouped),
        forecaster=drifting,
        baseline=seasonal_naive,
        protocol=TemporalProtocol(
            origins=5,
            horizon=12,
            step=12,
            seed=11,
            replicates=500,
            calibration_origins=5,
            calibration_step=12,
            metrics=("skill_wape", "wape", "mase", "coverage_80", "coverage_95", "bias"),
        ),
        criteria=CRITERIA,
        rng=np.random.default_rng(11),
    )
    record: dict[str, Json] = {
        "dataset": "pbs-l01-l02/3",
        "dataset_title": "Prescriptions by class of patient (invented)",
        "dataset_sha256": DIGEST,
        "artifact_sha256": DIGEST[::-1],
        "simulated": True,
        "software": {"oncovigil": "0.1.0"},
        "verdict": found.verdict.value,
        "report": found.as_record(),
    }
    return json.dumps(record, sort_keys=True, separators=(",", ":"))


def evidence(*, grouped: bool = True) -> Any:
    return json.loads(_evidence_text(grouped))


def report(*, grouped: bool = True) -> AuditReport:
    return read_audit(evidence(grouped=grouped), model="forecasting", version="forecasting/2")


def context() -> ReportContext:
    return ReportContext(
        organisation="St Olav Hospital Trust",
        deployment="pharmacy-demand",
        model="forecasting",
        version="forecasting/2",
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
                record="change_request C-4",
                record_digest=DIGEST,
            ),
        ),
        limits=(
            "Monthly aggregates only: nothing here speaks about a single patient.",
            "Must not be used for ordering below the level of a region.",
        ),
    )
