"""The protocol of a fairness audit: everything that decides, fixed before the data are opened (P4).

Definition: which attributes and intersections make groups, which metrics are compared, how far
    apart groups may be, what counts as acting (a threshold) or as overdosing (a tolerance), what
    errors cost, which policies are compared and which mitigations are tried.
Formula: none; `parse(protocol.as_record()) == protocol`.
Source: the house rules that rules come before results (P4) and nothing is a default of ours.
Assumptions: none.
Failure modes: a member that is unknown, missing or contradicts another is refused with its name.
Cost: constant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, cast, get_args

from audits.errors import ProtocolMalformed
from audits.estimate import Json, decimal_text
from audits.fairness.frame import Margin
from audits.fairness.metrics import (
    DECISION_METRICS,
    DOSE_METRICS,
    EQUALISED_ODDS,
    EQUALISED_ODDS_PARTS,
    ERROR_COST,
)
from audits.fairness.scores import DOSE_ERRORS, PROBABILITY_METRICS

OutcomeKind: TypeAlias = Literal["decision", "dose"]
MitigationKind: TypeAlias = Literal["reweighting", "threshold", "calibration"]

REPLICATES: Final = (200, 20_000)
MAX_PARTITIONS: Final = 20
MAX_POLICIES: Final = 8
CONSTRAINTS: Final = (
    "demographic_parity",
    "true_positive_rate_parity",
    "false_positive_rate_parity",
    "equalized_odds",
)
"""As fairlearn's ThresholdOptimizer calls them."""
OBJECTIVES: Final = ("accuracy_score", "balanced_accuracy_score")
CALIBRATIONS: Final = ("isotonic", "platt")
MEMBERS: Final = (
    "outcome",
    "attributes",
    "references",
    "metrics",
    "margins",
    "minimum_n",
    "level",
    "replicates",
    "threshold",
    "tolerance",
    "costs",
    "policies",
    "mitigations",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What an error costs, in any one unit."""

    false_positive: float
    false_negative: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A rule to compare: `column` among the sample's numbers holds its score, or its dose."""

    name: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mitigation:
    """One mitigation by the groups of `attributes`.

    reweighting: `features` are the numbers that the learner gets. threshold: `constraint` and
    `objective`. calibration: `method`.
    """

    kind: MitigationKind
    attributes: tuple[str, ...]
    features: tuple[str, ...] = ()
    constraint: str | None = None
    objective: str | None = None
    method: str | None = None

    @property
    def name(self) -> str:
        """How the report calls it."""
        how = self.constraint or self.method or ""
        return f"{self.kind}{f' ({how})' if how else ''} by {' & '.join(self.attributes)}"

    def as_record(self) -> dict[str, Json]:
        """Return the mitigation in the JSON domain."""
        record: dict[str, Json] = {"kind": self.kind, "attributes": list(self.attributes)}
        if self.kind == "reweighting":
            record["features"] = list(self.features)
        elif self.kind == "threshold":
            record |= {"constraint": self.constraint, "objective": self.objective}
        else:
            record["method"] = self.method
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessProtocol:
    """How the audit is run.

    `attributes`: each entry makes one partition; several names in one entry are intersected.
    `references`: by partition ("race", "race & sex") the group that all others are compared with;
    a partition that is not named compares every pair. `metrics`: names of `metrics`, `scores` and
    equalised_odds. `margins`: by metric. `minimum_n`: units that both groups of a gap need before a
    margin decides. `threshold`: a score from there on is acted on; None = the recorded decision.
    `tolerance`: what share above (below) the right dose is too much (too little). `policies`: the
    first is what the others are compared with; none means the model's own score or decision.
    """

    outcome: OutcomeKind
    attributes: tuple[tuple[str, ...], ...]
    metrics: tuple[str, ...]
    minimum_n: int
    level: float
    replicates: int
    references: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    margins: Mapping[str, Margin] = field(default_factory=lambda: MappingProxyType({}))
    threshold: float | None = None
    tolerance: float | None = None
    costs: Costs | None = None
    policies: tuple[Policy, ...] = ()
    mitigations: tuple[Mitigation, ...] = ()

    def __post_init__(self) -> None:
        for member, fault in (*self._faults(), *self._faults_of_metrics()):
            if fault:
                raise malformed(member, fault)

    def _faults(self) -> list[tuple[str, str]]:
        partitions = [name_of(one) for one in self.attributes]
        twice = [one for one in self.attributes if not one or len(set(one)) != len(one)]
        names = [one.name for one in self.policies]
        low, high = REPLICATES
        return [
            ("attributes", "name at least one partition" if not self.attributes else ""),
            (
                "attributes",
                f"are more than {MAX_PARTITIONS}" if len(partitions) > MAX_PARTITIONS else "",
            ),
            ("attributes", "name each attribute of a partition once" if twice else ""),
            ("attributes", "repeat a partition" if len(set(partitions)) < len(partitions) else ""),
            (
                "references",
                "name a partition that is none of the attributes"
                if set(self.references) - set(partitions)
                else "",
            ),
            ("level", "lies strictly between 0 and 1" if not 0 < self.level < 1 else ""),
            ("minimum_n", "is at least 1" if self.minimum_n < 1 else ""),
            (
                "replicates",
                f"lie from {low} to {high}" if not low <= self.replicates <= high else "",
            ),
            ("policies", f"are more than {MAX_POLICIES}" if len(names) > MAX_POLICIES else ""),
            ("policies", "have names of their own" if len(set(names)) < len(names) else ""),
        ]

    def _faults_of_metrics(self) -> list[tuple[str, str]]:
        dose = self.outcome == "dose"
        unknown = [name for name in self.metrics if name not in known_metrics(self.outcome)]
        odds = EQUALISED_ODDS in self.metrics and not set(EQUALISED_ODDS_PARTS) <= set(self.metrics)
        scored = {name for name, one in self.margins.items() if one.ratio is not None} & {
            EQUALISED_ODDS,
            *PROBABILITY_METRICS,
            *DOSE_ERRORS,
        }
        return [
            ("metrics", "name at least one" if not self.metrics else ""),
            ("metrics", f"name {unknown[0]!r}, which a {self.outcome} has not" if unknown else ""),
            (
                "metrics",
                "are named once each" if len(set(self.metrics)) < len(self.metrics) else "",
            ),
            ("metrics", f"{EQUALISED_ODDS} goes with its two rates" if odds else ""),
            (
                "margins",
                "are about a metric that is not measured"
                if set(self.margins) - set(self.metrics)
                else "",
            ),
            ("margins", f"{min(scored)} has no ratio" if scored else ""),
            (
                "costs",
                f"go with {ERROR_COST}, and only with it"
                if (self.costs is not None) != (ERROR_COST in self.metrics)
                else "",
            ),
            ("tolerance", "goes with a dose" if dose != (self.tolerance is not None) else ""),
            (
                "tolerance",
                "lies strictly between 0 and 1"
                if self.tolerance is not None and not 0 < self.tolerance < 1
                else "",
            ),
            ("threshold", "goes with a decision" if dose and self.threshold is not None else ""),
            (
                "threshold",
                "is needed to act on a policy's or a calibrated score"
                if not dose and self.threshold is None and (self.policies or self.mitigations)
                else "",
            ),
            ("mitigations", "are for decisions" if dose and self.mitigations else ""),
        ]

    def as_record(self) -> dict[str, Json]:
        """Return the protocol in the JSON domain; `parse` reads it back."""
        costs = self.costs
        return {
            "outcome": self.outcome,
            "attributes": [list(one) for one in self.attributes],
            "references": dict(self.references),
            "metrics": list(self.metrics),
            "margins": {
                name: {"difference": _text(one.difference), "ratio": _text(one.ratio)}
                for name, one in self.margins.items()
            },
            "minimum_n": self.minimum_n,
            "level": decimal_text(self.level),
            "replicates": self.replicates,
            "threshold": _text(self.threshold),
            "tolerance": _text(self.tolerance),
            "costs": None
            if costs is None
            else {
                "false_positive": decimal_text(costs.false_positive),
                "false_negative": decimal_text(costs.false_negative),
            },
            "policies": [{"name": one.name, "column": one.column} for one in self.policies],
            "mitigations": [one.as_record() for one in self.mitigations],
        }


def known_metrics(outcome: OutcomeKind) -> tuple[str, ...]:
    """Return the metrics that an outcome can have."""
    if outcome == "dose":
        return (*DOSE_METRICS, *DOSE_ERRORS)
    return (*DECISION_METRICS, ERROR_COST, EQUALISED_ODDS, *PROBABILITY_METRICS)


def name_of(attributes: tuple[str, ...]) -> str:
    """Return how a partition is named: "race & sex"."""
    return " & ".join(attributes)


def malformed(member: str, fault: str) -> ProtocolMalformed:
    """Return the refusal of a protocol, naming the member."""
    return ProtocolMalformed(
        f"member {member!r}: {fault}", next_step="Correct the protocol before it is frozen."
    )


def parse(record: Mapping[str, Json]) -> FairnessProtocol:
    """Return the protocol of a record; ProtocolMalformed names the member at fault."""
    _exact(record, MEMBERS, where="")
    outcome = record["outcome"]
    if outcome not in get_args(OutcomeKind):
        raise malformed("outcome", "is decision or dose")
    costs = record["costs"]
    return FairnessProtocol(
        outcome=cast(OutcomeKind, outcome),
        attributes=tuple(_texts(one, "attributes") for one in _list(record, "attributes")),
        references={
            name: _string(value, "references")
            for name, value in _mapping(record["references"], "references").items()
        },
        metrics=_texts(record["metrics"], "metrics"),
        margins={
            name: _margin(value) for name, value in _mapping(record["margins"], "margins").items()
        },
        minimum_n=_whole(record, "minimum_n"),
        level=_number(record["level"], "level"),
        replicates=_whole(record, "replicates"),
        threshold=_maybe(record["threshold"], "threshold"),
        tolerance=_maybe(record["tolerance"], "tolerance"),
        costs=None if costs is None else _costs(_mapping(costs, "costs")),
        policies=tuple(_policy(one) for one in _list(record, "policies")),
        mitigations=tuple(_mitigation(one) for one in _list(record, "mitigations")),
    )


def _margin(value: Json) -> Margin:
    given = _mapping(value, "margins")
    _exact(given, ("difference", "ratio"), where="margins.")
    return Margin(
        difference=_maybe(given["difference"], "margins.difference"),
        ratio=_maybe(given["ratio"], "margins.ratio"),
    )


def _costs(given: Mapping[str, Json]) -> Costs:
    _exact(given, ("false_positive", "false_negative"), where="costs.")
    found = Costs(
        false_positive=_number(given["false_positive"], "costs.false_positive"),
        false_negative=_number(given["false_negative"], "costs.false_negative"),
    )
    if min(found.false_positive, found.false_negative) <= 0:
        raise malformed("costs", "are above 0: an error that costs nothing is none")
    return found


def _policy(value: Json) -> Policy:
    given = _mapping(value, "policies")
    _exact(given, ("name", "column"), where="policies.")
    return Policy(
        name=_string(given["name"], "policies.name"),
        column=_string(given["column"], "policies.column"),
    )


def _mitigation(value: Json) -> Mitigation:
    given = _mapping(value, "mitigations")
    kind = given.get("kind")
    own = {
        "reweighting": ("features",),
        "threshold": ("constraint", "objective"),
        "calibration": ("method",),
    }
    if not isinstance(kind, str) or kind not in own:
        raise malformed("mitigations.kind", f"is one of {', '.join(own)}")
    _exact(given, ("kind", "attributes", *own[kind]), where="mitigations.")
    choices = {"constraint": CONSTRAINTS, "objective": OBJECTIVES, "method": CALIBRATIONS}
    chosen: dict[str, str | None] = dict.fromkeys(choices)
    for name in own[kind]:
        if name in choices:
            chosen[name] = _string(given[name], f"mitigations.{name}")
            if chosen[name] not in choices[name]:
                raise malformed(f"mitigations.{name}", f"is one of {', '.join(choices[name])}")
    attributes = _texts(given["attributes"], "mitigations.attributes")
    features = _texts(given.get("features", []), "mitigations.features")
    if not attributes or (kind == "reweighting" and not features):
        raise malformed("mitigations", "name attributes, and features where a learner is fitted")
    return Mitigation(
        kind=cast(MitigationKind, kind),
        attributes=attributes,
        features=features,
        constraint=chosen["constraint"],
        objective=chosen["objective"],
        method=chosen["method"],
    )


def _exact(given: Mapping[str, Json], names: tuple[str, ...], *, where: str) -> None:
    for name in sorted(set(given) - set(names)):
        raise malformed(where + name, "is not known")
    for name in sorted(set(names) - set(given)):
        raise malformed(where + name, "is missing")


def _mapping(value: Json, name: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise malformed(name, "is a mapping")
    return value


def _list(record: Mapping[str, Json], name: str) -> list[Json]:
    value = record[name]
    if not isinstance(value, list):
        raise malformed(name, "is a list")
    return value


def _string(value: Json, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise malformed(name, "is a text")
    return value


def _texts(value: Json, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise malformed(name, "is a list of names")
    return tuple(_string(one, name) for one in value)


def _whole(record: Mapping[str, Json], name: str) -> int:
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise malformed(name, "is a whole number")
    return value


def _maybe(value: Json, name: str) -> float | None:
    return None if value is None else _number(value, name)


def _number(value: Json, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise malformed(name, "is a number, written as decimal text")
    try:
        number = float(value)
    except ValueError as error:
        raise malformed(name, "is a number, written as decimal text") from error
    if not math.isfinite(number):
        raise malformed(name, "is a finite number")
    return number


def _text(x: float | None) -> str | None:
    return None if x is None else decimal_text(x)
