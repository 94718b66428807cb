"""Reports: what the evidence says, in words, charts and documents that a person can check.

Lives here: view models read from evidence records, chart specifications, document templates, and
the wording of numbers, intervals and instants that the console shares. Must not live here:
statistics (a report shows the numbers of the evidence and computes none), decisions, HTTP. Who may
import it: operations and doors.

A report never claims compliance; it says what it provides evidence for (P16).
"""
