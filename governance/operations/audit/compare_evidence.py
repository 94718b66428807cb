"""Compare two pieces of evidence of one kind, estimate by estimate and verdict by verdict.

Only what stands in both is put side by side; the rest is listed. The two were made apart, so their
intervals say nothing about the difference: no test is made of what was not planned as a comparison
(P4, P8).
"""

from __future__ import annotations

from decimal import Decimal

from audits.estimate import Json
from governance.deployment import Deployment
from governance.errors import Conflict
from governance.ledger.core import canonical
from governance.operations.actor import Actor
from governance.operations.inspect.evidence_line import EvidenceLine, evidence_line
from governance.operations.operation import Operation, Request, Result
from governance.registry.records import Evidence
from governance.storage.ports import Reader


class CompareEvidence(Request):
    """Two pieces of evidence, the earlier first."""

    first: str
    second: str


class Pair(Result):
    """One estimate in both, as decimal text; `change` is second minus first where both have one."""

    metric: str
    population: str
    first: str
    second: str
    change: str | None


class VerdictPair(Result):
    """One criterion in both."""

    criterion: str
    first: str
    second: str


class Compared(Result):
    """What stands in both, what in one alone, and what was different about the two audits."""

    first: EvidenceLine
    second: EvidenceLine
    verdicts: list[VerdictPair]
    estimates: list[Pair]
    only_first: list[str]
    only_second: list[str]
    different: list[str]
    note: str


def compare_evidence(deployment: Deployment, actor: Actor, request: CompareEvidence) -> Compared:
    """Compare; raise Conflict where the two answer different kinds of question."""
    del actor
    with deployment.reader() as reader:
        first, second = (reader.require(Evidence, name) for name in (request.first, request.second))
        if first.kind != second.kind:
            raise Conflict(
                f"{first.id} is about {first.kind}, {second.id} about {second.kind}",
                next_step="compare two audits of one kind: `vigil audit list`",
            )
        records = tuple(_record(reader, one) for one in (first, second))
    ours, theirs = (_estimates(record) for record in records)
    verdicts, other = (_verdicts(record) for record in records)
    return Compared(
        first=evidence_line(deployment, first),
        second=evidence_line(deployment, second),
        verdicts=[
            VerdictPair(criterion=name, first=verdicts[name], second=other[name])
            for name in verdicts
            if name in other
        ],
        estimates=[_pair(key, ours[key], theirs[key]) for key in sorted(ours) if key in theirs],
        only_first=[" of ".join(key) for key in sorted(ours.keys() - theirs.keys())],
        only_second=[" of ".join(key) for key in sorted(theirs.keys() - ours.keys())],
        different=_different(first, second),
        note="Made apart: the intervals say nothing about the difference between the two.",
    )


def _record(reader: Reader, evidence: Evidence) -> Json:
    return canonical.loads(reader.blob(evidence.digest))


_Key = tuple[str, str]


def _estimates(record: Json) -> dict[_Key, dict[str, Json]]:
    """Return every estimate of a record by metric and population; the first of a name counts."""
    found: dict[_Key, dict[str, Json]] = {}
    waiting: list[Json] = [record]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict):
            metric, population = one.get("metric"), one.get("population")
            if isinstance(metric, str) and isinstance(population, str) and "method" in one:
                found.setdefault((metric, population), one)
            else:
                waiting.extend(one.values())
    return found


def _verdicts(record: Json) -> dict[str, str]:
    match record:
        case {"report": {"judgements": [*judgements]}}:
            return {
                str(one["criterion"]): str(one["verdict"])
                for one in judgements
                if isinstance(one, dict)
            }
    return {}


def _pair(key: _Key, first: dict[str, Json], second: dict[str, Json]) -> Pair:
    a, b = first.get("value"), second.get("value")
    change = None
    if isinstance(a, str) and isinstance(b, str):
        change = format((Decimal(b) - Decimal(a)).normalize(), "f")
    return Pair(
        metric=key[0], population=key[1], first=_text(first), second=_text(second), change=change
    )


def _text(estimate: dict[str, Json]) -> str:
    value, low, high = (estimate.get(name) for name in ("value", "low", "high"))
    if value is None:
        return f"undefined ({estimate.get('note')})"
    return f"{value} (no interval)" if low is None else f"{value} [{low}, {high}]"


def _different(first: Evidence, second: Evidence) -> list[str]:
    return [
        f"{name}: {ours} and {theirs}"
        for name, ours, theirs in (
            ("model", first.model, second.model),
            ("version", first.version, second.version),
            ("dataset", first.dataset, second.dataset),
            ("protocol", first.plan, second.plan),
        )
        if ours != theirs
    ]


COMPARE_EVIDENCE = Operation(
    name="audit.compare",
    request=CompareEvidence,
    kinds=(),
    run=compare_evidence,
    repeated="reads only",
)
