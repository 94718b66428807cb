"""The command `vigil`: a door. It parses words, asks an operation, prints what comes back.

Nothing heavy is imported when help is asked for; every command imports what it needs when it runs.
Must not live here: rules, SQL, statistics. Nobody imports it.
"""
