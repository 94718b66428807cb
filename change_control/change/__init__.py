"""The change flow: the plan as a typed document, governed documents, and the change request.

Must not live here: how evidence is computed (audits) or how a step is written down (governance).
"""
