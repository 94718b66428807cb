"""The watch: the typed monitoring plan, what a finding obliges to, and the human decision on it.

Must not live here: the statistics of a monitor (audits) and its schedule in a process (governance).
"""
