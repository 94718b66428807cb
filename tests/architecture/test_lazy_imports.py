"""A command that needs no engine starts without one: a heavy import costs seconds at every call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT

HEAVY = (
    "evidently",
    "fairlearn",
    "matplotlib",
    "mlflow",
    "pandas",
    "pandera",
    "plotly",
    "scipy",
    "sklearn",
    "statsforecast",
    "typst",
    "vl_convert",
)
HELP = """
from governance.cli.main import run
sys.argv = ["vigil", "--help"]
try:
    run()
except SystemExit as end:
    assert not end.code, end.code
"""
STARTS = {
    "governance": "import governance",
    "errors": "import governance.errors",
    "vigil --help": HELP,
}


def modules_after(code: str, folder: Path) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after running `code`."""
    report = folder / "modules.json"
    script = (
        f"import json, sys\n{code}\n"
        f"tops = sorted({{name.partition('.')[0] for name in sys.modules}})\n"
        f"open({str(report)!r}, 'w', encoding='utf-8').write(json.dumps(tops))\n"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return set(json.loads(report.read_text(encoding="utf-8")))


def test_the_check_sees_a_heavy_import(tmp_path: Path) -> None:
    assert "scipy" in modules_after("import scipy", tmp_path)


@pytest.mark.parametrize("code", STARTS.values(), ids=STARTS.keys())
def test_start_needs_no_engine(code: str, tmp_path: Path) -> None:
    assert modules_after(code, tmp_path).isdisjoint(HEAVY)
