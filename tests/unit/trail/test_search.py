"""Whoever searches the trail finds what is there, with who, when, old and new."""

from __future__ import annotations

from typing import Any

import pytest

from governance.clock import iso_text, utc_text
from governance.errors import Conflict, Forbidden, InvalidInput
from governance.operations.trail.search_trail import SEARCH_TRAIL, SearchTrail
from governance.storage.trail.facets import Models, facets_of
from governance.storage.trail.reading import Names, TrailEntry
from tests.support.small_deployment import CLIENT, DAY_US, SITE, START_US, Small
from tests.unit.trail.traffic import answer


def search(home: Small, **params: Any) -> dict[str, Any]:
    return home.perform("aud", "trail.search", **params)


def kinds(page: dict[str, Any]) -> list[str]:
    return [hit["kind"] for hit in page["hits"]]


def day(days: int) -> str:
    return utc_text(START_US + days * DAY_US)[:10]


def test_a_hit_says_who_what_and_the_new_values(home: Small) -> None:
    (hit,) = search(home, kind="release.opened")["hits"]
    assert (hit["actor"], hit["actor_name"], hit["model"]) == ("mo", "Mo Small", "forecasting")
    assert "version:forecasting/1" in hit["records"]
    assert {
        "record": "release:REL-1", "field": "state", "old": None, "new": "active",
    } in hit["changes"]  # fmt: skip


def test_a_changed_field_has_its_old_value(home: Small) -> None:
    home.signed("sam", "release.roll_back", release="REL-1")
    (hit,) = search(home, kind="release.ended")["hits"]
    assert {
        "record": "release:REL-1", "field": "state", "old": "active", "new": "rolled_back",
    } in hit["changes"]  # fmt: skip


def test_a_kind_is_exact_or_a_prefix(home: Small) -> None:
    home.signed("sam", "release.roll_back", release="REL-1")
    assert kinds(search(home, kind="release.*")) == ["release.opened", "release.ended"]
    assert kinds(search(home, kind="release.ended")) == ["release.ended"]
    assert kinds(search(home, kind="release.open")) == []


def test_the_trail_of_a_record_has_what_changed_it_and_what_named_it(home: Small) -> None:
    found = kinds(search(home, record="version:forecasting/1"))
    assert found == [
        "version.registered", "change.opened", "audit.completed", "review.decided",
        "release.opened",
    ]  # fmt: skip


def test_a_later_change_of_a_record_is_found_by_the_model_that_only_its_first_row_named(
    home: Small,
) -> None:
    home.signed("sam", "release.roll_back", release="REL-1")
    assert "release.ended" in kinds(search(home, model="forecasting"))
    assert search(home, model="forecasting", actor="ada")["matched"] == 0


def test_filters_hold_together(home: Small) -> None:
    page = search(home, actor="rea", kind="review.*", limit=500)
    assert {hit["actor"] for hit in page["hits"]} == {"rea"}
    assert set(kinds(page)) == {"review.decided"}


def test_a_day_counts_whole_at_both_ends(home: Small) -> None:
    before = home.size()
    home.perform("sam", "hold.place", model="forecasting", scope=SITE, cause="a.b", reason="Why")
    today = search(home, since=day(1), until=day(1), limit=500)
    assert "hold.placed" in kinds(today)
    assert today["first"] == before
    assert search(home, until=day(0), limit=1)["end"] == before
    assert search(home, since=day(2))["matched"] == 0


def test_an_instant_is_included(home: Small) -> None:
    (hit,) = search(home, kind="release.opened")["hits"]
    at = iso_text(hit["t_us"])
    assert [one["seq"] for one in search(home, since=at, until=at)["hits"]] == [hit["seq"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"since": "yesterday"},
        {"since": "2026-13-01"},
        {"until": "2026-11-24T08:15:00"},
        {"until": "2026-11-24T08:15:00+99:00"},
        {"kind": "release"},
        {"kind": "release.*.x"},
        {"kind": "' OR 1=1"},
        {"record": "forecasting/1"},
        {"record": "entry:1"},
        {"record": "version:"},
        {"record": "person:Ola Hansen, fnr 010150 12345"},
        {"actor": "Kari Nordmann 01.01.1950"},
        {"model": "the model of Kari"},
        {"limit": 0},
        {"limit": 501},
        {"after": -1},
        {"text": "anything"},
    ],
    ids=str,
)
def test_what_no_entry_can_be_found_by_is_said_and_not_answered_with_nothing(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(InvalidInput):
        understood(SEARCH_TRAIL.checked(wrong))


def understood(request: SearchTrail) -> tuple[object, ...]:
    return request.wanted, request.since_us, request.until_us


def test_pages_together_are_the_whole_in_either_direction(home: Small) -> None:
    home.perform("aud", "trail.search")  # opens the last session that is looked for
    end = home.size()
    whole = [hit["seq"] for hit in search(home, limit=500)["hits"]][:end]
    assert whole == list(range(end))
    for newest_first in (False, True):
        pages: list[int] = []
        after = end if newest_first else None
        while True:
            page = search(home, limit=17, after=after, newest_first=newest_first)
            pages += [hit["seq"] for hit in page["hits"] if hit["seq"] < end]
            after = page["next_after"]
            if after is None or after >= end:
                break
        assert pages == sorted(whole, reverse=newest_first)


def test_answers_are_counted_and_listed_only_when_asked(home: Small) -> None:
    for code in (None, None, "gate.suspended"):
        answer(home, refused=code)
    page = search(home, kind="inference.*")
    assert page["hits"] == []
    assert page["answers"] == [
        {
            "kind": "inference.answered", "model": "forecasting", "release": "REL-1",
            "reasons": [], "count": 2,
        },
        {
            "kind": "inference.refused", "model": "forecasting", "release": "",
            "reasons": ["gate.suspended"], "count": 1,
        },
    ]  # fmt: skip
    listed = search(home, kind="inference.*", answers=True)
    assert kinds(listed) == ["inference.answered", "inference.answered", "inference.refused"]
    assert listed["hits"][0]["actor_name"] == "Ordering"
    assert search(home, record="release:REL-1", answers=True)["kinds"] == {
        "inference.answered": 2, "release.opened": 1,
    }  # fmt: skip


def test_the_answer_says_over_how_many_entries_it_looked(home: Small) -> None:
    page = search(home, limit=1)
    assert (page["first"], page["end"]) == (0, page["size"])
    assert sum(page["kinds"].values()) == page["size"]
    assert page["matched"] + sum(line["count"] for line in page["answers"]) == page["size"]


@pytest.mark.parametrize(
    "named",
    [
        {"actor": "mo"},
        {"actor": "@monitor"},
        {"record": "role_grant:mo:model_owner:st-olav/*"},
        {"record": "document:plan:forecasting:1"},
        {"model": "pharmacy_demand-2.nordic"},
    ],
    ids=str,
)
def test_every_id_can_be_asked_for(named: dict[str, Any]) -> None:
    understood(SEARCH_TRAIL.checked(named))


def test_a_person_and_a_calling_system_are_never_one_actor(home: Small) -> None:
    answer(home)
    with pytest.raises(Conflict):
        home.perform(
            "ada", "person.add", person=CLIENT, printed_name="Planner", password="a long password"
        )
    with pytest.raises(Conflict):
        home.perform("ada", "client.add", client="mo", title="Mo", scope=SITE, permissions=["read"])
    # Entries of a log from before that rule are told apart by what acted in them.
    names = Names()
    for seq, (table, column) in enumerate(
        (("person", "printed_name"), ("service_client", "title"))
    ):
        row = {"id": "one", column: table}
        facts = {"changes": [{"table": table, "key": "one", "op": "insert", "row": row}]}
        names.learn(
            TrailEntry(seq=seq, event_id="", kind="a.added", t_us=0, facts=facts, body="none")
        )
    for kind, by, called in (
        ("inference.answered", "caller", "service_client"),
        ("hold.placed", "actor", "person"),
    ):
        assert names.at(facets_of(kind, {by: "one"}, Models()), 9) == called


def test_somebody_without_a_role_is_shown_nothing(home: Small) -> None:
    with pytest.raises(Forbidden):
        home.perform("nils", "trail.search")


def test_reading_leaves_no_entry(home: Small) -> None:
    actor = home.actor("aud")
    before = home.size()
    home.as_actor(actor, "trail.search")
    assert home.size() == before
