"""The import contracts of pyproject.toml hold, and would notice if they did not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import PACKAGES, ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

# file -> line that breaks a contract; the name is part of that contract's title
PLANTED = {
    "upward import": ("models/entry.py", "import governance.errors", "nothing upward"),
    "audits know models": ("audits/estimate.py", "import models.entry", "nothing upward"),
    "the currency knows a report": (
        "audits/estimate.py",
        "import audits.report",
        "rooms of audits",
    ),
    "gate knows storage": (
        "governance/gate/__init__.py",
        "import governance.storage",
        "one pen writes",
    ),
    "ledger core knows the store": (
        "governance/ledger/core.py",
        "import governance.ledger.store",
        "one pen writes",
    ),
    "operations know a door": (
        "governance/operations/__init__.py",
        "import governance.api",
        "one pen writes",
    ),
    "serving knows operations": (
        "governance/serving/__init__.py",
        "import governance.operations",
        "one pen writes",
    ),
    "audits use a database": ("audits/estimate.py", "import sqlalchemy.orm", "are pure"),
    "models log": ("models/entry.py", "import logging", "are pure"),
    "change control opens sockets": ("change_control/__init__.py", "import socket", "are pure"),
    "models call MLflow": ("models/entry.py", "import mlflow", "are pure"),
    "an operation calls MLflow": (
        "governance/operations/__init__.py",
        "import mlflow.sklearn",
        "only by the adapters",
    ),
}
MODULES = (
    "audits/estimate.py",
    "audits/report.py",
    "models/entry.py",
    "governance/errors.py",
    "governance/ledger/core.py",
    "governance/ledger/store.py",
    "governance/gate/__init__.py",
    "governance/storage/__init__.py",
    "governance/adapters/__init__.py",
    "governance/operations/__init__.py",
    "governance/serving/__init__.py",
    "governance/api/__init__.py",
)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts of `folder`/pyproject.toml over the packages that lie beside it."""
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """Return a project of empty modules under our contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in (*(f"{package}/__init__.py" for package in PACKAGES), *MODULES):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "governance/ledger/__init__.py").touch()
    (tmp_path / "governance/adapters/tracking.py").write_text("import mlflow\n", "utf-8")
    (tmp_path / "governance/operations/__init__.py").write_text("import governance.storage\n")
    return tmp_path


def test_import_contracts_hold() -> None:
    outcome = lint(ROOT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_allowed_imports_pass(small_project: Path) -> None:
    outcome = lint(small_project)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize(("file", "line", "contract"), PLANTED.values(), ids=PLANTED.keys())
def test_planted_breach_is_reported(
    small_project: Path, file: str, line: str, contract: str
) -> None:
    with (small_project / file).open("a", encoding="utf-8") as module:
        module.write(line + "\n")
    outcome = lint(small_project)
    assert outcome.returncode == 1
    broken = [text for text in outcome.stdout.splitlines() if " BROKEN" in text]
    assert len(broken) == 1, outcome.stdout
    assert contract in broken[0]
