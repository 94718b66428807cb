"""Where the project lies, and what its files are."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("governance", "change_control", "models", "audits")
PURE_PACKAGES = ("change_control", "models", "audits")


def sources(*packages: str) -> Iterator[Path]:
    """Yield every Python file of the packages, in a stable order."""
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse one file of the project."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    """Return the path as a reader of the repository names it."""
    return path.relative_to(ROOT).as_posix()


def tracked_files() -> list[Path]:
    """Return what the repository holds; outside a checkout, every file but what tools made."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode == 0:
        candidates = [ROOT / name for name in listing.stdout.split("\0") if name]
        return [path for path in candidates if path.is_file()]
    made = {".git", ".venv", "__pycache__", "build", "dist"}
    return [p for p in ROOT.rglob("*") if p.is_file() and not made & set(p.parts)]
