"""The trail as people search it: what an entry is found by, and a disposable index over that.

Everything here is derived from the ledger and can be thrown away. The pen knows nothing of it.
"""
