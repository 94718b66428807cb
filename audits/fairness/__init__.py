"""Fairness: what a model does to groups of people, with the uncertainty that small groups have.

Lives here: counting by group (`cells`), metrics on counts (`metrics`) and on scores (`scores`),
every pair of groups with simultaneous limits (`gaps`), the view that users of fairlearn know
(`frame`), mitigations with their price (`mitigations`), and the audit kind `fairness` (`protocol`,
`audit`, `report`).

Must not live here: intervals of one number (`audits.intervals`), what a score is worth in general
(`audits.performance`), files, engines, unseeded randomness, and any word on what is just: a margin
is chosen by people and written into the protocol. Who may import it: the packages above.
"""
