"""Audit protocols: what an audit of rows will ask and how, frozen before the rows are read (P4).

Lives here: the document and its checks. Must not live here: methods (`audits`), files, the ledger.
Who may import it: `governance`.
"""
