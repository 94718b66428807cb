"""Which market a question is about: a release answers only for its own.

A question that names a market gets the standing there. One that names none may mean only one: the
market in which a release is in service for the caller and the purpose. A market whose release is
recalled or on hold still counts, so that stopping one is not papered over by another (P11). Where
several count, nothing is guessed and the question is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from change_control.release.standing import Standing, StandingReason

_OUT_OF_SERVICE: Final = frozenset({StandingReason.NOT_RELEASED, StandingReason.EXPIRED})
_PRECEDENCE: Final = {reason: place for place, reason in enumerate(StandingReason)}


def standing_of_unnamed(markets: Mapping[str, Standing], *, nowhere: Standing) -> Standing | None:
    """Return the one standing that can be meant, or None where several can.

    `markets` holds the standing in each market with a release for the purpose, `nowhere` that of a
    market without one. Where nothing is in service, the most dangerous refusal is returned.
    """
    in_service = [found for found in markets.values() if not _OUT_OF_SERVICE & {*found.reasons}]
    if len(in_service) > 1:
        return None
    chosen = in_service[0] if in_service else min((*markets.values(), nowhere), key=_danger)
    ends = [found.until_us for found in markets.values() if found.until_us is not None]
    return replace(chosen, until_us=min(ends, default=None))


def _danger(standing: Standing) -> list[int]:
    return [_PRECEDENCE[reason] for reason in standing.reasons]
