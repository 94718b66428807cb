"""Which market a question without one is about; none is ever guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from change_control.change.documents import DocumentState
from change_control.release.hold import Hold, HoldState
from change_control.release.release import Release, ReleaseMode, ReleaseState
from change_control.release.standing import Standing, StandingFacts, StandingReason
from change_control.release.version import VersionState
from change_control.scope import Scope
from governance.gate.market import (
    by_market,
    most_dangerous,
    standing_at,
    standing_of_unnamed,
)

RECALLED, SUSPENDED = StandingReason.RECALLED, StandingReason.SUSPENDED
EXPIRED, NOT_RELEASED = StandingReason.EXPIRED, StandingReason.NOT_RELEASED


def refused(*reasons: StandingReason, until_us: int | None = None) -> Standing:
    return Standing(verdict="refuse", reasons=reasons, release=None, until_us=until_us)


def may(market: str, until_us: int | None = None) -> Standing:
    release = Release(
        id=f"REL-{market}", version="v", scope=Scope.parse("st-olav/*"), market=market,
        purpose="p", mode=ReleaseMode.FULL, from_us=0, until_us=None, state=ReleaseState.ACTIVE,
    )  # fmt: skip
    return Standing(verdict="may_answer", reasons=(), release=release, until_us=until_us)


NOWHERE = refused(NOT_RELEASED)


def test_the_only_market_in_service_is_taken() -> None:
    found = standing_of_unnamed({"NO": may("NO"), "SE": refused(EXPIRED)}, nowhere=NOWHERE)
    assert found is not None
    assert found.release is not None
    assert found.release.market == "NO"


@pytest.mark.requirement("P11")
@pytest.mark.parametrize("stopped", [(RECALLED,), (SUSPENDED,), (RECALLED, SUSPENDED)])
def test_another_market_does_not_step_in_for_one_that_is_stopped(
    stopped: tuple[StandingReason, ...],
) -> None:
    markets = {"NO": refused(*stopped), "SE": may("SE")}
    assert standing_of_unnamed(markets, nowhere=NOWHERE) is None
    alone = standing_of_unnamed({"NO": refused(*stopped)}, nowhere=NOWHERE)
    assert alone is not None
    assert alone.reasons == stopped


def test_two_markets_in_service_leave_open_which_is_meant() -> None:
    assert standing_of_unnamed({"NO": may("NO"), "SE": may("SE")}, nowhere=NOWHERE) is None


@pytest.mark.parametrize(
    ("markets", "reasons"),
    [
        ({}, (NOT_RELEASED,)),
        ({"NO": (EXPIRED,)}, (EXPIRED,)),
        ({"NO": (NOT_RELEASED,), "SE": (EXPIRED,)}, (EXPIRED,)),
        ({"NO": (EXPIRED,), "SE": (SUSPENDED, NOT_RELEASED)}, (SUSPENDED, NOT_RELEASED)),
        ({"NO": (RECALLED, EXPIRED), "SE": (SUSPENDED, EXPIRED)}, (RECALLED, EXPIRED)),
    ],
)
def test_where_nothing_is_in_service_the_most_dangerous_reason_is_given(
    markets: dict[str, tuple[StandingReason, ...]], reasons: tuple[StandingReason, ...]
) -> None:
    standings = {name: refused(*found) for name, found in markets.items()}
    found = standing_of_unnamed(standings, nowhere=NOWHERE)
    assert found is not None
    assert found.reasons == reasons
    assert not found.may_answer


def test_the_choice_stands_until_something_begins_or_ends_in_any_market() -> None:
    markets = {"NO": may("NO", until_us=30), "SE": refused(EXPIRED, until_us=20)}
    found = standing_of_unnamed(markets, nowhere=NOWHERE)
    assert found is not None
    assert found.until_us == 20


# --- the same for the gate and for the pages ---------------------------------------------------

ORGANISATION = Scope.parse("st-olav/*")


def facts(*releases: Release, held: str | None = None) -> StandingFacts:
    holds = (
        Hold(id="H-1", scope=ORGANISATION, cause="c", state=HoldState.OPEN, version=held),
    ) if held else ()  # fmt: skip
    return StandingFacts(
        entry=DocumentState.IN_FORCE,
        releases=releases,
        holds=holds,
        versions={one.version: VersionState.QUALIFIED for one in releases},
    )


def release(market: str, *, purpose: str = "p", version: str = "v") -> Release:
    found = may(market).release
    assert found is not None
    return replace(found, id=f"REL-{market}-{purpose}", purpose=purpose, version=version)


def at(known: StandingFacts, market: str | None) -> Standing | None:
    return standing_at(
        by_market(known, purpose="p"),
        nothing_released=replace(known, releases=()),
        market=market,
        scope=ORGANISATION,
        now_us=1,
    )


def test_each_market_is_read_apart_and_other_purposes_not_at_all() -> None:
    known = facts(release("NO"), release("SE", version="w"), release("DK", purpose="q"), held="w")
    assert sorted(by_market(known, purpose="p")) == ["NO", "SE"]
    norwegian, swedish, danish = (at(known, market) for market in ("NO", "SE", "DK"))
    assert norwegian is not None
    assert norwegian.may_answer
    assert swedish is not None
    assert swedish.reasons == (SUSPENDED,)
    assert danish is not None
    assert danish.reasons == (NOT_RELEASED,)
    assert at(known, None) is None


def test_of_several_a_reader_is_shown_what_must_not_be_missed() -> None:
    assert most_dangerous([may("NO"), refused(SUSPENDED), refused(RECALLED)]).reasons == (RECALLED,)
    assert most_dangerous([refused(EXPIRED), may("NO")]).may_answer
    assert most_dangerous([refused(NOT_RELEASED), refused(EXPIRED)]).reasons == (EXPIRED,)
