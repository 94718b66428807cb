"""The generated pages of `docs/reference/` that `models` owns.

`python -m tests.unit.models.reference_pages --write` writes them; without `--write` it names those
that differ.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from models import dataset, entry
from tests.support.project import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = ROOT / "docs/reference"


def pages() -> dict[Path, str]:
    """Return every page with its content."""
    return {
        FOLDER / f"{name}.schema.json": json.dumps(schema, indent=2, sort_keys=True) + "\n"
        for name, schema in (("entry", entry.json_schema()), ("dataset", dataset.json_schema()))
    }


def main(arguments: list[str]) -> int:
    """Write the pages, or name those that differ."""
    expected = pages()
    differing = [
        path for path in expected if not path.exists() or path.read_text() != expected[path]
    ]
    for path in differing:
        if "--write" in arguments:
            path.write_text(expected[path], encoding="utf-8")
        else:
            sys.stdout.write(f"{path.name} differs from the code\n")
    return 0 if "--write" in arguments or not differing else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
