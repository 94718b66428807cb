"""The generated page of `docs/reference/` that `models` owns.

`python -m tests.unit.models.reference_pages --write` writes it; without `--write` it names it if
it differs.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from models import entry
from tests.support.project import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = ROOT / "docs/reference"


def pages() -> dict[Path, str]:
    """Return every page with its content."""
    schema = json.dumps(entry.json_schema(), indent=2, sort_keys=True) + "\n"
    return {FOLDER / "entry.schema.json": schema}


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
