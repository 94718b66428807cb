"""The audit ledger: what was done, in an order that cannot be changed quietly (P3).

Lives here: the record format, the Merkle tree, checkpoints, receipts and their verification
(`core`, pure), and beside it the code that writes entries to a database and signs the head.
Must not live here: what an entry means. The ledger stores canonical bytes; `registry` and the
operations give them meaning. There is no function that changes or removes an entry, and none may
be added: a correction is a new entry that points at the old one.
May be imported by: the committer, operations, serving, doors and reports. `core` may be imported
by everybody in `governance`, imports nothing of it but `governance.errors`, and does no I/O.
"""
