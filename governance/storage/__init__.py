"""Where everything durable is written: one pen a process, and the tables that it keeps.

Lives here: the engines with their asserted settings, the governed tables as projections of the
ledger's facts, the schema's revisions, the pen (`committer.py`) and the check that folds every
row again (`rebuild.py`). Must not live here: rules about what may happen, keys, HTTP. Only the
pen opens a writing connection, and only `open.py` makes a pen.
May be imported by: operations and serving, through `ports.py`; the deployment, through `open.py`.
"""
