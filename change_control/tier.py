"""The assurance tier: how much ceremony a model needs, computed from its entry and explained.

Regime, influence and consequence decide, nothing else: a device is always in the device tier; a
trial or safety-reporting model is at least standard; of the rest those are standard whose influence
and consequence together are more than medium. The tier sets the controls, and the applicability
statement gives for every control the reason why it does or does not apply. A control that does not
apply is listed too: a reader must not have to guess what was left out.

The statement names clauses it provides evidence for. It claims no compliance (P16).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from audits.estimate import Json
from models.entry import Consequence, Entry, Influence, Regime


class AssuranceTier(StrEnum):
    """How much assurance a model needs, in rising order."""

    LIGHT = "light"
    STANDARD = "standard"
    DEVICE = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What a tier asks for. `approvers` counts different people, the author never among them."""

    approvers: int
    sequestered_test_data: bool
    shadow_mode: bool
    trend_monitors: bool
    reporting_clocks: bool


class Control(StrEnum):
    """The controls an applicability statement speaks about."""

    CHANGE_PLAN = "change_plan"
    FOUR_EYES = "four_eyes"
    SECOND_APPROVER = "second_approver"
    TEMPORAL_VALIDATION = "temporal_validation"
    SEQUESTERED_TEST_DATA = "sequestered_test_data"
    SUBGROUP_AUDIT = "subgroup_audit"
    SHADOW_MODE = "shadow_mode"
    MONITORING = "monitoring"
    TREND_MONITORS = "trend_monitors"
    DEVICE_CLOCKS = "device_clocks"
    SAFETY_REPORT_CLOCKS = "safety_report_clocks"
    RELEASE_PRECONDITIONS = "release_preconditions"
    SUBJECT_ERASURE = "subject_erasure"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlApplicability:
    """Whether one control applies, why, and the clause it provides evidence for ("" if none)."""

    control: Control
    applies: bool
    reason: str
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicabilityStatement:
    """The tier, why it is that one, and every control with its reason."""

    model: str
    tier: AssuranceTier
    reason: str
    controls: tuple[ControlApplicability, ...]

    def as_record(self) -> dict[str, Json]:
        """Return the statement in the JSON domain."""
        return {
            "model": self.model,
            "tier": self.tier.value,
            "reason": self.reason,
            "controls": [
                {
                    "control": item.control.value,
                    "applies": item.applies,
                    "reason": item.reason,
                    "clause": item.clause,
                }
                for item in self.controls
            ],
        }


_CONTROLS: Final[Mapping[AssuranceTier, Controls]] = MappingProxyType(
    {
        AssuranceTier.LIGHT: Controls(
            approvers=1,
            sequestered_test_data=False,
            shadow_mode=False,
            trend_monitors=False,
            reporting_clocks=False,
        ),
        AssuranceTier.STANDARD: Controls(
            approvers=2,
            sequestered_test_data=True,
            shadow_mode=False,
            trend_monitors=True,
            reporting_clocks=False,
        ),
        AssuranceTier.DEVICE: Controls(
            approvers=2,
            sequestered_test_data=True,
            shadow_mode=True,
            trend_monitors=True,
            reporting_clocks=True,
        ),
    }
)

_WEIGHT: Final[Mapping[Influence | Consequence, int]] = MappingProxyType(
    {
        Influence.LOW: 0,
        Influence.MEDIUM: 1,
        Influence.HIGH: 2,
        Consequence.LOW: 0,
        Consequence.MEDIUM: 1,
        Consequence.HIGH: 2,
    }
)


def tier_from(
    *, regime: Regime, influence: Influence, consequence: Consequence
) -> tuple[AssuranceTier, str]:
    """Return the tier of this combination and the sentence that explains it."""
    risk = f"influence {influence} and consequence {consequence}"
    if regime is Regime.DEVICE:
        return AssuranceTier.DEVICE, f"the regime is a device; {risk} cannot lower that"
    if regime in {Regime.GCP, Regime.GVP}:
        return AssuranceTier.STANDARD, f"the regime {regime} asks for standard whatever the risk"
    if _WEIGHT[influence] + _WEIGHT[consequence] > 2:
        return AssuranceTier.STANDARD, f"{risk} are together more than medium"
    return AssuranceTier.LIGHT, f"{risk} are together at most medium, and no device is involved"


def tier_of(entry: Entry) -> AssuranceTier:
    """Return the assurance tier of a registry entry."""
    return _tier(entry)[0]


def controls_of(tier: AssuranceTier) -> Controls:
    """Return what a tier asks for."""
    return _CONTROLS[tier]


def applicability(entry: Entry) -> ApplicabilityStatement:
    """Return the applicability statement: every control, whether it applies, and why."""
    tier, reason = _tier(entry)
    return ApplicabilityStatement(
        model=entry.name,
        tier=tier,
        reason=reason,
        controls=tuple(
            ControlApplicability(control=control, applies=applies, reason=why, clause=clause)
            for control, clause, rule in _RULES
            for applies, why in [rule(entry, tier)]
        ),
    )


def _tier(entry: Entry) -> tuple[AssuranceTier, str]:
    return tier_from(regime=entry.regime, influence=entry.influence, consequence=entry.consequence)


_Answer = tuple[bool, str]
_ControlRule = Callable[[Entry, AssuranceTier], _Answer]


def _always(why: str) -> _ControlRule:
    return lambda _entry, _tier: (True, why)


def _by_tier(asks: Callable[[Controls], bool]) -> _ControlRule:
    def rule(_entry: Entry, tier: AssuranceTier) -> _Answer:
        applies = asks(controls_of(tier))
        return applies, f"the {tier} tier {'asks' if applies else 'does not ask'} for it"

    return rule


def _by_regime(regime: Regime) -> _ControlRule:
    def rule(entry: Entry, _tier: AssuranceTier) -> _Answer:
        applies = entry.regime is regime
        return applies, f"the regime is {entry.regime}" + ("" if applies else f", not {regime}")

    return rule


def _subgroups(entry: Entry, _tier: AssuranceTier) -> _Answer:
    names = ", ".join(attribute.name for attribute in entry.subgroups.attributes)
    if names:
        return True, f"the entry compares {names}"
    return False, entry.subgroups.reason_none or "the entry names no attribute"


def _preconditions(entry: Entry, _tier: AssuranceTier) -> _Answer:
    if entry.preconditions:
        kinds = sorted({precondition.kind for precondition in entry.preconditions})
        return True, f"the entry asks for {', '.join(kinds)}"
    return False, "the entry names no record that must be unexpired before release"


def _erasure(entry: Entry, _tier: AssuranceTier) -> _Answer:
    if entry.use.rows_are_about_people:
        return True, "rows are about people, so answers are erasable with their subject"
    return False, "rows are about no person"


_RULES: Final[tuple[tuple[Control, str, _ControlRule], ...]] = (
    (Control.CHANGE_PLAN, "PCCP VI-VII", _always("every model changes under a plan (P4)")),
    (Control.FOUR_EYES, "21 CFR 11.10(g)", _always("nobody approves their own work (P6)")),
    (Control.SECOND_APPROVER, "", _by_tier(lambda controls: controls.approvers > 1)),
    (Control.TEMPORAL_VALIDATION, "", _always("every number respects time (P9)")),
    (
        Control.SEQUESTERED_TEST_DATA,
        "PCCP VII",
        _by_tier(lambda controls: controls.sequestered_test_data),
    ),
    (Control.SUBGROUP_AUDIT, "PCCP VII", _subgroups),
    (Control.SHADOW_MODE, "", _by_tier(lambda controls: controls.shadow_mode)),
    (Control.MONITORING, "", _always("every release is watched (P10, P12)")),
    (Control.TREND_MONITORS, "", _by_tier(lambda controls: controls.trend_monitors)),
    (Control.DEVICE_CLOCKS, "21 CFR 803, 806", _by_regime(Regime.DEVICE)),
    (Control.SAFETY_REPORT_CLOCKS, "21 CFR 314.80", _by_regime(Regime.GVP)),
    (Control.RELEASE_PRECONDITIONS, "", _preconditions),
    (Control.SUBJECT_ERASURE, "GDPR Art 17", _erasure),
)
