"""Wire formats of the gate: bytes to a question, answers to bytes.

Lives here: one module a format (`json_v1`). Must not live here: HTTP, storage, decisions; a codec
is pure and knows only values of `gate` and `models`. Imported by: api.
"""
