"""A log that succeeds another: what its first entry says of it, and what is carried over.

Lives here: the statement about the predecessor and its two signatures (`statement`), the state of
governance at its last kept entry (`state`), writing it into the successor (`carry`), and the new
home (`build`). Must not live here: who may close a log (`governance.operations.admin.succession`).
May be imported by: storage and operations.
"""
