"""What the deployment knows: the governed records as frozen values.

Lives here: one frozen dataclass a governed table, and nothing that reads or writes a database.
Must not live here: SQL, HTTP, transitions (those are change_control's). Storage converts its rows
to these values at its boundary; operations and doors see nothing else of the tables.
"""
