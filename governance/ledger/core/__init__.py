"""The pure part of the ledger: bytes in, bytes or verdicts out.

Lives here: canonical JSON, the entry and its commitments, the Merkle tree, signed notes,
checkpoints, witness policies, receipts, the body cipher, and the verification of a whole log.
Must not live here: files, databases, clocks, randomness. Salts, nonces, keys and instants are
arguments. Every refusal is one of the classes in `errors`; no exception of a library escapes.
May be imported by: everybody in `governance`. `docs/reference/ledger-format.md` specifies every
byte that this package writes, well enough to write a second verifier from it alone (P14).
"""
