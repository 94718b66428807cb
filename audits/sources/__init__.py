"""What an audit reads: rows (`Sample`), counts (`Tally`) or windows in order (`Series`).

Lives here: the three sources, how rows become counts, and how counts are merged, disclosed and
written. Must not live here: metrics and verdicts, files, engines. Who may import it: every other
room of `audits`, and the packages above.
"""
