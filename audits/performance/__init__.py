"""How well scores tell, agree and serve: discrimination, calibration, utility, and their relatives.

Lives here: one module a family of measures, each returning `Estimate`s whose intervals count
subjects and not rows; `audit` with the kinds `discrimination` and `calibration`. Must not live
here: gaps between groups (fairness), change over time as a test (temporal, drift), anything that
reads a table. Who may import it: the rooms temporal, drift and fairness, and the packages above.
"""
