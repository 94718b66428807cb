"""Intervals, resampling, simultaneous limits, multiplicity and power: how well a number is known.

Lives here: limits for proportions and their differences and ratios, the bootstraps, limits that
hold for many comparisons at once, decisions over several criteria, and the n that a criterion
needs. Must not live here: metrics, sources, files, engines, unseeded randomness. Who may import it:
every other room of `audits` and the packages above. It knows `estimate`, `criteria` and `errors`.
"""
