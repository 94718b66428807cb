"""Which market a question is about: a release answers only for its own.

A question that names a market gets the standing there. One that names none may mean only one: the
market in which a release is in service for the caller and the purpose. A market whose release is
recalled or on hold still counts, so that stopping one is not papered over by another (P11). Where
several count, nothing is guessed and the question is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from change_control.release.standing import Standing, StandingFacts, StandingReason, standing
from change_control.scope import Scope

_OUT_OF_SERVICE: Final = frozenset({StandingReason.NOT_RELEASED, StandingReason.EXPIRED})
_PRECEDENCE: Final = {reason: place for place, reason in enumerate(StandingReason)}


def by_market(facts: StandingFacts, *, purpose: str) -> dict[str, StandingFacts]:
    """Return the facts of each market with a release for the purpose; all hold the same stops."""
    of_purpose = [release for release in facts.releases if release.purpose == purpose]
    return {
        name: replace(facts, releases=tuple(one for one in of_purpose if one.market == name))
        for name in sorted({release.market for release in of_purpose})
    }


def standing_at(
    markets: Mapping[str, StandingFacts],
    *,
    nothing_released: StandingFacts,
    market: str | None,
    scope: Scope,
    now_us: int,
) -> Standing | None:
    """Return the standing for a scope and market, or None where `market` is wanting.

    `markets` are those of one purpose (`by_market`). The gate and the pages both ask this.
    """
    if market is not None:
        return standing(markets.get(market, nothing_released), scope=scope, now_us=now_us)
    return standing_of_unnamed(
        {name: standing(facts, scope=scope, now_us=now_us) for name, facts in markets.items()},
        nowhere=standing(nothing_released, scope=scope, now_us=now_us),
    )


def standing_of_unnamed(markets: Mapping[str, Standing], *, nowhere: Standing) -> Standing | None:
    """Return the one standing that can be meant, or None where several can.

    `markets` holds the standing in each market with a release for the purpose, `nowhere` that of a
    market without one. Where nothing is in service, the most dangerous refusal is returned.
    """
    in_service = [found for found in markets.values() if not out_of_service(found)]
    if len(in_service) > 1:
        return None
    chosen = in_service[0] if in_service else min((*markets.values(), nowhere), key=_danger)
    ends = [found.until_us for found in markets.values() if found.until_us is not None]
    return replace(chosen, until_us=min(ends, default=None))


def most_dangerous(standings: Iterable[Standing]) -> Standing:
    """Return the standing of several that a reader must not miss (P11).

    That is a refusal in service, else one that may answer, else the refusal that is most dangerous
    to get wrong.
    """
    found = list(standings)
    stopped = [one for one in found if one.reasons and not out_of_service(one)]
    answering = [one for one in found if one.may_answer]
    return min(stopped or answering[:1] or found, key=_danger)


def out_of_service(found: Standing) -> bool:
    """Whether no release is in service, rather than one that a hold or a recall stops."""
    return bool(_OUT_OF_SERVICE & {*found.reasons})


def _danger(found: Standing) -> list[int]:
    return [_PRECEDENCE[reason] for reason in found.reasons]
