"""What people and systems may ask for: one use case a file, one folder a flow.

`admin` is identity and the home, `change` everything from a registered document to a release,
`watch` what follows a release, `inspect` what only reads. Each file declares its operation (name,
request, roles, the kinds of entry it may write) and `catalogue.OPERATIONS` lists them all; the
doors and the tests read that table. Must not live here: SQL, HTTP, rules (change_control's) and
statistics (audits'). Imported by the doors: cli, console, api.
"""
