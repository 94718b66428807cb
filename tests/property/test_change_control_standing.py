"""Standing against a second implementation that is slow and obvious, and its promises on time.

Provenance of the second implementation: written from the module's prose alone, as a filter over all
releases with pairwise comparison instead of one maximum; it shares no function with the first.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from change_control.change.documents import DocumentState
from change_control.release.hold import Hold, HoldState
from change_control.release.release import Release, ReleaseMode, ReleaseState
from change_control.release.standing import StandingFacts, standing
from change_control.release.version import VersionState
from change_control.scope import Scope

VERSIONS = ("m/1", "m/2", "m/3")
SCOPES = tuple(Scope.parse(text) for text in ("north/*", "north/a", "north/b", "south/*"))
INSTANTS = st.integers(min_value=0, max_value=8)
# Most draws meet at one site, where releases of site and organisation compete.
PLACES = st.sampled_from((*SCOPES[:2], *SCOPES[:2], *SCOPES[:2], *SCOPES))
ASKED = st.sampled_from((SCOPES[1], SCOPES[1], *SCOPES))


@st.composite
def releases(draw: st.DrawFn) -> Release:
    common = (ReleaseState.ACTIVE, ReleaseState.ACTIVE, ReleaseState.RECALLED)
    state = draw(st.sampled_from((*common, *ReleaseState)))
    from_us = draw(INSTANTS)
    until_us = draw(st.none() | INSTANTS)
    if state is ReleaseState.ACTIVE and until_us is not None:
        until_us += from_us + 1
    return Release(
        id=f"L{draw(st.integers(0, 99))}",
        version=draw(st.sampled_from((*VERSIONS, "m/unknown"))),
        scope=draw(PLACES),
        market="no",
        purpose="ordering",
        mode=draw(st.sampled_from((*[ReleaseMode.FULL] * 5, *ReleaseMode))),
        from_us=from_us,
        until_us=until_us,
        state=state,
    )


HOLDS = st.builds(
    Hold,
    id=st.just("H"),
    scope=st.sampled_from(SCOPES),
    cause=st.just("finding"),
    state=st.sampled_from(HoldState),
    version=st.none() | st.sampled_from(VERSIONS),
)
FACTS = st.builds(
    StandingFacts,
    entry=st.sampled_from((*[DocumentState.IN_FORCE] * 3, None, *DocumentState)),
    releases=st.lists(releases(), max_size=5, unique_by=lambda item: item.id).map(tuple),
    holds=st.lists(HOLDS, max_size=2).map(tuple),
    versions=st.fixed_dictionaries(
        {
            version: st.sampled_from(
                (VersionState.QUALIFIED, VersionState.QUALIFIED, *VersionState)
            )
            for version in VERSIONS
        }
    ),
)


def obvious(  # noqa: C901, PLR0912 - one question after the other, and no cleverness, is its point
    facts: StandingFacts, scope: Scope, now: int
) -> tuple[set[str], Release | None]:
    """Return the reasons and the governing release, one question at a time."""

    def covers(release: Release) -> bool:
        same_organisation = release.scope.organisation == scope.organisation
        return same_organisation and release.scope.site in {"*", scope.site}

    def is_recalled(release: Release) -> bool:
        recalled = facts.versions.get(release.version) == VersionState.RECALLED
        return recalled or release.state == ReleaseState.RECALLED

    def is_expired(release: Release) -> bool:
        ended = release.until_us is not None and now >= release.until_us
        return not is_recalled(release) and (ended or release.state == ReleaseState.EXPIRED)

    def is_live(release: Release) -> bool:
        qualified = facts.versions.get(release.version) == VersionState.QUALIFIED
        sound = not is_recalled(release) and not is_expired(release)
        return sound and qualified and release.state == ReleaseState.ACTIVE

    candidates = []
    for release in facts.releases:
        if not covers(release) or release.mode != ReleaseMode.FULL or release.from_us > now:
            continue
        if release.state in {ReleaseState.REPLACED, ReleaseState.ROLLED_BACK}:
            continue
        if release.until_us is not None and release.until_us <= release.from_us:
            continue
        candidates.append(release)
    live = [release for release in candidates if is_live(release)]
    standing_ones = []
    for release in candidates:
        if live and (is_expired(release) or release.state == ReleaseState.EXPIRED):
            continue
        if is_recalled(release) and release.until_us is not None:
            made_after = [other for other in live if other.from_us >= release.until_us]
            if made_after:
                continue
        standing_ones.append(release)

    def beats(one: Release, other: Release) -> bool:
        one_is_site, other_is_site = one.scope.site != "*", other.scope.site != "*"
        if one_is_site != other_is_site:
            return one_is_site
        if one.from_us != other.from_us:
            return one.from_us > other.from_us
        return one.id > other.id

    governing = None
    for release in standing_ones:
        if all(release is other or beats(release, other) for other in standing_ones):
            governing = release

    reasons = set()
    if governing is None or not (
        is_live(governing) or is_recalled(governing) or is_expired(governing)
    ):
        reasons.add("gate.not_released")
    if facts.entry != DocumentState.IN_FORCE:
        reasons.add("gate.not_released")
    if governing is not None and is_recalled(governing):
        reasons.add("gate.recalled")
    if governing is not None and is_expired(governing):
        reasons.add("gate.expired")
    for hold in facts.holds:
        here = hold.scope.organisation == scope.organisation and (
            "*" in {hold.scope.site, scope.site} or hold.scope.site == scope.site
        )
        meant = hold.version is None or (
            governing is not None and hold.version == governing.version
        )
        if here and meant and hold.state != HoldState.LIFTED:
            reasons.add("gate.suspended")
    return reasons, governing


@settings(max_examples=1000)
@given(facts=FACTS, scope=ASKED, now=INSTANTS)
def test_standing_agrees_with_the_obvious_implementation(
    facts: StandingFacts, scope: Scope, now: int
) -> None:
    found = standing(facts, scope=scope, now_us=now)
    reasons, governing = obvious(facts, scope, now)
    assert set(found.reasons) == reasons
    assert found.may_answer is not bool(reasons)
    assert found.release == (None if reasons else governing)


@given(facts=FACTS, scope=ASKED, now=INSTANTS)
def test_reasons_come_in_their_order_and_once(facts: StandingFacts, scope: Scope, now: int) -> None:
    order = ["gate.recalled", "gate.suspended", "gate.expired", "gate.not_released"]
    places = [order.index(reason) for reason in standing(facts, scope=scope, now_us=now).reasons]
    assert places == sorted(set(places))


@given(facts=FACTS, scope=ASKED, now=INSTANTS)
def test_nothing_changes_by_time_alone_before_until(
    facts: StandingFacts, scope: Scope, now: int
) -> None:
    found = standing(facts, scope=scope, now_us=now)
    last = 30 if found.until_us is None else found.until_us - 1
    for later in range(now, last + 1):
        again = standing(facts, scope=scope, now_us=later)
        assert replace(again, until_us=found.until_us) == found


@given(facts=FACTS, scope=ASKED, now=INSTANTS)
def test_until_lies_in_the_future(facts: StandingFacts, scope: Scope, now: int) -> None:
    until_us = standing(facts, scope=scope, now_us=now).until_us
    assert until_us is None or until_us > now


@given(facts=FACTS, scope=ASKED, now=INSTANTS, added=HOLDS)
def test_a_further_hold_never_lets_anything_answer(
    facts: StandingFacts, scope: Scope, now: int, added: Hold
) -> None:
    before = standing(facts, scope=scope, now_us=now)
    after = standing(replace(facts, holds=(*facts.holds, added)), scope=scope, now_us=now)
    assert set(before.reasons) <= set(after.reasons)
    assert before.may_answer or not after.may_answer


@given(facts=FACTS, scope=ASKED, now=INSTANTS, which=st.sampled_from(VERSIONS))
def test_a_recalled_version_answers_nowhere(
    facts: StandingFacts, scope: Scope, now: int, which: str
) -> None:
    recalled = replace(facts, versions={**facts.versions, which: VersionState.RECALLED})
    found = standing(recalled, scope=scope, now_us=now)
    running = [release for release in (found.release, *found.companions) if release is not None]
    assert all(release.version != which for release in running)


@given(facts=FACTS, scope=st.sampled_from(SCOPES[1:3]), now=INSTANTS)
def test_a_site_never_answers_under_a_release_of_another_place(
    facts: StandingFacts, scope: Scope, now: int
) -> None:
    found = standing(facts, scope=scope, now_us=now)
    running = [release for release in (found.release, *found.companions) if release is not None]
    assert all(release.scope.covers(scope) for release in running)
