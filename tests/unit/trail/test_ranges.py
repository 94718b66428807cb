"""What a reviewer reads of a range: a flood hides nothing, and who demanded acted."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from change_control.errors import FourEyes
from change_control.roles import Role
from governance.errors import Conflict
from governance.operations.trail import ranges
from governance.operations.trail.ranges import _READ, KEPT, read_range
from tests.support.small_deployment import EVERYWHERE, Small, TickingClock, admit, password_of
from tests.unit.trail.traffic import answer


def shown(home: Small, **params: Any) -> dict[str, Any]:
    return home.perform("rea", "trail_review.show", review="T-1", **params)


def test_a_flood_of_refused_answers_hides_no_other_exception(home: Small) -> None:
    numbers = [answer(home, refused="gate.purpose") for _ in range(30)]
    home.perform("ada", "person.reset_password", person="mo", password="another long password")
    home.perform("rea", "trail_review.open")
    with patch.object(ranges, "LISTED", 5):
        page = shown(home)
    assert [one["kind"] for one in page["exceptions"]] == ["person.password_reset"]
    assert page["next_after"] is None
    counted = {one["why"]: one for one in page["exceptional"]}
    assert counted["an answer was refused: gate.purpose"] == {
        "why": "an answer was refused: gate.purpose", "count": 30, "first_seq": numbers[0],
        "last_seq": numbers[-1], "listed": False,
    }  # fmt: skip
    assert page["exceptions_counted"] == sum(one["count"] for one in counted.values()) == 31


def test_the_pages_of_exceptions_are_together_all_that_are_listed(home: Small) -> None:
    for _ in range(7):
        home.perform("aud", "trail.export", form="csv", kind="release.*")
    home.perform("rea", "trail_review.open")
    seen: list[int] = []
    after = None
    with patch.object(ranges, "LISTED", 3):
        while True:
            page = shown(home, after=after)
            assert len(page["exceptions"]) <= 3
            seen += [one["seq"] for one in page["exceptions"]]
            after = page["next_after"]
            if after is None:
                break
    exported = home.perform("aud", "trail.search", kind="trail.exported")["hits"]
    assert seen == [hit["seq"] for hit in exported]
    (line,) = [one for one in page["exceptional"] if "left" in one["why"]]
    assert (line["count"], line["first_seq"], line["last_seq"]) == (7, seen[0], seen[-1])


def test_a_refused_opening_reads_nothing_and_few_ranges_are_kept(home: Small) -> None:
    home.perform("rea", "trail_review.open", through=50)
    actor = home.actor("rea")
    known = len(_READ[home.deployment.ledger])
    for through in range(51, 60):
        with pytest.raises(Conflict):
            home.as_actor(actor, "trail_review.open", through=through)
    assert len(_READ[home.deployment.ledger]) == known
    for last in range(20):
        read_range(home.deployment, first=0, last=last, families="*")
    assert len(_READ[home.deployment.ledger]) == KEPT


def test_who_had_monitors_looked_at_acted_and_is_found_by_it(
    home: Small, clock: TickingClock
) -> None:
    admit(home, "vera", ((Role.SAFETY_OFFICER, EVERYWHERE), (Role.REGULATORY, EVERYWHERE)))
    clock.advance(seconds=86_400 * 100)
    assert home.perform("vera", "monitor.check_overdue")["raised"]
    (hit, *_) = home.perform("aud", "trail.search", kind="monitor.overdue")["hits"]
    assert hit["notes"]["demanded_by"] == "vera"
    found = home.perform("aud", "trail.search", record="person:vera", kind="monitor.*")
    assert found["matched"]
    review = home.perform("rea", "trail_review.open", kinds=["monitor"])
    with pytest.raises(FourEyes):
        home.perform(
            "vera", "trail_review.sign", review=review["review"], decision="exceptions",
            reason="Seen", record_digest=review["digest"], password=password_of("vera"),
        )  # fmt: skip


def test_who_had_the_trail_looked_at_is_kept(home: Small, clock: TickingClock) -> None:
    clock.advance(seconds=86_400 * 40)
    home.perform("reg", "trail_review.check_overdue")
    (hit,) = home.perform("aud", "trail.search", kind="trail.overdue")["hits"]
    assert hit["actor"] != "reg"
    assert hit["notes"]["demanded_by"] == "reg"
