"""The ledger in a database: its tables, the live tree, and the view that everybody reads.

Lives here: what the ledger itself needs stored (`tables`), the tree of this process (`live`),
bodies and their keys (`bodies`), and `LedgerView`, which gives entries, receipts and the verdict
of a full verification. Must not live here: governed records (`governance.storage`), SQL that
changes anything. May be imported by: storage, serving, operations and doors.
"""
