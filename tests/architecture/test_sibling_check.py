"""A foreign `models` ahead of ours on the path is refused by name, not imported (ADR 0002)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT

NAMES = ("change_control", "models", "audits")


def import_governance(
    folder: Path, *flags: str, first: str = ""
) -> subprocess.CompletedProcess[str]:
    """Import the facade from a fresh interpreter that was started in `folder`."""
    code = f"{first}import sys; sys.path.append({str(ROOT)!r}); import governance; print('in')"
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=NAMES)
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return somebody's `models/__init__.py` (or a sibling), which would tell if it ran."""
    module = tmp_path / request.param / "__init__.py"
    module.parent.mkdir()
    module.write_text("print('foreign code ran')\n", encoding="utf-8")
    return module


def test_foreign_package_is_refused_with_both_paths(foreign: Path, tmp_path: Path) -> None:
    outcome = import_governance(tmp_path)
    assert outcome.returncode == 1
    assert "ImportError" in outcome.stderr
    assert str(foreign) in outcome.stderr
    assert str(ROOT / foreign.parent.name / "__init__.py") in outcome.stderr


def test_foreign_package_is_not_run(foreign: Path, tmp_path: Path) -> None:
    assert foreign.exists()
    assert "foreign code ran" not in import_governance(tmp_path).stdout


def test_foreign_package_that_is_already_imported_is_refused(foreign: Path, tmp_path: Path) -> None:
    outcome = import_governance(tmp_path, first=f"import {foreign.parent.name}; ")
    assert outcome.returncode == 1
    assert str(foreign) in outcome.stderr


def test_foreign_module_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text("", encoding="utf-8")
    outcome = import_governance(tmp_path)
    assert outcome.returncode == 1
    assert str(tmp_path / "models.py") in outcome.stderr


def test_safe_path_makes_the_foreign_folder_harmless(foreign: Path, tmp_path: Path) -> None:
    assert foreign.exists()
    assert import_governance(tmp_path, "-P").stdout == "in\n"


def test_a_missing_sibling_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "governance"
    home.mkdir()
    facade = (ROOT / "governance/__init__.py").read_text(encoding="utf-8")
    (home / "__init__.py").write_text(facade, encoding="utf-8")
    outcome = subprocess.run(
        [sys.executable, "-S", "-c", "import governance"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert "resolves to nothing" in outcome.stderr
