"""The gate: whether a question may be answered, decided on values alone (P1).

Lives here: the question as the gate sees it (`ask`), every reason why it may be refused
(`reasons`), the market that it is about (`market`), and the ordered checks (`decide`). Must not
live here: storage, HTTP, a clock, files, JSON; all of it is pure. Imported by: codecs, serving and
api. May import: change_control, models.
"""
