"""What may happen: the rules by which governed models change, are released, watched and stopped.

Here live the three lifecycles and the review as frozen transition tables, the standing of a model,
scopes and roles, the typed change plan and monitoring plan, and the assurance tier. All of it is
pure: instants come as `now_us` (integer microseconds, UTC), documents as text, everything else as
frozen values. A table here is the only table: the shell executes it, the console draws its buttons
from it, the reference page is generated from it.

Must not live here: a database, HTTP, a clock, the file system, randomness, logging; and nothing
that computes evidence (that is audits'). May import `models` and `audits`; only `governance` may
import this package.
"""
