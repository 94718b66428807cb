"""The standing of a model in a scope, for each purpose and market, from what is on record now.

It is the gate's own reading (`governance.gate.market.standing_at`): a release of one market says
nothing about another, and one that is stopped is not covered up by one that is not (P11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from change_control.change.documents import DocumentKind, DocumentState
from change_control.release.standing import Standing, StandingFacts, standing
from change_control.release.version import VersionState
from change_control.scope import Scope
from governance.gate.market import by_market, most_dangerous, out_of_service, standing_at
from governance.operations.rules import document_in_force
from governance.registry.records import Hold, Release, Version
from governance.registry.standing import hold_of, release_of
from governance.storage.ports import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceStanding:
    """The standing for one purpose in one market; both are None where nothing is released."""

    purpose: str | None
    market: str | None
    standing: Standing


def standings_of(
    reader: Reader, *, model: str, scope: Scope, now_us: int
) -> tuple[PlaceStanding, ...]:
    """Return the standing of each purpose and market in service; one refusal where none is.

    A question that names the market gets exactly this from the gate.
    """
    facts = standing_facts(reader, model=model)
    nothing_released = replace(facts, releases=())
    places: list[PlaceStanding] = []
    for purpose in sorted({release.purpose for release in facts.releases}):
        markets = by_market(facts, purpose=purpose)
        for market in markets:
            found = standing_at(
                markets,
                nothing_released=nothing_released,
                market=market,
                scope=scope,
                now_us=now_us,
            )
            assert found is not None, "the market is named"
            places.append(PlaceStanding(purpose=purpose, market=market, standing=found))
    in_service = tuple(place for place in places if not out_of_service(place.standing))
    if in_service:
        return in_service
    nowhere = standing(nothing_released, scope=scope, now_us=now_us)
    worst = most_dangerous([*(place.standing for place in places), nowhere])
    return (PlaceStanding(purpose=None, market=None, standing=worst),)


def standing_together(places: Sequence[PlaceStanding]) -> Standing:
    """Return what of several places a reader must not miss."""
    return most_dangerous(place.standing for place in places)


def standing_facts(reader: Reader, *, model: str) -> StandingFacts:
    """Return what is on record about the model as change control reads it."""
    return StandingFacts(
        entry=_entry_state(reader, model),
        releases=tuple(release_of(release) for release in reader.find(Release, model=model)),
        holds=tuple(hold_of(hold) for hold in reader.find(Hold, model=model)),
        versions=_versions(reader, model),
    )


def _entry_state(reader: Reader, model: str) -> DocumentState | None:
    document = document_in_force(reader, kind=DocumentKind.ENTRY, model=model)
    return DocumentState(document.state) if document else None


def _versions(reader: Reader, model: str) -> Mapping[str, VersionState]:
    return {
        version.id: VersionState(version.state) for version in reader.find(Version, model=model)
    }
