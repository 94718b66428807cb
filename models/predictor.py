"""The interface between a governed model and the gate, and the one way to load a predictor.

A predictor is built from canonical-JSON parameters whose bytes were verified before (P1): nothing
is unpickled, no library is imported at load, and the answer to a row depends on that row alone,
so that micro-batching can never change it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from audits.estimate import Json
from models.errors import PredictorUnknown


class Disposition(StrEnum):
    """What became of a row that reached the predictor; refusing and withholding are the gate's."""

    ANSWERED = "answered"
    ABSTAINED = "abstained"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAnswer:
    """The answer to one row; numbers inside are integers or decimal strings, never floats.

    An answered row has a prediction, its uncertainty and an explanation and no reasons. An
    abstained row has at least one reason code, and no prediction.
    """

    disposition: Disposition
    prediction: dict[str, Json] | None
    uncertainty: dict[str, Json] | None
    explanation: dict[str, Json] | None
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a half answer: it is a fault of the predictor, not of the caller."""
        if self.disposition is Disposition.ANSWERED:
            complete = None not in (self.prediction, self.uncertainty, self.explanation)
            sound = complete and not self.reasons
        else:
            sound = self.prediction is None and self.uncertainty is None and bool(self.reasons)
        if not sound:
            raise RuntimeError(f"a predictor built an inconsistent {self.disposition} answer")


def answered(
    *,
    prediction: dict[str, Json],
    uncertainty: dict[str, Json],
    explanation: dict[str, Json],
) -> RowAnswer:
    """Return the answer to a row that the model can speak about."""
    return RowAnswer(
        disposition=Disposition.ANSWERED,
        prediction=prediction,
        uncertainty=uncertainty,
        explanation=explanation,
        reasons=(),
    )


def abstained(reasons: tuple[str, ...], *, explanation: dict[str, Json] | None = None) -> RowAnswer:
    """Return an honest abstention; `reasons` are stable codes and never hold caller data (P15)."""
    return RowAnswer(
        disposition=Disposition.ABSTAINED,
        prediction=None,
        uncertainty=None,
        explanation=explanation,
        reasons=reasons,
    )


class Predictor(Protocol):
    """What the gate serves: rows in, one answer a row, in order, without raising on bad rows."""

    @property
    def kind(self) -> str:
        """Return the kind of parameters that this predictor was built from."""
        ...

    def predict(self, rows: Sequence[Mapping[str, object]]) -> list[RowAnswer]:
        """Answer every row; a row outside the contract abstains with all of its reasons."""
        ...


def load_predictor(kind: str, parameters: Json) -> Predictor:
    """Build the predictor of `kind`; PredictorUnknown or PredictorInvalid, never a guess."""
    loader = _loaders().get(kind)
    if loader is None:
        raise PredictorUnknown(
            f"no predictor of kind {kind!r} is known",
            next_step="name one of: " + ", ".join(sorted(_loaders())),
        )
    return loader(parameters)


def _loaders() -> dict[str, Callable[[Json], Predictor]]:
    # Imported here so that `models.predictor` can be imported by the predictors themselves.
    from models.forecasting.predictor import KIND, load_path_table

    return {KIND: load_path_table}
