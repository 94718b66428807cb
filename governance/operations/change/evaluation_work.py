"""The computation of an evaluation: bytes in, bytes out, in whichever process computes.

Everything that decides is read from the frozen plan: origins, horizon, seed, criteria. The
evidence that comes back is complete enough that report and charts are drawn from it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from audits.criteria import Criterion
from audits.estimate import Json, Verdict
from audits.forecasting.forecast_metrics import METRICS
from audits.forecasting.temporal_validation import TemporalProtocol, run
from audits.sources.series import Panel
from change_control.change.plan import ChangePlan, criteria, plan_from_record
from governance.ledger.core import canonical
from governance.operations.change.panel_blob import panel_from_record
from governance.registry.digest import sha256_hex

FORMAT: Final = "evidence/1"
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


def evaluate(*, header: bytes, panel: bytes, plan: bytes, artifact: bytes) -> bytes:
    """Return the evidence of a temporal validation as canonical bytes.

    What is validated is the method; it speaks for the artifact only where the method, fitted again
    at the artifact's origin with the artifact's own members and levels, gives the artifact's bytes.
    Where it does not, the verdict is insufficient, whatever the estimates say (P8).
    """
    import numpy as np

    from audits.forecasting.seasonal_naive import seasonal_naive
    from models.forecasting.method import ensemble_forecaster

    frozen = plan_from_record(canonical.loads(plan))
    history = panel_from_record(canonical.loads(panel))
    served = Served.of(artifact)
    protocol = protocol_of(frozen)
    judged: tuple[Criterion, ...] = criteria(frozen)
    report = run(
        history,
        forecaster=ensemble_forecaster(levels=protocol.coverages, members=served.members),
        baseline=seasonal_naive,
        protocol=protocol,
        criteria=judged,
        rng=np.random.default_rng(protocol.seed),
    )
    refit = sha256_hex(served.fitted_again(history))
    identical = refit == sha256_hex(artifact)
    verdict = report.verdict
    if verdict is Verdict.PASS and not identical:
        verdict = Verdict.INSUFFICIENT
    evidence: dict[str, Json] = {
        "format": FORMAT,
        "kind": "temporal",
        "about": canonical.loads(header),
        "software": software(),
        "refit": {"sha256": refit, "identical": identical},
        "report": report.as_record(),
        "verdict": verdict.value,
    }
    return canonical.dumps(evidence)


def software() -> dict[str, Json]:
    """Return the versions that the numbers depend on; another one may round another way."""
    return {name: version(name) for name in NUMERICS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What an artifact says of how it was fitted."""

    members: tuple[str, ...]
    levels: tuple[str, ...]
    horizon: int
    unit: str

    @classmethod
    def of(cls, artifact: bytes) -> Served:
        """Read it from the artifact's verified bytes."""
        match canonical.loads(artifact):
            case {
                "members": list(members),
                "levels": list(levels),
                "horizon": int(horizon),
                "unit": str(unit),
            }:
                return cls(
                    members=tuple(map(str, members)),
                    levels=tuple(map(str, levels)),
                    horizon=horizon,
                    unit=unit,
                )
        raise RuntimeError("an artifact that was loaded says how it was fitted")

    def fitted_again(self, history: Panel) -> bytes:
        """Return the artifact that the same method makes of the same history now."""
        from models.forecasting.fitting import fit

        return canonical.dumps(
            fit(
                history,
                unit=self.unit,
                horizon=self.horizon,
                levels=self.levels,
                members=self.members,
            )
        )
