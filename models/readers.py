"""Readers of tables by name: the described CSV, and formats of public sources that know themselves.

A manifest names its reader, and the name stands in the record: what a file meant is as fixed as its
bytes are.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from audits.sources.sample import Sample
from models.dataset import CSV, Manifest
from models.errors import ReaderUnknown
from models.table import Table, read_table

Reader = Callable[[str, Manifest], Table]


def _iwpc_warfarin(text: str, manifest: Manifest) -> Table:
    """Read the consortium's table, with the dose of every published rule beside the recorded one.

    Columns: key `patient`; numbers `stable_dose` and one a rule, mg a week; the attributes.
    """
    from models.dosing.loader import load_warfarin
    from models.dosing.published import table

    return _table(table(load_warfarin(io.StringIO(text))).sample(), manifest, label="stable_dose")


def _approvals(text: str, manifest: Manifest) -> Table:
    """Read the table of approved drugs.

    Columns: key `molecule`; number `antineoplastic`; `structure`, `endocrine`, `first_approval`.
    """
    from models.screening.loader import load_approvals

    return _table(load_approvals(text).sample, manifest, label="antineoplastic")


def _table(sample: Sample, manifest: Manifest, *, label: str) -> Table:
    """Return the columns of a reader's own sample under their names."""
    numbers = dict(sample.numbers)
    if sample.label is not None:
        numbers[label] = sample.label
    return Table(
        rows=sample.n,
        unit=manifest.unit,
        keys={manifest.unit: sample.subject},
        numbers=numbers,
        categories=sample.categories,
        times=sample.times,
    )


READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {CSV: read_table, "iwpc-warfarin": _iwpc_warfarin, "approvals": _approvals}
)


def read(text: str, manifest: Manifest) -> Table:
    """Return the table of `text`.

    Raises ContractRefused with every fault, and ReaderUnknown where nothing reads such tables.
    """
    reader = READERS.get(manifest.reader)
    if reader is None:
        raise ReaderUnknown(
            f"no reader is called {manifest.reader!r}",
            next_step=f"name one of: {', '.join(READERS)}",
        )
    return reader(text, manifest)
