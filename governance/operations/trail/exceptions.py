"""Which entries of a range need a word, and why: the exceptions that a trail review lists.

Nobody reads a million answers. A review is of the acts, of the counts, and of what is out of the
ordinary: refused and withheld answers, over-rides, failed passwords, a clock that went back,
changes of trust, silence, and what administrators did when nobody was there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from audits.estimate import Json
from governance.clock import MICROSECONDS
from governance.home import TrailReviewConfig

_ALWAYS: Final[Mapping[str, str]] = {
    "clock.skew": "the wall clock went back",
    "session.refused": "a sign-in failed",
    "person.password_reset": "somebody's password was set by an administrator",
    "hold.lifted": "a suspension was lifted",
    "legal_hold.lifted": "a legal hold was lifted",
    "release.ended": "a release was ended early",
    "ledger.policy_changed": "the trust policy was changed",
    "monitor.overdue": "a monitor's run did not come",
    "trail.overdue": "the trail was not reviewed in time",
    "trail.review_withdrawn": "a review of the trail was withdrawn",
    "tally.exported": "counts of a site left the deployment",
    "trail.exported": "a part of the trail left the deployment",
}
# Families of which every entry changes what the record rests on.
_FAMILIES: Final[Mapping[str, str]] = {
    "key": "a key was changed",
    "log": "the log was closed or continued",
    "subject": "data of a subject were erased or kept from erasure",
}
_ADMINISTRATION: Final = frozenset({"person", "role", "client", "ledger"})
_OWN_ACTS: Final = frozenset({"person.password_changed", "ledger.genesis"})
_SATURDAY: Final = 5


def why_exceptional(
    kind: str, facts: Mapping[str, Json], t_us: int, office: TrailReviewConfig
) -> str | None:
    """Return why the entry needs a word, None where it needs none."""
    family = kind.partition(".")[0]
    told = _ALWAYS.get(kind) or _FAMILIES.get(family)
    if told is not None:
        return told
    special = _BY_FACTS.get(kind)
    told = None if special is None else special(facts)
    if told is None and family in _ADMINISTRATION and kind not in _OWN_ACTS:
        told = None if _in_office(t_us, office) else "an administrator's act outside office hours"
    return told


def _refused(facts: Mapping[str, Json]) -> str:
    return f"an answer was refused: {_codes(facts)}"


def _withheld(facts: Mapping[str, Json]) -> str:
    return f"an answer was withheld: {_codes(facts)}"


def _ended(facts: Mapping[str, Json]) -> str | None:
    failed = facts.get("reason") == "failed_passwords"
    return "sessions were ended after failed passwords" if failed else None


def _decided(facts: Mapping[str, Json]) -> str | None:
    return "a finding was over-ridden" if facts.get("decision") == "reinstate" else None


_BY_FACTS: Final[Mapping[str, Callable[[Mapping[str, Json]], str | None]]] = {
    "inference.refused": _refused,
    "inference.withheld": _withheld,
    "session.ended": _ended,
    "review.decided": _decided,
}


def _codes(facts: Mapping[str, Json]) -> str:
    reasons = facts.get("reasons")
    return ", ".join(map(str, reasons)) if isinstance(reasons, list) else "no reason is recorded"


def _in_office(t_us: int, office: TrailReviewConfig) -> bool:
    moment = datetime.fromtimestamp(t_us // MICROSECONDS, UTC)
    return moment.weekday() < _SATURDAY and office.office_from <= moment.hour < office.office_to
