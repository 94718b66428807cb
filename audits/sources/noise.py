"""Noise for counts, drawn exactly: two-sided geometric, with whole numbers from random bytes only.

Definition: the discrete Laplace distribution with rational scale t: P(k) is proportional to
    exp(-|k| / t). Added to counts that one subject changes by at most d in sum, it is epsilon-
    differentially private with epsilon = d / t.
Formula: p = exp(-1/t); P(0) = (1 - p)/(1 + p); variance 2 p / (1 - p)^2.
Source: Canonne, Kamath and Steinke (2020), The Discrete Gaussian for Differential Privacy,
    arXiv:2004.00010, algorithms 1 and 2; Ghosh, Roughgarden and Sundararajan (2012), SIAM Journal
    on Computing 41(6), 1673-1693 (the two-sided geometric mechanism).
Assumptions: the bytes are uniform, independent and secret.
Failure modes: no floating point is used in drawing, because its gaps give the secret away (Mironov
    2012); how long a draw takes still depends on it.
Cost: about twenty small draws a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TypeAlias

RandomBytes: TypeAlias = Callable[[int], bytes]


class Dice:
    """Exact draws from random bytes."""

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._bytes = random_bytes

    def below(self, bound: int) -> int:
        """Return a uniform whole number from 0 to bound - 1; those that would bias are rejected."""
        size = (bound.bit_length() + 7) // 8
        spare = 8 * size - bound.bit_length()
        while True:
            drawn = int.from_bytes(self._bytes(size)) >> spare
            if drawn < bound:
                return drawn

    def bernoulli_exp(self, gamma: Fraction) -> bool:
        """Return true with probability exp(-gamma), gamma >= 0 (algorithm 1)."""
        while gamma > 1:
            if not self._exp_to_one(Fraction(1)):
                return False
            gamma -= 1
        return self._exp_to_one(gamma)

    def two_sided_geometric(self, scale: Fraction) -> int:
        """Return k with probability proportional to exp(-|k| / scale) (algorithm 2)."""
        numerator, denominator = scale.numerator, scale.denominator
        while True:
            start = self.below(numerator)
            if not self.bernoulli_exp(Fraction(start, numerator)):
                continue
            whole = 0
            while self.bernoulli_exp(Fraction(1)):
                whole += 1
            size = (start + numerator * whole) // denominator
            if size == 0:
                if self.below(2):
                    return 0
                continue
            return size if self.below(2) else -size

    def _exp_to_one(self, gamma: Fraction) -> bool:
        count = 1
        while self.below(gamma.denominator * count) < gamma.numerator:
            count += 1
        return count % 2 == 1


def variance_of(scale: Fraction) -> float:
    """Return the variance of the noise."""
    p = math.exp(-1 / float(scale))
    return 2 * p / (1 - p) ** 2
