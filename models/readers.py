"""Readers of tables by name: the described CSV, and formats of public sources that know themselves.

A manifest names its reader, and the name stands in the record: what a file meant is as fixed as its
bytes are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from models.dataset import CSV, Manifest
from models.errors import ReaderUnknown
from models.table import Table, read_table

Reader = Callable[[str, Manifest], Table]

READERS: Final[Mapping[str, Reader]] = MappingProxyType({CSV: read_table})


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
