"""Statistical audits: what is known about a model, how well, and with what uncertainty.

Lives here: pure functions that turn recorded data into `Estimate`s, verdicts against criteria
fixed beforehand, group comparisons, and monitoring triggers with a declared false-alarm rate.

Must not live here: databases, HTTP, clocks, the environment, files, logging, unseeded randomness,
and any word about one particular model's feature pipeline. A generator of random numbers is always
an argument, and inputs are never changed.

May be imported by: `models`, `change_control` and `governance`. Imports none of them.
"""
