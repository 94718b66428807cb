"""What a change is, by the computed difference and never by what its author declares (P5).

The shell computes which components differ between candidate and baseline and whether the use
differs; this function says what the plan makes of that (PCCP-POST-01). Only `in_plan` may be
approved without a signed regulatory assessment.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from change_control.change.plan import ChangePlan
from change_control.change.plan_parts import Component
from change_control.change.request import ChangeClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """The class of a change and the sentences that explain it."""

    change_class: ChangeClass
    reasons: tuple[str, ...]


def classify(
    plan: ChangePlan,
    *,
    modification: str,
    differing: AbstractSet[Component],
    use_differs: bool,
) -> Classification:
    """Return what the plan makes of a change that cites `modification`.

    outside_plan: the use differs, the plan has no such modification, or a component differs that no
    modification may change. deviation: a component differs that only another modification may.
    """
    cited = plan.modification(modification)
    in_any = {part for item in plan.planned_modifications for part in item.mutable_components}
    outside = ["the intended use or context of use differs"] if use_differs else []
    if cited is None:
        outside.append(f"the plan has no modification {modification}")
    outside += [f"no modification may change {part}" for part in sorted(differing - in_any)]
    if outside or cited is None:
        return Classification(change_class=ChangeClass.OUTSIDE_PLAN, reasons=tuple(outside))
    beyond = sorted(differing - set(cited.mutable_components))
    if beyond:
        return Classification(
            change_class=ChangeClass.DEVIATION,
            reasons=tuple(f"{modification} may not change {part}" for part in beyond),
        )
    return Classification(
        change_class=ChangeClass.IN_PLAN,
        reasons=(f"every difference is one that {modification} may make",),
    )
