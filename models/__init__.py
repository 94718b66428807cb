"""What a governed model is, and the six models of the oncology-drug lifecycle.

Lives here: the registry entry document (`entry`), the predictor interface that the gate serves
(`predictor`), strict reading of YAML documents (`documents`), row contracts (`rows`), and one
folder for each lifecycle model with its loader, contract, method, predictor and documents.

Must not live here: a database, HTTP, a clock, the environment, the file system, unseeded
randomness, logging. Loaders take an open source; documents are taken as text.

May be imported by: `change_control` and `governance`. May import: `audits`.
"""
