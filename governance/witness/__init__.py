"""A witness: what another party runs, so that a log cannot show two histories (P3).

Lives here: the witness's key and its small database (`home`, `store`), the rules of
c2sp.org/tlog-witness (`witness`), and its HTTP server (`server`). It keeps one checkpoint a log,
and sees origin, size and root: no entry and no data. Must not live here: anything of a deployment.
A witness that shared storage or keys with the log would share its faults, so this package imports
nothing of ours but `ledger.core`, `errors` and `clock`.
May be imported by: the command line.
"""
