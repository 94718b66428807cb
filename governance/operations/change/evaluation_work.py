"""The computation of an evaluation: bytes in, bytes out, in whichever process computes.

Everything that decides is read from the frozen plan: origins, horizon, seed, criteria. The
evidence that comes back is complete enough that report and charts are drawn from it alone.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from audits.criteria import Criterion
from audits.estimate import Json
from audits.forecast_metrics import METRICS
from audits.temporal_validation import TemporalProtocol, run
from change_control.change.plan import ChangePlan, criteria, plan_from_record
from governance.ledger.core import canonical
from governance.operations.change.panel_blob import panel_from_record

FORMAT: Final = "evidence/1"
# What the numbers depend on beside the inputs; another version may round another way.
NUMERICS: Final = ("numpy", "scipy", "statsforecast")


def protocol_of(plan: ChangePlan) -> TemporalProtocol:
    """Return the plan's evaluation protocol as the audits run it."""
    written = plan.modification_protocol.performance_evaluation.protocol
    return TemporalProtocol(
        origins=written.origins,
        horizon=written.horizon_months,
        step=written.step_months,
        seed=written.seed,
        replicates=written.replicates,
        metrics=METRICS,
        level=float(written.confidence_level),
        coverages=tuple(str(level) for level in written.interval_levels),
    )


def evaluate(*, header: bytes, panel: bytes, plan: bytes) -> bytes:
    """Return the evidence of a temporal validation as canonical bytes."""
    import numpy as np

    from audits.seasonal_naive import seasonal_naive
    from models.forecasting.method import ensemble_forecaster

    frozen = plan_from_record(canonical.loads(plan))
    protocol = protocol_of(frozen)
    judged: tuple[Criterion, ...] = criteria(frozen)
    report = run(
        panel_from_record(canonical.loads(panel)),
        forecaster=ensemble_forecaster(levels=protocol.coverages),
        baseline=seasonal_naive,
        protocol=protocol,
        criteria=judged,
        rng=np.random.default_rng(protocol.seed),
    )
    evidence: dict[str, Json] = {
        "format": FORMAT,
        "kind": "temporal",
        "about": canonical.loads(header),
        "numerics": {name: version(name) for name in NUMERICS},
        "report": report.as_record(),
        "verdict": report.verdict.value,
    }
    return canonical.dumps(evidence)
