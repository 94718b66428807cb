"""Every operation of the catalogue, written to docs/reference/operations.md.

`python -m tests.architecture.operations_page --write` writes the page anew; without `--write` it
prints it. `test_operations_page.py` compares the page with the catalogue.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from governance.operations.catalogue import OPERATIONS
from governance.operations.operation import Operation
from tests.support.project import ROOT

PAGE: Final = ROOT / "docs/reference/operations.md"
_HEAD: Final = """# Operations

What people do, by name. The console, the command line and the home's socket perform these and
nothing else; each runs as the person who is signed in. *Takes* lists what a request holds: `name?`
may be left out, and a name in *italics* is a secret that the person types. *Records* lists the
kinds of entry that it may write; an operation that records nothing is for everybody who holds a
role, unless it asks for more itself. *Again* says why a repetition does no harm, which is what a
person needs to know after a connection broke.

Written by `python -m tests.architecture.operations_page --write`; a test compares it with the
catalogue. Each operation that records is crashed at each of its writes in
`tests/unit/operations/test_crash_matrix.py`.

| operation | takes | records | again |
|---|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    return _HEAD + "\n".join(_row(one) for one in _sorted()) + "\n"


def _sorted() -> list[Operation[Any, Any]]:
    return [OPERATIONS[name] for name in sorted(OPERATIONS)]


def _row(operation: Operation[Any, Any]) -> str:
    fields = [_field(name, one) for name, one in operation.request.model_fields.items()]
    cells = [
        f"`{operation.name}`",
        ", ".join(fields) or "nothing",
        ", ".join(f"`{kind}`" for kind in operation.kinds) or "nothing",
        operation.repeated.replace("|", "/"),
    ]
    return f"| {' | '.join(cells)} |"


def _field(name: str, field: FieldInfo) -> str:
    if field.annotation is SecretStr:
        return f"*{name}*"
    return f"`{name}`" if field.is_required() else f"`{name}?`"


def main(arguments: list[str]) -> int:
    """Write or print the page."""
    if arguments == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
