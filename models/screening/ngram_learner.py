"""A simple learner for structures written as text: which character sequences go with the label.

Definition: counts of the character n-grams of a structure's SMILES, weighed by a logistic model
    with an L2 penalty. It knows no chemistry: a baseline that a real model has to beat.
Formula: x = normalised hashed counts; P(label) = 1/(1 + exp(-(b + w x))); penalty |w|^2/(2 c).
Source: scikit-learn's HashingVectorizer and LogisticRegression; Vidal, Thormann and Pons (2005),
    Journal of Chemical Information and Modeling 45, 386-393 (SMILES substrings as descriptors).
Assumptions: structures are written by one program, so that one substructure is one text.
Failure modes: a salt's counter-ion is part of the text. Probabilities are shrunken by the penalty
    and, with balanced classes, not calibrated: recalibrate before they are read as probabilities.
Cost: a second for 1,200 structures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from audits.errors import SampleMalformed
from models.errors import FitRefused

if TYPE_CHECKING:
    import numpy as np

    from audits.estimate import Json
    from audits.sources.sample import Sample
    from audits.temporal.learning import Floats, Learner, Scorer

NAME: Final = "ngram-logistic"
BITS_MAX: Final = 20
"""2^20 hashed columns: more would only spread the same 4-grams thinner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NgramParameters:
    """Shortest and longest n-gram, log2 of the hashed columns, and the penalty's inverse c."""

    column: str = "structure"
    shortest: int = 2
    longest: int = 4
    bits: int = 15
    inverse_penalty: str = "1"
    balanced: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest <= 8:
            raise _refused("n-grams have between 1 and 8 characters, the shortest first")
        if not 8 <= self.bits <= BITS_MAX:
            raise _refused(f"bits lie between 8 and {BITS_MAX}")
        try:
            usable = 0 < float(self.inverse_penalty) < float("inf")
        except ValueError:
            usable = False
        if not usable:
            raise _refused("the inverse penalty is a positive number, written as decimal text")

    def as_record(self) -> dict[str, Json]:
        """Return the parameters in the JSON domain; `parse` reads them back."""
        return {name: getattr(self, name) for name in _TYPES}


_TYPES: Final[Mapping[str, type]] = {
    "column": str,
    "shortest": int,
    "longest": int,
    "bits": int,
    "inverse_penalty": str,
    "balanced": bool,
}


def parse(record: Mapping[str, Json]) -> NgramParameters:
    """Return the parameters of a record; FitRefused names a member unknown, missing or mistyped."""
    for name in sorted(set(record) ^ set(_TYPES)):
        raise _refused(f"member {name!r} is {'not known' if name in record else 'missing'}")
    for name, kind in _TYPES.items():
        if type(record[name]) is not kind:
            raise _refused(f"member {name!r} is not a {kind.__name__}")
    return NgramParameters(**dict(record))  # type: ignore[arg-type]  # every type was checked above


def ngram_learner(parameters: NgramParameters) -> Learner:
    """Return the learner; the generator that it is handed seeds the solver.

    Raises SampleMalformed where the rows have no such column or a row has no structure; FitRefused
    where training has one label only.
    """

    def learn(training: Sample, rng: np.random.Generator) -> Scorer:
        import numpy as np
        from sklearn.feature_extraction.text import HashingVectorizer
        from sklearn.linear_model import LogisticRegression

        label = training.label
        if label is None or set(np.unique(label)) != {0.0, 1.0}:
            raise _refused("training needs labels of 0 and 1, and both")
        words = HashingVectorizer(
            analyzer="char",
            lowercase=False,  # c is an aromatic carbon, C is not
            ngram_range=(parameters.shortest, parameters.longest),
            n_features=2**parameters.bits,
            alternate_sign=False,
            norm="l2",
        )
        model = LogisticRegression(
            C=float(parameters.inverse_penalty),
            class_weight="balanced" if parameters.balanced else None,
            solver="liblinear",
            dual=True,  # far fewer rows than columns
            max_iter=5_000,
            random_state=int(rng.integers(2**31 - 1)),
        )
        model.fit(words.transform(_texts(training, parameters.column)), label)

        def score(rows: Sample) -> Floats:
            texts = words.transform(_texts(rows, parameters.column))
            return np.asarray(model.predict_proba(texts)[:, 1], dtype=np.float64)

        return score

    return learn


def _texts(rows: Sample, column: str) -> list[str]:
    if column not in rows.categories:
        raise SampleMalformed(
            f"the rows have no column {column!r}", next_step="Name the column of structures."
        )
    category = rows.categories[column]
    if (category.codes < 0).any():
        raise SampleMalformed(
            f"{int((category.codes < 0).sum())} rows have no {column}",
            next_step="Leave rows without a structure out beforehand, and say so.",
        )
    return [category.levels[code] for code in category.codes]


def _refused(fault: str) -> FitRefused:
    return FitRefused(fault, next_step="correct the protocol's learner, or train on more rows")
