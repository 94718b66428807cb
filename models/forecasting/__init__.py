"""The forecasting model: monthly demand for oncology medicines, 1 to 24 months ahead.

Lives here: the loader of the monthly prescription table (`loader`), its data contract and the
contract of a row (`contract`), the method that fits and calibrates (`method`), the predictor that
the gate serves (`predictor`), a planted fault for demonstrations (`simulate`), and the governed
documents as package data, named in `DOCUMENTS`.

Must not live here: reading a file (documents are found by name and read by `governance`), a
trained artifact, a row of data. Heavy libraries are imported inside the functions that fit.
"""

from collections.abc import Mapping
from types import MappingProxyType

DOCUMENTS: Mapping[str, str] = MappingProxyType(
    {
        "entry": "entry.yaml",
        "plan": "plan.yaml",
        "monitoring": "monitoring.yaml",
        "entry-demo": "entry-demo.yaml",
        "plan-demo": "plan-demo.yaml",
        "monitoring-demo": "monitoring-demo.yaml",
    }
)
"""Governed documents in this package by what they are. `governance` reads them with
`importlib.resources.files("models.forecasting") / name`: reading is not pure, naming is."""
