"""May it answer: one story per reason, precedence, scope, time, and what is fail-closed."""

from __future__ import annotations

from itertools import permutations

import pytest

from change_control.change.documents import DocumentState
from change_control.release.hold import Hold, HoldState
from change_control.release.release import Release, ReleaseMode, ReleaseState
from change_control.release.standing import Standing, StandingFacts, StandingReason, standing
from change_control.release.version import VersionState
from change_control.scope import Scope

V1, V2, V3 = "forecasting/1", "forecasting/2", "forecasting/3"
ALL, WARD, OTHER = "north/*", "north/ward-3", "north/ward-4"
NOW = 1_000


def release(
    version: str = V1,
    scope: str = ALL,
    from_us: int = 0,
    until_us: int | None = None,
    *,
    state: ReleaseState = ReleaseState.ACTIVE,
    mode: ReleaseMode = ReleaseMode.FULL,
    id_: str | None = None,
) -> Release:
    return Release(
        id=id_ or f"{version}@{scope}@{from_us}@{mode}",
        version=version,
        scope=Scope.parse(scope),
        market="no",
        purpose="ordering",
        mode=mode,
        from_us=from_us,
        until_us=until_us,
        state=state,
    )


def hold(
    scope: str = ALL, *, version: str | None = None, state: HoldState = HoldState.OPEN
) -> Hold:
    return Hold(
        id=f"H-{scope}", scope=Scope.parse(scope), cause="finding F1", state=state, version=version
    )


def facts(
    *releases: Release,
    holds: tuple[Hold, ...] = (),
    entry: DocumentState | None = DocumentState.IN_FORCE,
    **versions: VersionState,
) -> StandingFacts:
    known = {V1: VersionState.QUALIFIED, V2: VersionState.QUALIFIED, V3: VersionState.QUALIFIED}
    changed = {f"forecasting/{name.removeprefix('v')}": state for name, state in versions.items()}
    return StandingFacts(entry=entry, releases=releases, holds=holds, versions={**known, **changed})


def ask(known: StandingFacts, scope: str = WARD, now_us: int = NOW) -> Standing:
    return standing(known, scope=Scope.parse(scope), now_us=now_us)


def reasons(known: StandingFacts, scope: str = WARD, now_us: int = NOW) -> tuple[str, ...]:
    return tuple(reason.removeprefix("gate.") for reason in ask(known, scope, now_us).reasons)


def test_a_release_to_the_organisation_answers_at_its_sites() -> None:
    found = ask(facts(release()))
    assert found.may_answer
    assert found.reasons == ()
    assert found.release == release()
    assert found.until_us is None


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(facts(), id="no release"),
        pytest.param(facts(release(from_us=NOW + 1)), id="not begun"),
        pytest.param(facts(release(scope=OTHER)), id="another site"),
        pytest.param(facts(release(scope="south/*")), id="another organisation"),
        pytest.param(facts(release(state=ReleaseState.REPLACED)), id="replaced"),
        pytest.param(facts(release(state=ReleaseState.ROLLED_BACK)), id="rolled back"),
        pytest.param(facts(release(mode=ReleaseMode.SHADOW)), id="shadow only"),
        pytest.param(facts(release(mode=ReleaseMode.SHARE)), id="share only"),
        pytest.param(facts(release(), v1=VersionState.CANDIDATE), id="candidate"),
        pytest.param(facts(release(), v1=VersionState.RETIRED), id="retired"),
        pytest.param(facts(release("unknown/1")), id="version that is not on record"),
        pytest.param(facts(release(), entry=None), id="no entry"),
        pytest.param(facts(release(), entry=DocumentState.REGISTERED), id="entry not approved"),
        pytest.param(facts(release(), entry=DocumentState.SUPERSEDED), id="entry superseded"),
        pytest.param(facts(release(), entry=DocumentState.WITHDRAWN), id="entry withdrawn"),
    ],
)
@pytest.mark.requirement("P1")
def test_what_is_not_released_refuses(known: StandingFacts) -> None:
    found = ask(known)
    assert found.verdict == "refuse"
    assert found.reasons == (StandingReason.NOT_RELEASED,)
    assert found.release is None
    assert found.companions == ()


def test_a_site_release_does_not_answer_for_the_organisation() -> None:
    assert reasons(facts(release(scope=WARD)), ALL) == ("not_released",)


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now_us", "verdict", "until_us"),
    [
        (9, "refuse", 10),
        (10, "may_answer", 20),
        (19, "may_answer", 20),
        (20, "refuse", None),
        (21, "refuse", None),
    ],
)
def test_the_beginning_is_inside_and_the_end_outside(
    now_us: int, verdict: str, until_us: int | None
) -> None:
    found = ask(facts(release(from_us=10, until_us=20)), now_us=now_us)
    assert (found.verdict, found.until_us) == (verdict, until_us)


def test_an_expired_release_says_so() -> None:
    assert reasons(facts(release(until_us=NOW))) == ("expired",)
    assert reasons(facts(release(state=ReleaseState.EXPIRED, until_us=NOW))) == ("expired",)
    assert reasons(facts(release(state=ReleaseState.EXPIRED))) == ("expired",)


def test_an_expired_site_release_gives_way_to_the_organisation() -> None:
    known = facts(release(V1), release(V2, WARD, until_us=NOW))
    assert ask(known).release == release(V1)


def test_until_is_the_nearest_of_all_beginnings_and_ends() -> None:
    known = facts(
        release(V1, until_us=NOW + 300),
        release(V2, WARD, NOW + 200),
        release(V3, OTHER, NOW + 100),
    )
    assert ask(known).until_us == NOW + 200


def test_a_scheduled_release_takes_over_at_its_instant() -> None:
    known = facts(release(V1), release(V2, from_us=NOW + 5))
    assert ask(known, now_us=NOW + 4).release == release(V1)
    assert ask(known, now_us=NOW + 5).release == release(V2, from_us=NOW + 5)


def test_a_scheduled_release_that_was_recalled_refuses_from_its_instant_on() -> None:
    known = facts(release(V1), release(V2, from_us=NOW + 7, state=ReleaseState.RECALLED))
    assert ask(known).until_us == NOW + 7
    assert reasons(known, now_us=NOW + 7) == ("recalled",)


def test_a_scheduled_release_that_was_ended_before_it_began_never_begins() -> None:
    ended = release(V2, from_us=NOW, until_us=NOW - 5, state=ReleaseState.RECALLED)
    assert ask(facts(release(V1), ended)).release == release(V1)


# --- which release governs -----------------------------------------------------------------------


def test_the_more_specific_release_wins_even_if_it_is_older() -> None:
    known = facts(release(V1, ALL, 500), release(V2, WARD, 100))
    assert ask(known).release == release(V2, WARD, 100)
    assert ask(known, OTHER).release == release(V1, ALL, 500)
    assert ask(known, ALL).release == release(V1, ALL, 500)


def test_of_two_releases_of_one_scope_the_later_wins() -> None:
    known = facts(release(V1, ALL, 100), release(V2, ALL, 500))
    assert ask(known).release == release(V2, ALL, 500)


def test_of_two_releases_of_one_instant_the_greater_identifier_wins() -> None:
    known = facts(release(V2, id_="L1"), release(V1, id_="L2"))
    assert ask(known).release == release(V1, id_="L2")


def test_the_order_of_the_facts_does_not_matter() -> None:
    releases = (
        release(V1),
        release(V2, WARD, 100, NOW),
        release(V3, WARD, 50, NOW - 1, state=ReleaseState.RECALLED),
        release(V1, WARD, 10, mode=ReleaseMode.SHADOW),
    )
    found = {repr(ask(facts(*order))) for order in permutations(releases)}
    assert len(found) == 1


def test_an_unqualified_site_release_refuses_and_gives_way_to_nothing() -> None:
    known = facts(release(V1), release(V2, WARD), v2=VersionState.RETIRED)
    assert reasons(known) == ("not_released",)
    assert ask(known, OTHER).may_answer


# --- recall --------------------------------------------------------------------------------------


@pytest.mark.requirement("P11")
def test_a_recalled_version_refuses_wherever_it_governs_at_once() -> None:
    known = facts(release(V1), release(V2, WARD), v1=VersionState.RECALLED)
    assert reasons(known, OTHER) == ("recalled",)
    assert reasons(known, ALL) == ("recalled",)
    assert ask(known, WARD).release == release(V2, WARD)


@pytest.mark.requirement("P11")
def test_a_recall_at_a_site_is_not_papered_over_by_a_wider_release_from_before() -> None:
    recalled = release(V2, WARD, 100, 900, state=ReleaseState.RECALLED)
    assert reasons(facts(release(V1, ALL, 500), recalled)) == ("recalled",)


@pytest.mark.parametrize("scope", [ALL, WARD])
@pytest.mark.requirement("P11")
def test_a_release_made_after_the_recall_answers_again(scope: str) -> None:
    recalled = release(V2, WARD, 100, 900, state=ReleaseState.RECALLED)
    after = release(V1, scope, 900)
    assert ask(facts(recalled, after)).release == after


def test_a_recall_without_its_instant_gives_way_to_no_wider_release() -> None:
    recalled = release(V2, WARD, 100, state=ReleaseState.RECALLED)
    assert reasons(facts(recalled, release(V1, ALL, 999))) == ("recalled",)
    assert ask(facts(recalled, release(V1, WARD, 999))).may_answer


def test_a_recalled_shadow_does_not_stop_the_release_beside_it() -> None:
    shadow = release(V2, mode=ReleaseMode.SHADOW, state=ReleaseState.RECALLED)
    assert ask(facts(release(V1), shadow)).may_answer


@pytest.mark.requirement("P11")
def test_a_recall_of_what_had_expired_leaves_the_wider_release_in_place() -> None:
    expired = release(V2, WARD, 100, 900, state=ReleaseState.EXPIRED)
    known = facts(release(V1), expired, v2=VersionState.RECALLED)
    assert ask(known).release == release(V1)
    assert reasons(facts(expired, v2=VersionState.RECALLED)) == ("recalled",)


# --- holds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "asked", "suspended"),
    [
        pytest.param(ALL, WARD, True, id="wider hold"),
        pytest.param(WARD, WARD, True, id="same site"),
        pytest.param(OTHER, WARD, False, id="another site"),
        pytest.param("south/*", WARD, False, id="another organisation"),
        pytest.param(WARD, ALL, True, id="a hold at a site and an ask that names none"),
    ],
)
def test_a_hold_suspends_what_it_reaches(held: str, asked: str, *, suspended: bool) -> None:
    found = reasons(facts(release(), holds=(hold(held),)), asked)
    assert found == (("suspended",) if suspended else ())


@pytest.mark.requirement("P6")
def test_a_hold_with_one_signature_of_two_still_suspends() -> None:
    known = facts(release(), holds=(hold(state=HoldState.LIFT_SIGNED),))
    assert reasons(known) == ("suspended",)


def test_lifting_one_hold_leaves_the_others() -> None:
    known = facts(release(), holds=(hold(state=HoldState.LIFTED), hold(WARD)))
    assert reasons(known) == ("suspended",)
    assert ask(facts(release(), holds=(hold(state=HoldState.LIFTED),))).may_answer


def test_a_hold_of_one_version_suspends_only_where_it_governs() -> None:
    known = facts(release(V1), release(V2, WARD), holds=(hold(version=V1),))
    assert reasons(known, OTHER) == ("suspended",)
    assert ask(known, WARD).release == release(V2, WARD)


# --- precedence ----------------------------------------------------------------------------------


def test_all_reasons_are_given_and_the_most_dangerous_first() -> None:
    known = facts(
        release(until_us=NOW),
        holds=(hold(),),
        entry=DocumentState.WITHDRAWN,
        v1=VersionState.RECALLED,
    )
    assert reasons(known) == ("recalled", "suspended", "not_released")
    assert reasons(facts(release(until_us=NOW), holds=(hold(),), entry=None)) == (
        "suspended",
        "expired",
        "not_released",
    )


# --- companions ----------------------------------------------------------------------------------


def test_shadow_and_share_run_beside_the_full_release() -> None:
    shadow = release(V2, WARD, mode=ReleaseMode.SHADOW)
    share = release(V3, mode=ReleaseMode.SHARE)
    found = ask(facts(release(V1), shadow, share, v2=VersionState.CANDIDATE))
    assert found.release == release(V1)
    assert found.companions == (shadow, share)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(
            facts(release(), release(V2, mode=ReleaseMode.SHARE), v2=VersionState.CANDIDATE),
            id="share of a candidate",
        ),
        pytest.param(
            facts(release(), release(V2, mode=ReleaseMode.SHADOW), v2=VersionState.RECALLED),
            id="shadow of a recalled version",
        ),
        pytest.param(
            facts(release(), release(V2, mode=ReleaseMode.SHADOW), holds=(hold(version=V2),)),
            id="shadow of a held version",
        ),
        pytest.param(
            facts(release(), release(V2, until_us=NOW, mode=ReleaseMode.SHADOW)),
            id="expired shadow",
        ),
        pytest.param(
            facts(release(), release(V2, from_us=NOW + 1, mode=ReleaseMode.SHADOW)),
            id="shadow not begun",
        ),
        pytest.param(
            facts(
                release(),
                release(V2, mode=ReleaseMode.SHADOW, state=ReleaseState.ROLLED_BACK),
            ),
            id="shadow rolled back",
        ),
        pytest.param(
            facts(release(), release(V2, OTHER, mode=ReleaseMode.SHADOW)),
            id="shadow at another site",
        ),
    ],
)
def test_a_companion_that_may_not_run_does_not(known: StandingFacts) -> None:
    found = ask(known)
    assert found.may_answer
    assert found.companions == ()
