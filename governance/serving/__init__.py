"""Answering: from a question to a recorded answer (P1, P2).

Lives here: the picture of the registry that the gate decides on (`snapshot`), predictors built
from verified bytes (`artifacts`), both joined and kept current (`state`), and the path of one
question (`answer`). Must not live here: HTTP, wire formats, rules (those are `gate`'s and
`change_control`'s), writes other than answers. Imported by: api and deployment code.
"""
