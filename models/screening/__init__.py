"""The screening model: which molecules are antineoplastic, from their structure.

Lives here: the loader of the table of approved drugs (`loader`), a simple learner on the text of
the structure (`ngram_learner`), and the protocol of the temporal audit as package data, named in
`DOCUMENTS`.

Must not live here: reading a file, a trained artifact, a row of data. Heavy libraries are imported
inside the functions that fit.
"""

from collections.abc import Mapping
from types import MappingProxyType

DOCUMENTS: Mapping[str, str] = MappingProxyType(
    {
        "entry": "entry.yaml",
        "dataset": "dataset.yaml",
        "temporal-protocol": "temporal-protocol.yaml",
    }
)
"""Documents in this package by what they are; `governance` reads them, naming is pure."""
