"""Why a model answers as it does: contributions, importance, monotonicity, and words for them.

Lives here: exact contributions of linear and additive models and of trees, global importance and
its stability, checks of declared monotonicity, rationale text from a feature dictionary. Must not
live here: the models themselves (a scorer is handed in as a callable), performance, anything that
reads a file. Who may import it: the packages above `audits`.
"""
