"""What users install is the four packages with everything that they read, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.project import PACKAGES, ROOT, tracked_files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a publisher would; hatchling is in the lock, so nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    outcome = subprocess.run(
        [*command, "--directory", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_top_level_holds_the_four_packages_only(contents: set[str]) -> None:
    tops = {name.partition("/")[0] for name in contents}
    metadata = {top for top in tops if top.endswith(".dist-info")}
    assert len(metadata) == 1
    assert tops - metadata == set(PACKAGES)


def test_every_file_of_the_packages_is_inside(contents: set[str]) -> None:
    """Also what is not Python: templates, styles, scripts, typst sources, YAML documents."""
    tracked = {path.relative_to(ROOT).as_posix() for path in tracked_files()}
    expected = {name for name in tracked if name.partition("/")[0] in PACKAGES}
    assert expected - contents == set()


def test_migrations_travel_inside_governance(contents: set[str]) -> None:
    tracked = {path.relative_to(ROOT).as_posix() for path in tracked_files()}
    migrations = {f"governance/_{name}" for name in tracked if name.startswith("migrations/")}
    assert "governance/_migrations/env.py" in migrations
    assert migrations - contents == set()


def test_no_test_document_or_cache_slipped_in(contents: set[str]) -> None:
    foreign = {"__pycache__", "tests", "docs", "requirements", ".mypy_cache", ".ruff_cache"}
    assert [name for name in contents if foreign & set(name.split("/"))] == []


def test_licence_travels_along(contents: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in contents)


INIT = ["init", "--organisation", "org", "--administrator", "ada", "--printed-name", "Ada Berg"]


def test_database_is_made_from_an_installed_wheel_in_an_empty_folder(
    wheel: Path, tmp_path: Path
) -> None:
    """The migrations are found without a checkout, and no working directory helps or hinders."""
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        "import sys, governance\n"
        f"assert governance.__file__.startswith({str(site)!r}), governance.__file__\n"
        "from governance.cli.main import run\n"
        "sys.argv = ['vigil', *sys.argv[1:]]\n"
        "run()\n"
    )
    for arguments in (INIT, ["db", "check"]):
        outcome = subprocess.run(
            [sys.executable, "-P", "-c", code, *arguments, "--home", str(empty / "home")],
            cwd=empty,
            env={**os.environ, "PYTHONPATH": str(site), "VIGIL_PASSWORD": "a-long-enough-one"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert outcome.returncode == 0, f"vigil {arguments}: {outcome.stdout}{outcome.stderr}"
