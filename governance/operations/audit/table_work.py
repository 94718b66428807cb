"""The computation of an audit of rows: bytes in, evidence out, in whichever process computes.

Everything that decides is read from the registered protocol. The evidence holds estimates, counts
and charts, and no row of anybody: it can be shown, kept and reproduced by whoever has the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from audits.estimate import Json
from audits.report import quiet
from audits.sources.sample import Sample
from change_control.audit.kinds import run_method
from change_control.audit.protocol import AuditProtocol, criteria, protocol_from_record
from governance.ledger.core import canonical
from models.dataset import manifest_from_record

FORMAT: Final = "evidence/1"
NUMERICS: Final = ("oncovigil", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableGiven:
    """A file as somebody brought it: its role, its manifest in canonical bytes, its text."""

    role: str
    manifest: bytes
    text: str


def evaluate_tables(*, header: bytes, protocol: bytes, tables: tuple[TableGiven, ...]) -> bytes:
    """Return the evidence as canonical bytes; equal arguments give equal bytes."""
    import numpy as np

    frozen = protocol_from_record(canonical.loads(protocol))
    samples = {given.role: _sample(given, frozen) for given in tables}
    report = run_method(
        frozen.kind,
        samples,
        record=frozen.method_record(),
        criteria=criteria(frozen),
        rng=np.random.default_rng(frozen.seed),
        progress=quiet,
    )
    limits: list[Json] = [*frozen.limits, *report.limits]
    evidence: dict[str, Json] = {
        "format": FORMAT,
        "kind": frozen.kind.value,
        "about": canonical.loads(header),
        "software": software(),
        "report": {**report.as_record(), "question": frozen.question, "limits": limits},
        "verdict": report.verdict.value,
    }
    return canonical.dumps(evidence)


def software() -> dict[str, Json]:
    """Return the versions that the numbers depend on; another one may round another way."""
    return {name: version(name) for name in NUMERICS}


def _sample(given: TableGiven, protocol: AuditProtocol) -> Sample:
    from models.readers import read

    table = read(given.text, manifest_from_record(canonical.loads(given.manifest)))
    use = protocol.columns
    return table.sample(
        subject=use.subject,
        label=use.label,
        score=use.score,
        decision=use.decision,
        numbers=use.numbers,
        categories=use.categories,
        times=use.times,
    )
