"""The generated pages of `docs/reference/` that this package owns.

`python -m tests.unit.change_control.reference_pages --write` writes them; without `--write` it
names those that differ.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from change_control.audit import protocol
from change_control.change import plan
from change_control.describe import markdown_page
from change_control.watch import monitoring
from tests.support.project import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = ROOT / "docs/reference"
LIFECYCLES_PAGE: Final = FOLDER / "lifecycles.md"


def pages() -> dict[Path, str]:
    """Return every page with its content."""
    return {
        LIFECYCLES_PAGE: markdown_page(),
        FOLDER / "plan.schema.json": _json(plan.json_schema()),
        FOLDER / "monitoring.schema.json": _json(monitoring.json_schema()),
        FOLDER / "audit.schema.json": _json(protocol.json_schema()),
    }


def _json(schema: dict[str, object]) -> str:
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write the pages, or name those that differ."""
    for path, content in pages().items():
        if arguments == ["--write"]:
            path.write_text(content, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != content:
            print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
