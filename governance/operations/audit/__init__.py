"""Audits of rows: register a table, run a protocol on it, compare evidence; share counts.

Lives here: one use case a file. Must not live here: statistics (`audits`), engines (`adapters`),
rules about protocols (`change_control.audit`), what a column means (`models.dataset`). Imported by
the catalogue and the doors, as all of `operations`.
"""
