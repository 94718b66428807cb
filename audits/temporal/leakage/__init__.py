"""Detectors of leakage and data faults: each says what it found, where, and how it looked.

Lives here: the shape of a finding (`finding`), what the detectors are told about the two sides
(`material`), the detectors by what they read (`sides`, `timing`, `columns`, `labels`, `scale`), and
the examination that runs all of them under one false-alarm bound (`examination`).

Must not live here: repairs. A detector changes nothing and names no patient: row numbers and counts
leave it, values do not (P15). May be imported by: `audits.temporal` and the packages above.
"""
