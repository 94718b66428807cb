"""Sentences that say why, made from contributions and a dictionary fixed with the entry.

Definition: the dictionary gives each feature its plain words, its unit, the direction that is
    expected of it and the source for that; levels give words to coded values. A rationale names the
    features with the largest contributions, upward and downward, each with its value.
Formula: none; contributions are ordered by size, ties by name.
Source: the house rule that no free text of a row reaches a text that is signed; OWASP Top 10 for
    Large Language Model Applications (2025), LLM01, on text that carries instructions.
Assumptions: the dictionary was reviewed with the entry.
Failure modes: a feature or a level without an entry is refused, not shown as it came: a row can add
    numbers to a rationale, and nothing else. A contribution against the expected direction is said
    to be so; that is a question for the model's owner.
Cost: one sort.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from audits.estimate import decimal_text
from audits.explanation.contributions import malformed

Expected: TypeAlias = Literal["higher_raises", "higher_lowers", "either"]

WORDS: Final = re.compile(r"[^\W_](?:[^\W_]|[ ,.()/%+'’−–-]){0,119}")
"""Letters and digits of any language, and the marks that names of findings need; no line breaks, no
markup, no quotation, no address."""
UNIT: Final = re.compile(r"(?:[^\W_]|[ /%.^²³·µ°-]){0,24}")
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
DIGITS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureWords:
    """What a rationale may say about one feature.

    `baseline` is the value that adds nothing. `levels` gives words to values that are codes, by the
    code's decimal text; where it is not empty, every value needs its words.
    """

    name: str
    words: str
    source: str
    unit: str = ""
    expected: Expected = "either"
    baseline: float | None = None
    levels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise malformed(f"{self.name!r} is no name of a feature")
        for text in (self.words, self.source, *self.levels.values()):
            if not WORDS.fullmatch(text):
                raise malformed(f"{text!r} of {self.name!r} is not plain words of one line")
        if not UNIT.fullmatch(self.unit):
            raise malformed(f"{self.unit!r} of {self.name!r} is no unit")
        if self.expected not in ("higher_raises", "higher_lowers", "either"):
            raise malformed(f"{self.expected!r} is no expected direction of {self.name!r}")
        if self.baseline is not None and not math.isfinite(self.baseline):
            raise malformed(f"the baseline of {self.name!r} is a finite number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rationale:
    """Sentences in reading order, and the features they name."""

    sentences: tuple[str, ...]
    named: tuple[str, ...]
    unexpected: tuple[str, ...]
    """Features whose contribution went against the direction that the dictionary expects."""


def rationale(
    contributions: Mapping[str, float],
    values: Mapping[str, object],
    *,
    dictionary: Mapping[str, FeatureWords],
    outcome: str,
    most: int = 3,
    least: float = 0.0,
) -> Rationale:
    """Return why: at most `most` features each way whose contribution exceeds `least` in size.

    `outcome` is what a positive contribution makes likelier ("the outcome"). Raises
    ExplanationMalformed for features or levels without words.
    """
    if not WORDS.fullmatch(outcome):
        raise malformed(f"{outcome!r} is not plain words of one line")
    if most < 1 or not least >= 0:
        raise malformed("a rationale names at least one feature, and `least` is not negative")
    for name, word in dictionary.items():
        if name != word.name:
            raise malformed(f"the dictionary has {word.name!r} under {name!r}")
    for name, x in contributions.items():
        if name not in dictionary or name not in values:
            raise malformed(f"feature {name!r} has no words or no value")
        if not math.isfinite(x):
            raise malformed(f"the contribution of {name!r} is not a finite number")
    ordered = sorted(contributions, key=lambda name: (-abs(contributions[name]), name))
    up = [name for name in ordered if contributions[name] > least][:most]
    down = [name for name in ordered if contributions[name] < -least][:most]
    numbers = {name: _number(name, values[name]) for name in (*up, *down)}
    said = {name: _said(dictionary[name], numbers[name]) for name in (*up, *down)}
    against = tuple(
        name
        for name in (*up, *down)
        if _against(dictionary[name], numbers[name], contributions[name])
    )
    sentences = [
        f"{verb} the estimated chance of {outcome}: {'; '.join(said[name] for name in names)}."
        for verb, names in (("Raised", up), ("Lowered", down))
        if names
    ]
    sentences += [
        f"Against the expected direction: {dictionary[name].words} ({dictionary[name].source})."
        for name in against
    ]
    if not (up or down):
        sentences = ["No feature moved the estimate from the usual by more than the stated least."]
    return Rationale(sentences=tuple(sentences), named=(*up, *down), unexpected=against)


def _said(word: FeatureWords, value: float) -> str:
    number = decimal_text(value, digits=DIGITS)
    if word.levels:
        if number not in word.levels:
            raise malformed(f"the value {number} of {word.name!r} has no words")
        return f"{word.words}: {word.levels[number]}"
    unit = f" {word.unit}" if word.unit else ""
    usual = ""
    if word.baseline is not None:
        usual = f" (usual {decimal_text(word.baseline, digits=DIGITS)}{unit})"
    return f"{word.words} {number}{unit}{usual}"


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise malformed(f"the value of {name!r} is not a finite number")
    return float(value)


def _against(word: FeatureWords, value: float, contribution: float) -> bool:
    if word.expected == "either" or word.baseline is None or value == word.baseline:
        return False
    higher = value > word.baseline
    raises = higher if word.expected == "higher_raises" else not higher
    return raises != (contribution > 0)
