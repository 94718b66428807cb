"""Learners by name, for audits that fit anew: a protocol names one and fixes its parameters.

The name and every parameter stand in the frozen protocol, so what was fitted is as fixed as what
was asked (P4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from audits.estimate import Json
from models.errors import LearnerUnknown

if TYPE_CHECKING:
    from audits.temporal.learning import Learner


def _ngram_logistic(parameters: Mapping[str, Json]) -> Learner:
    from models.screening.ngram_learner import ngram_learner, parse

    return ngram_learner(parse(parameters))


LEARNERS: Final[Mapping[str, Callable[[Mapping[str, Json]], Learner]]] = MappingProxyType(
    {"ngram-logistic": _ngram_logistic}
)


def learner_of(name: str, parameters: Mapping[str, Json]) -> Learner:
    """Return the learner; LearnerUnknown, or FitRefused naming the parameter at fault."""
    make = LEARNERS.get(name)
    if make is None:
        raise LearnerUnknown(
            f"no learner is called {name!r}",
            next_step=f"name one of: {', '.join(LEARNERS)}",
        )
    return make(parameters)
