"""Every stable error code: found by walking the classes, written to docs/reference/errors.md.

`python -m tests.architecture.error_codes --write` writes the page anew; without `--write` it prints
it. `test_docs.py` compares the codes of the page with those of the code.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from dataclasses import dataclass
from typing import Final

from tests.support.project import PACKAGES, ROOT

PAGE: Final = ROOT / "docs/reference/errors.md"
ROOTS: Final = (
    ("governance.errors", "GovernanceError"),
    ("change_control.errors", "ChangeControlError"),
    ("models.errors", "ModelError"),
    ("audits.errors", "AuditError"),
)
_ROW: Final = re.compile(r"^\| `([a-z_.0-9]+)` \|", re.MULTILINE)
_HEAD: Final = """# Error codes

What programs may match on. A code keeps its meaning for good; sentences and next steps may change.
Over HTTP it is the member `code` of the problem details, on the command line the field `code` of
`--json`. Status is what the HTTP interface answers, exit what the command line ends with.

Written by `python -m tests.architecture.error_codes --write`; a test compares it with the code.

| code | meaning | status | exit | class |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCode:
    """One class that has a code of its own."""

    code: str
    meaning: str
    status: int
    exit_code: int
    where: str

    def row(self) -> str:
        """Return the line of the page's table."""
        return (
            f"| `{self.code}` | {self.meaning} | {self.status} | {self.exit_code} "
            f"| `{self.where}` |"
        )


def import_everything() -> None:
    """Import every module of the four packages, so that every subclass is known."""
    for package in PACKAGES:
        root = importlib.import_module(package)
        for module in pkgutil.walk_packages(root.__path__, prefix=f"{package}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)


def error_codes() -> list[ErrorCode]:
    """Return each class that sets `code` itself, sorted by code and then by class."""
    import_everything()
    classes: set[type[Exception]] = set()
    for module, name in ROOTS:
        classes |= _with_subclasses(getattr(importlib.import_module(module), name))
    found = [_described(error) for error in classes if "code" in vars(error)]
    return sorted(found, key=lambda one: (one.code, one.where))


def page_of(codes: list[ErrorCode]) -> str:
    """Return the whole page."""
    return _HEAD + "\n".join(one.row() for one in codes) + "\n"


def codes_on(page: str) -> list[str]:
    """Return the codes that a page lists, in its order."""
    return _ROW.findall(page)


def _with_subclasses(error: type[Exception]) -> set[type[Exception]]:
    return {error}.union(*(_with_subclasses(below) for below in error.__subclasses__()))


def _described(error: type[Exception]) -> ErrorCode:
    from governance.errors import Problem

    # An instance without its constructor: `Problem.of` reads nothing but the three attributes.
    example = error.__new__(error)
    example.next_step = ""  # type: ignore[attr-defined]
    problem = Problem.of(example)
    assert problem is not None, f"{error.__qualname__} has no code that is a text"
    meaning = (error.__doc__ or "").strip().partition("\n")[0].replace("|", "/")
    return ErrorCode(
        code=problem.code,
        meaning=meaning,
        status=problem.status,
        exit_code=problem.exit_code,
        where=f"{error.__module__}.{error.__qualname__}",
    )


def main(arguments: list[str]) -> int:
    """Write or print the page."""
    page = page_of(error_codes())
    if arguments == ["--write"]:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
