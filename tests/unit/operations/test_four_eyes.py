"""Nobody decides on what they made, wherever they had a hand in it (P6)."""

from __future__ import annotations

from typing import Any

import pytest

from change_control.errors import ApprovalMissing, FourEyes, WrongRole
from governance.errors import Conflict
from governance.registry.records import Document, Hold, Release, Version
from tests.support.small_deployment import (
    EVERYWHERE,
    MODEL,
    OTHER_SITE,
    SITE,
    VERSION,
    Small,
    document_text,
)

MONITOR = "error-h02"
WHY = "It was looked into"


def run(home: Small, version: str, *, by: str = "mo") -> dict[str, Any]:
    return home.perform(
        by, "change.run", version=version, modification="refit", summary="A later fit"
    )


def lift(home: Small, who: str, hold: str) -> Any:
    return home.signed(who, "hold.lift", hold=hold, reason=WHY)


def suspend(home: Small, *, by: str = "sam", version: str | None = None) -> str:
    placed = home.perform(
        by,
        "hold.place",
        model=MODEL,
        version=version,
        scope=EVERYWHERE,
        cause="safety.signal",
        reason="A report came in",
    )
    return str(placed["hold"])


def fire(home: Small, scope: str = EVERYWHERE) -> dict[str, Any]:
    """Let the monitor fire and return its line about the release in `scope`."""
    home.compute.fires = frozenset({MONITOR})
    runs = home.perform("sam", "monitor.run", model=MODEL)["runs"]
    with home.deployment.reader() as reader:
        return next(
            one
            for one in runs
            if one["hold"] and reader.require(Release, one["release"]).scope == scope
        )


# --- changes -------------------------------------------------------------------------------------


def test_who_trained_a_version_does_not_approve_the_request_that_somebody_else_opened(
    home: Small,
) -> None:
    change = run(home, home.candidate(by="olga"), by="mo")
    with pytest.raises(FourEyes):
        home.decide("olga", change["review"])
    with home.deployment.reader() as reader:
        assert reader.require(Version, change["version"]).state == "candidate"
    assert home.decide("rea", change["review"])["state"] == "decided"


def test_who_asked_for_a_change_does_not_approve_it_either(home: Small) -> None:
    change = run(home, home.candidate(by="mo"), by="olga")
    with pytest.raises(FourEyes):
        home.decide("olga", change["review"])


def test_the_console_offers_no_approval_to_who_trained_the_version(home: Small) -> None:
    change = run(home, home.candidate(by="olga"), by="mo")
    shown = home.perform("olga", "review.show", review=change["review"])
    assert "approve" in shown["refusals"]
    assert "approve" not in shown["may_decide"]


# --- holds ---------------------------------------------------------------------------------------


def test_a_hold_on_every_version_is_not_lifted_by_who_trained_any_of_them(home: Small) -> None:
    home.candidate(by="olga")
    hold = suspend(home)
    with pytest.raises(FourEyes):
        lift(home, "olga", hold)
    lift(home, "rea", hold)
    with pytest.raises(FourEyes):
        lift(home, "olga", hold)


def test_a_hold_on_one_version_leaves_who_trained_another_free_to_lift_it(home: Small) -> None:
    home.candidate(by="olga")
    hold = suspend(home, version=VERSION)
    assert lift(home, "olga", hold)["state"] == "lift_signed"


@pytest.mark.parametrize("version", [None, VERSION])
def test_who_placed_a_hold_does_not_lift_it(home: Small, version: str | None) -> None:
    hold = suspend(home, by="sam", version=version)
    with pytest.raises(FourEyes):
        lift(home, "sam", hold)
    lift(home, "rea", hold)
    assert lift(home, "reg", hold)["state"] == "lifted"


def test_what_a_review_keeps_suspended_is_lifted_later_by_two_people(home: Small) -> None:
    found = fire(home)
    with pytest.raises(Conflict, match="nobody has decided"):
        lift(home, "rea", found["hold"])
    home.decide("rea", found["review"], "keep_suspended", reason=WHY)
    assert lift(home, "rea", found["hold"])["state"] == "lift_signed"
    with pytest.raises(FourEyes):
        lift(home, "rea", found["hold"])
    assert lift(home, "reg", found["hold"])["state"] == "lifted"


def test_a_first_signature_in_the_review_is_not_completed_beside_it(home: Small) -> None:
    found = fire(home)
    home.decide("rea", found["review"], "reinstate", reason=WHY)
    with pytest.raises(Conflict, match="nobody has decided"):
        lift(home, "reg", found["hold"])
    with home.deployment.reader() as reader:
        assert reader.require(Hold, found["hold"]).state == "lift_signed"


# --- retiring ------------------------------------------------------------------------------------


def test_a_role_at_one_site_retires_no_version_that_serves_elsewhere(home: Small) -> None:
    version = home.approved_version()
    for scope in (SITE, OTHER_SITE):
        home.release(version, scope=scope)
    found = fire(home, SITE)
    shown = home.perform("sita", "review.show", review=found["review"])
    assert "retire" in shown["refusals"]
    assert "keep_suspended" in shown["may_decide"], "over the hold's own place the role suffices"
    with pytest.raises(WrongRole):
        home.decide("sita", found["review"], "retire", reason=WHY)
    with home.deployment.reader() as reader:
        assert reader.require(Version, version).state == "qualified"
        assert {one.state for one in reader.find(Release, version=version)} == {"active"}


def test_a_role_everywhere_retires_a_version_and_ends_its_releases(home: Small) -> None:
    version = home.approved_version()
    for scope in (SITE, OTHER_SITE):
        home.release(version, scope=scope)
    home.decide("sam", fire(home, SITE)["review"], "retire", reason=WHY)
    with home.deployment.reader() as reader:
        assert reader.require(Version, version).state == "retired"
        ended = reader.find(Release, version=version)
        assert {one.state for one in ended} == {"rolled_back"}
        assert all(one.ended_us is not None for one in ended)
        (other,) = reader.find(Release, version=VERSION)
        assert other.state == "active"


# --- how many approve ----------------------------------------------------------------------------


def standard(home: Small) -> None:
    """Bring an entry into force whose tier asks for two people."""
    text = document_text("entry").replace("consequence: medium", "consequence: high")
    review = home.register("entry", text=text)["review"]
    home.decide("rea", review, "endorse")
    home.decide("reg", review)
    with home.deployment.reader() as reader:
        assert reader.find(Document, kind="entry", state="in_force")[0].number == 2


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("entry", "Rated as the oncology forecast is", "Rated as low as it goes"),
        ("plan", "Changes to the demonstration", "Other changes to the demonstration"),
        ("monitoring", "Watch over the demonstration", "Another watch over the demonstration"),
    ],
)
def test_a_lighter_entry_that_only_waits_lowers_no_number_of_approvers(
    home: Small, kind: str, old: str, new: str
) -> None:
    standard(home)
    lighter = document_text("entry").replace("The two classes in the package", "Two classes")
    home.register("entry", text=lighter)
    text = document_text(kind).replace(old, new)
    review = home.register(kind, text=text)["review"]
    with pytest.raises(ApprovalMissing):
        home.decide("rea", review)
    home.decide("rea", review, "endorse")
    assert home.decide("reg", review)["state"] == "decided"


def test_a_heavier_entry_takes_two_people_although_a_light_one_is_in_force(home: Small) -> None:
    text = document_text("entry").replace("consequence: medium", "consequence: high")
    review = home.register("entry", text=text)["review"]
    with pytest.raises(ApprovalMissing):
        home.decide("rea", review)
