"""Dosing: published warfarin dosing rules and the table on which they are audited.

Lives here: the loader of the public warfarin table of the International Warfarin Pharmacogenetics
Consortium (`loader`), the dosing rules that were published (`published`), and the protocol of the
fairness audit that compares them, as package data (`DOCUMENTS` names it, its entry and
its manifest).

Must not live here: reading a file (documents are found by name and read by `governance`), a row of
data, advice to a patient. Who may import it: `governance`. Imports `audits` only.
"""

from collections.abc import Mapping
from types import MappingProxyType

DOCUMENTS: Mapping[str, str] = MappingProxyType(
    {
        "entry": "entry.yaml",
        "dataset": "dataset.yaml",
        "fairness-protocol": "fairness-protocol.yaml",
    }
)
"""Documents in this package by what they are; `governance` reads them, naming them is pure."""
