"""Versions, releases and holds, and the question that the gate asks: may this model answer.

Must not live here: the checks on a single ask (governance.gate), which come after standing.
"""
