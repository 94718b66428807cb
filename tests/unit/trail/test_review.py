"""A range of the trail is signed by somebody who did not act in it, without gap or overlap."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from change_control.errors import FourEyes, ReasonMissing, TransitionRefused, WrongRole
from change_control.roles import Role
from governance.errors import Conflict, Forbidden, InvalidInput
from governance.ledger.core.errors import LedgerTampered
from governance.operations.signing import SignatureRefused
from governance.registry.records import Signature, TrailReview
from tests.support.small_deployment import (
    DAY_US,
    EVERYWHERE,
    Small,
    TickingClock,
    admit,
    password_of,
)
from tests.unit.trail.traffic import answer

WHY = "Every exception was looked into"


@pytest.fixture
def staffed(home: Small) -> Small:
    """Add a reviewer who did nothing but choose a password."""
    admit(home, "ines", ((Role.REVIEWER, EVERYWHERE),))
    return home


def opened(home: Small, who: str = "rea", **params: Any) -> dict[str, Any]:
    return home.perform(who, "trail_review.open", **params)


def sign(home: Small, who: str, review: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {
        "review": review["review"], "decision": "accepted", "reason": WHY,
        "record_digest": review["digest"], "password": password_of(who), **more,
    }  # fmt: skip
    return home.perform(who, "trail_review.sign", **given)


def shown(home: Small, who: str, review: str = "T-1") -> dict[str, Any]:
    return home.perform(who, "trail_review.show", review=review)


# --- what is reviewed ----------------------------------------------------------------------------


def test_a_review_shows_counts_and_exceptions_and_not_every_answer(staffed: Small) -> None:
    home = staffed
    for code in (None, None, None, "gate.suspended"):
        answer(home, refused=code)
    home.signed("sam", "release.roll_back", release="REL-1")
    home.perform("ada", "person.reset_password", person="nils", password="something else again")
    opened(home)
    page = shown(home, "rea")
    assert page["kinds"]["inference.answered"] == 3
    assert {(one["kind"], one["count"]) for one in page["answers"]} == {
        ("inference.answered", 3), ("inference.refused", 1),
    }  # fmt: skip
    listed = {one["kind"]: one["why"] for one in page["exceptions"]}
    assert "inference.refused" not in listed, "counted by its reason"
    assert "an answer was refused: gate.suspended" in [one["why"] for one in page["exceptional"]]
    assert "ended early" in listed["release.ended"]
    assert "administrator" in listed["person.password_reset"]
    assert "inference.answered" not in listed
    assert page["exceptions_counted"] == len(page["exceptions"]) + 1 == 3


def test_what_an_administrator_did_at_night_is_an_exception(
    home: Small, clock: TickingClock
) -> None:
    seconds_of_day = clock.now_us() // 1_000_000 % 86_400
    clock.advance(seconds=86_400 - seconds_of_day + 2 * 3_600)  # two in the morning
    home.perform("ada", "person.disable", person="nils")
    opened(home)
    assert [
        (one["kind"], one["why"])
        for one in shown(home, "rea")["exceptions"]
        if one["kind"] == "person.disabled"
    ] == [("person.disabled", "an administrator's act outside office hours")]


def test_the_digest_binds_the_range_and_can_be_computed_from_the_tree(home: Small) -> None:
    review = opened(home, through=40)
    page = shown(home, "rea")
    assert (review["first_seq"], review["last_seq"]) == (0, 40)
    assert page["root"] == home.deployment.ledger.tree.root(41).hex()
    assert page["first_leaf"] == home.deployment.ledger.tree.leaf(0).hex()


# --- who signs -----------------------------------------------------------------------------------


def test_a_reviewer_who_did_not_act_signs_with_the_password(staffed: Small) -> None:
    review = opened(staffed)
    signed = sign(staffed, "ines", review)
    assert signed["state"] == "accepted"
    with staffed.deployment.reader() as reader:
        signature = reader.require(Signature, signed["signature"])
        assert signature.record_digest == review["digest"]
        assert (signature.meaning, signature.signer) == ("reviewed", "ines")
    staffed.deployment.rebuild()


def test_who_acted_in_the_range_does_not_sign_it_and_learns_where(staffed: Small) -> None:
    review = opened(staffed)
    with pytest.raises(FourEyes) as told:
        sign(staffed, "rea", review)
    assert "entries 62, 67, 72, 85" in str(told.value)
    assert "acted" in shown(staffed, "rea")["refusals"]["accepted"]
    assert shown(staffed, "ines")["may_decide"] == ["accepted", "exceptions"]


def test_who_acted_in_other_kinds_only_may_sign(home: Small) -> None:
    review = opened(home, kinds=["person", "role.*", "client"])
    assert review["families"] == "client person role"
    assert sign(home, "rea", review)["state"] == "accepted"


def test_what_was_done_after_the_range_is_no_hindrance(staffed: Small) -> None:
    review = opened(staffed, through=50)
    assert sign(staffed, "rea", review)["state"] == "accepted"


def test_only_a_reviewer_or_regulatory_person_of_the_whole_place_opens_and_signs(
    home: Small,
) -> None:
    others = ("aud", "mo", "sam", "ada", "cas", "sita")
    for who in others:
        with pytest.raises(WrongRole):
            opened(home, who)
    review = opened(home, kinds=["client"])
    for who in others:
        with pytest.raises(WrongRole):
            sign(home, who, review)


def test_a_wrong_password_signs_nothing(staffed: Small) -> None:
    review = opened(staffed)
    with pytest.raises(SignatureRefused):
        sign(staffed, "ines", review, password="not the password")
    assert shown(staffed, "ines")["state"] == "open"


def test_exceptions_are_accepted_with_a_reason_only(staffed: Small) -> None:
    answer(staffed, refused="gate.suspended")
    review = opened(staffed)
    assert review["exceptions"] == 1
    with pytest.raises(ReasonMissing):
        sign(staffed, "ines", review, reason="  ")
    assert sign(staffed, "ines", review, decision="exceptions")["state"] == "exceptions"


# --- gapless, and once ---------------------------------------------------------------------------


def test_the_next_range_begins_where_the_last_signed_one_ended(staffed: Small) -> None:
    first = opened(staffed, through=50)
    sign(staffed, "ines", first)
    second = opened(staffed)
    assert second["first_seq"] == 51
    listed = staffed.perform("aud", "trail_review.list")
    assert set(listed["reviewed_until"].values()) == {51}
    assert [one["review"] for one in listed["reviews"]] == ["T-2", "T-1"]


def test_a_range_is_not_opened_twice_and_not_before_the_one_that_waits(home: Small) -> None:
    opened(home, through=50)
    for params in ({}, {"through": 80}, {"kinds": ["release"]}):
        with pytest.raises(Conflict):
            opened(home, **params)


def test_what_was_reviewed_is_not_reviewed_again(staffed: Small) -> None:
    sign(staffed, "ines", opened(staffed, through=50))
    for through in (0, 50):
        with pytest.raises(Conflict):
            opened(staffed, through=through)


def test_families_are_reviewed_apart_without_gap_or_overlap(staffed: Small) -> None:
    sign(staffed, "ines", opened(staffed, through=50, kinds=["person"]))
    assert opened(staffed, through=80, kinds=["release"])["first_seq"] == 0
    sign(staffed, "ines", {"review": "T-2", "digest": shown(staffed, "ines", "T-2")["digest"]})
    with pytest.raises(Conflict) as told:
        opened(staffed)
    assert "person up to 51" in str(told.value)
    sign(staffed, "ines", opened(staffed, through=80, kinds=["person"]))
    until = staffed.perform("aud", "trail_review.list")["reviewed_until"]
    assert (until["person"], until["release"], until.get("hold", 0)) == (
        81, 81, 0,
    )  # fmt: skip


def test_a_signed_review_is_not_signed_again_or_withdrawn(staffed: Small) -> None:
    review = opened(staffed)
    sign(staffed, "ines", review)
    for decision in ("accepted", "exceptions"):
        with pytest.raises(TransitionRefused):
            sign(staffed, "ines", review, decision=decision)
    with pytest.raises(TransitionRefused):
        staffed.perform("ines", "trail_review.withdraw", review="T-1", reason=WHY)
    with staffed.deployment.reader() as reader:
        assert len(reader.find(Signature, record_type="trail_review")) == 1


def test_a_review_that_was_withdrawn_leaves_its_range_to_the_next(home: Small) -> None:
    opened(home, through=50)
    with pytest.raises(ReasonMissing):
        home.perform("rea", "trail_review.withdraw", review="T-1")
    home.perform("rea", "trail_review.withdraw", review="T-1", reason="Opened too early")
    assert opened(home)["first_seq"] == 0


def test_another_digest_than_the_shown_one_is_refused(staffed: Small) -> None:
    review = opened(staffed)
    with pytest.raises(Conflict):
        sign(staffed, "ines", review, record_digest="0" * 64)


def test_a_range_that_is_not_there_is_not_opened(home: Small) -> None:
    for wrong in ({"through": 10_000}, {"through": -1}, {"kinds": ["nothing"]}, {"kinds": [""]}):
        with pytest.raises(InvalidInput):
            opened(home, **wrong)


def test_a_review_moved_to_other_entries_is_not_signed(staffed: Small) -> None:
    review = opened(staffed)
    with closing(sqlite3.connect(staffed.deployment.home.database_path)) as connection, connection:
        connection.execute("UPDATE trail_review SET last_seq = last_seq - 1")
    with pytest.raises(LedgerTampered):
        sign(staffed, "ines", review)
    with pytest.raises(LedgerTampered):
        staffed.deployment.rebuild()


# --- silence -------------------------------------------------------------------------------------


def overdue(home: Small, who: str = "aud") -> list[dict[str, Any]]:
    raised: list[dict[str, Any]] = home.perform(who, "trail_review.check_overdue")["raised"]
    return raised


def listed_reviews(home: Small) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = home.perform("aud", "trail_review.list")["reviews"]
    return listed


def wait(clock: TickingClock, days: int) -> None:
    clock.advance(seconds=days * DAY_US / 1_000_000)


def test_a_trail_that_nobody_reviewed_is_a_finding_with_its_review(
    staffed: Small, clock: TickingClock
) -> None:
    assert overdue(staffed) == []
    wait(clock, 31)
    assert overdue(staffed) == [{"finding": "F-1", "review": "T-1", "families": "*"}]
    assert overdue(staffed) == [], "it waits for a decision already"
    listed = staffed.perform("aud", "trail_review.list")
    assert (listed["overdue"], listed["findings"]) == (True, ["F-1"])
    with staffed.deployment.reader() as reader:
        review = reader.require(TrailReview, "T-1")
        assert (review.opened_by, review.first_seq, review.families) == ("monitor", 0, "*")
    sign(staffed, "ines", shown(staffed, "ines"))
    assert overdue(staffed) == []
    listed = staffed.perform("aud", "trail_review.list")
    assert (listed["overdue"], listed["findings"]) == (False, [])


def test_a_review_that_was_opened_and_left_is_what_the_finding_names(
    home: Small, clock: TickingClock
) -> None:
    opened(home, through=60)
    wait(clock, 31)
    assert [one["review"] for one in overdue(home)] == ["T-1"]
    with home.deployment.reader() as reader:
        assert len(reader.find(TrailReview)) == 1


def test_one_family_left_out_is_late_by_itself(staffed: Small, clock: TickingClock) -> None:
    known = staffed.perform("aud", "trail_review.list")["reviewed_until"]
    last = staffed.size() - 1
    others = [family for family in known if family != "release"]
    sign(staffed, "ines", opened(staffed, through=last, kinds=others))
    wait(clock, 31)
    raised = overdue(staffed)
    assert [one["families"] for one in raised] == [
        "release", " ".join(sorted({*others, "trail"})),
    ], "one review of each group of kinds that can be read as one range"  # fmt: skip
    reviews = {one["review"]: one for one in listed_reviews(staffed)}
    first = [reviews[one["review"]]["first_seq"] for one in raised]
    assert first == [0, last + 1]
    assert overdue(staffed) == []


def test_kinds_that_were_signed_apart_and_one_that_is_new_are_late_together(
    staffed: Small, clock: TickingClock
) -> None:
    """A kind whose first entry came later had nothing to be read before."""
    known = staffed.perform("aud", "trail_review.list")["reviewed_until"]
    last = staffed.size() - 1
    half = [family for family in known if family in {"person", "role", "client", "ledger"}]
    for families in (half, [family for family in known if family not in half]):
        sign(staffed, "ines", opened(staffed, through=last, kinds=families))
    staffed.perform("sam", "hold.place", model="forecasting", scope=EVERYWHERE, cause="drift",
                    reason="It drifts")  # fmt: skip
    wait(clock, 60)
    assert overdue(staffed) == [{"finding": "F-1", "review": "T-3", "families": "*"}]
    assert listed_reviews(staffed)[0]["first_seq"] == last + 1
    sign(staffed, "ines", shown(staffed, "ines", "T-3"))
    until = staffed.perform("aud", "trail_review.list")["reviewed_until"]
    assert len(set(until.values())) == 1
    staffed.deployment.rebuild()


def test_a_late_kind_beside_one_that_is_being_reviewed_is_raised_too(
    home: Small, clock: TickingClock
) -> None:
    opened(home, kinds=["release"])
    wait(clock, 31)
    first, second = overdue(home)
    assert (first["review"], first["families"]) == ("T-1", "release")
    assert "release" not in second["families"].split()
    assert overdue(home) == []


def test_silence_is_raised_by_whoever_may_look(home: Small, clock: TickingClock) -> None:
    wait(clock, 31)
    for who in ("mo", "sita"):
        with pytest.raises(Forbidden):
            overdue(home, who)
