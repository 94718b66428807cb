"""The check of each row: inside its contract and inside the intended use, or it abstains (P1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audits.estimate import Json
from models.entry import Entry
from models.predictor import Predictor, RowAnswer, abstained
from models.rows import RowChecker

OUTSIDE_USE = "row.outside_use"


class RowGate:
    """The row checks of one entry, made ready once and asked for every row."""

    __slots__ = ("_checker", "_use")

    def __init__(self, entry: Entry) -> None:
        self._checker = RowChecker(entry.input)
        self._use = entry.use

    def abstention(self, row: Mapping[str, object]) -> RowAnswer | None:
        """Return the abstention that the row deserves, or None where the model may speak.

        The explanation names declared fields only: the name of another field is the caller's
        data (P15).
        """
        faults = self._checker.faults(row)
        if faults.reasons:
            named: dict[str, Json] = dict(faults.fields)
            explanation: dict[str, Json] = {
                "fields": named,
                "undeclared_fields": faults.undeclared,
            }
            return abstained(faults.reasons, explanation=explanation)
        outside = self._use.fields_outside(row)
        if outside:
            fields: dict[str, Json] = dict.fromkeys(outside, OUTSIDE_USE)
            return abstained((OUTSIDE_USE,), explanation={"fields": fields})
        return None

    def answer(self, predictor: Predictor, rows: Sequence[Mapping[str, object]]) -> list[RowAnswer]:
        """Return one answer a row, in order; the predictor sees only rows that may be answered."""
        abstentions = [self.abstention(row) for row in rows]
        speakable = [row for row, silent in zip(rows, abstentions, strict=True) if silent is None]
        spoken = predictor.predict(speakable) if speakable else []
        if len(spoken) != len(speakable):
            raise RuntimeError("the predictor must give one answer a row")
        following = iter(spoken)
        return [next(following) if silent is None else silent for silent in abstentions]
