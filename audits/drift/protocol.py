"""The protocol of a drift audit: everything that decides, fixed before the data are opened (P4).

Definition: which columns are compared, by which methods, against which limits, at which level and
    with which correction for their number; which further questions are asked.
Formula: none; `parse(protocol.as_record()) == protocol`.
Source: the house rules that rules come before results (P4) and that no method is a default of ours.
Assumptions: none.
Failure modes: a member that is unknown, missing or contradicts another is refused with its name.
Cost: constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypeVar, cast, get_args

from audits.drift.applicability import Strangeness
from audits.drift.distances import VERSIONS
from audits.drift.late_labels import Influence, Lateness
from audits.drift.two_sample import Learner
from audits.errors import ProtocolMalformed
from audits.estimate import Json, decimal_text

Multiplicity: TypeAlias = Literal["bonferroni", "none"]

T = TypeVar("T")
DAY_US: Final = 86_400_000_000
REPLICATES: Final = (200, 20_000)
MAX_COLUMNS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoSample:
    """The classifier two-sample test: learner, folds, rows a side at most."""

    learner: Learner
    folds: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicability:
    """The share outside: the score, and the quantile of the reference that is its boundary."""

    kind: Strangeness
    quantile: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutLabels:
    """Performance without labels: by how much calibration may be off, and the resamples."""

    delta: float
    replicates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Late labels: times, maturity and windows, the influence rule, and the resamples."""

    lateness: Lateness
    replicates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftProtocol:
    """How the audit is run.

    `columns`: names of numbers and categories, `score` and `decision` for prediction drift.
    `limits`: by method the distance that a column may have; the methods named there are the ones
    used. `missing_limit`: the change in missingness, either way, that it may have.
    `level`: of the intervals, all columns and methods together under `bonferroni`.
    """

    columns: tuple[str, ...]
    limits: Mapping[str, float]
    missing_limit: float
    bins: int
    level: float
    multiplicity: Multiplicity
    two_sample: TwoSample | None = None
    applicability: Applicability | None = None
    without_labels: WithoutLabels | None = None
    late_labels: Late | None = None

    def __post_init__(self) -> None:
        fault = self._fault()
        if fault:
            raise malformed(fault)

    def _fault(self) -> str:
        if not 1 <= len(self.columns) <= MAX_COLUMNS or len(set(self.columns)) < len(self.columns):
            return f"`columns` names one to {MAX_COLUMNS} columns, each once"
        if not self.limits or set(self.limits) - set(VERSIONS):
            return f"`limits` names some of {', '.join(VERSIONS)}"
        if not all(math.isfinite(x) and x > 0 for x in self.limits.values()):
            return "`limits` are above zero"
        if not 0.0 < self.missing_limit <= 1.0:
            return "`missing_limit` lies above 0 and is at most 1"
        if not 2 <= self.bins <= 100:
            return "`bins` lies between 2 and 100"
        if not 0.5 <= self.level < 1.0:
            return "`level` lies between 0.5 and 1"
        if self.multiplicity not in get_args(Multiplicity):
            return f"`multiplicity` is one of {', '.join(get_args(Multiplicity))}"
        return self._fault_of_parts()

    def _fault_of_parts(self) -> str:
        one = self.two_sample
        if one and (one.learner not in get_args(Learner) or not 2 <= one.folds <= 20):
            return "`two_sample` has a learner, logistic or boosting, and 2 to 20 folds"
        if one and not 100 <= one.rows <= 10**6:
            return "`two_sample` has 100 to 1,000,000 rows a side"
        two = self.applicability
        if two and (two.kind not in get_args(Strangeness) or not 0.5 <= two.quantile < 1):
            return "`applicability` is mahalanobis or isolation, with a quantile from 0.5 to 1"
        replicates = [x.replicates for x in (self.without_labels, self.late_labels) if x]
        if not all(REPLICATES[0] <= x <= REPLICATES[1] for x in replicates):
            return f"`replicates` lies between {REPLICATES[0]} and {REPLICATES[1]}"
        if self.without_labels and not 0 <= self.without_labels.delta < 1:
            return "`delta` lies from 0 to 1"
        late = self.late_labels.lateness if self.late_labels else None
        if late and (late.maturity_us < 0 or late.window_us < 1 or not 0 < late.complete <= 1):
            return "`late_labels` has a maturity, a window and a share that is complete"
        return ""

    @property
    def comparisons(self) -> int:
        """How many intervals hold together."""
        return len(self.columns) * (len(self.limits) + 1)

    @property
    def column_level(self) -> float:
        """The level of each interval of a column."""
        if self.multiplicity == "none":
            return self.level
        return 1.0 - (1.0 - self.level) / self.comparisons

    def as_record(self) -> dict[str, Json]:
        """Return the protocol in the JSON domain, numbers as decimal text."""
        return {
            "columns": list(self.columns),
            "limits": {name: decimal_text(x) for name, x in sorted(self.limits.items())},
            "missing_limit": decimal_text(self.missing_limit),
            "bins": self.bins,
            "level": decimal_text(self.level),
            "multiplicity": self.multiplicity,
            "two_sample": _two_sample_record(self.two_sample),
            "applicability": _applicability_record(self.applicability),
            "without_labels": _without_labels_record(self.without_labels),
            "late_labels": _late_record(self.late_labels),
        }


def parse(record: Mapping[str, Json]) -> DriftProtocol:
    """Return the protocol as written. Raises ProtocolMalformed naming what is wrong."""
    top = _members(
        record,
        "the protocol",
        [
            "columns",
            "limits",
            "missing_limit",
            "bins",
            "level",
            "multiplicity",
            "two_sample",
            "applicability",
            "without_labels",
            "late_labels",
        ],
    )
    columns, limits = top["columns"], top["limits"]
    if not isinstance(columns, list) or not all(isinstance(x, str) and x for x in columns):
        raise malformed("`columns` is a list of names")
    if not isinstance(limits, Mapping):
        raise malformed("`limits` gives a limit by method")
    return DriftProtocol(
        columns=tuple(cast("list[str]", columns)),
        limits={str(name): _number(x, "limits") for name, x in limits.items()},
        missing_limit=_number(top["missing_limit"], "missing_limit"),
        bins=_whole(top["bins"], "bins"),
        level=_number(top["level"], "level"),
        multiplicity=cast("Multiplicity", top["multiplicity"]),
        two_sample=_optional(top["two_sample"], _read_two_sample),
        applicability=_optional(top["applicability"], _read_applicability),
        without_labels=_optional(top["without_labels"], _read_without_labels),
        late_labels=_optional(top["late_labels"], _read_late),
    )


def malformed(fault: str) -> ProtocolMalformed:
    """Return the refusal of a protocol."""
    return ProtocolMalformed(fault, next_step="Correct the protocol before it is frozen.")


def _two_sample_record(one: TwoSample | None) -> dict[str, Json] | None:
    return None if one is None else {"learner": one.learner, "folds": one.folds, "rows": one.rows}


def _read_two_sample(record: object) -> TwoSample:
    found = _members(record, "`two_sample`", ["learner", "folds", "rows"])
    return TwoSample(
        learner=cast("Learner", found["learner"]),
        folds=_whole(found["folds"], "folds"),
        rows=_whole(found["rows"], "rows"),
    )


def _applicability_record(one: Applicability | None) -> dict[str, Json] | None:
    return None if one is None else {"kind": one.kind, "quantile": decimal_text(one.quantile)}


def _read_applicability(record: object) -> Applicability:
    found = _members(record, "`applicability`", ["kind", "quantile"])
    return Applicability(
        kind=cast("Strangeness", found["kind"]), quantile=_number(found["quantile"], "quantile")
    )


def _without_labels_record(one: WithoutLabels | None) -> dict[str, Json] | None:
    if one is None:
        return None
    return {"delta": decimal_text(one.delta), "replicates": one.replicates}


def _read_without_labels(record: object) -> WithoutLabels:
    found = _members(record, "`without_labels`", ["delta", "replicates"])
    return WithoutLabels(
        delta=_number(found["delta"], "delta"),
        replicates=_whole(found["replicates"], "replicates"),
    )


def _late_record(one: Late | None) -> dict[str, Json] | None:
    if one is None:
        return None
    late = one.lateness
    return {
        "predicted": late.predicted,
        "known": late.known,
        "cut_us": late.cut_us,
        "maturity_days": decimal_text(late.maturity_us / DAY_US),
        "window_days": decimal_text(late.window_us / DAY_US),
        "complete": decimal_text(late.complete),
        "influence": late.influence.value,
        "replicates": one.replicates,
    }


def _read_late(record: object) -> Late:
    found = _members(
        record,
        "`late_labels`",
        [
            "predicted",
            "known",
            "cut_us",
            "maturity_days",
            "window_days",
            "complete",
            "influence",
            "replicates",
        ],
    )
    names = found["predicted"], found["known"]
    if not all(isinstance(name, str) and name for name in names):
        raise malformed("`predicted` and `known` are names of times")
    influence = found["influence"]
    if influence not in {one.value for one in Influence}:
        raise malformed(f"`influence` is one of {', '.join(Influence)}")
    return Late(
        lateness=Lateness(
            predicted=str(names[0]),
            known=str(names[1]),
            cut_us=_whole(found["cut_us"], "cut_us"),
            maturity_us=round(_number(found["maturity_days"], "maturity_days") * DAY_US),
            window_us=round(_number(found["window_days"], "window_days") * DAY_US),
            complete=_number(found["complete"], "complete"),
            influence=Influence(str(influence)),
        ),
        replicates=_whole(found["replicates"], "replicates"),
    )


def _optional(value: object, read: Callable[[object], T]) -> T | None:
    return None if value is None else read(value)


def _members(record: object, what: str, wanted: list[str]) -> Mapping[str, object]:
    if not isinstance(record, Mapping):
        raise malformed(f"{what} has members by name")
    odd = [f"unknown `{name}`" for name in sorted(set(map(str, record)) - set(wanted))]
    odd += [f"missing `{name}`" for name in wanted if name not in record]
    if odd:
        raise malformed(f"{what}: {', '.join(odd)}")
    return record


def _number(x: object, member: str) -> float:
    """Return a number that comes as decimal text or whole."""
    if isinstance(x, bool) or not isinstance(x, int | str):
        raise malformed(f"`{member}` is a number as decimal text")
    try:
        found = float(x)
    except ValueError as error:
        raise malformed(f"`{member}` is a number as decimal text") from error
    if not math.isfinite(found):
        raise malformed(f"`{member}` is finite")
    return found


def _whole(x: object, member: str) -> int:
    if isinstance(x, bool) or not isinstance(x, int):
        raise malformed(f"`{member}` is a whole number")
    return x
