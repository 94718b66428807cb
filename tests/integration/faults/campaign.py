"""The whole fault campaign: every call of a kind, each fault, and a table of what happened.

`python -m tests.integration.faults.campaign --write` runs it and writes docs/reference/faults.md.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.integration.faults import driver, harness
from tests.integration.faults.harness import Fault, Ran
from tests.support.project import ROOT

PAGE: Final = ROOT / "docs/reference/faults.md"
PARALLEL: Final = 2
WHATS: Final = ("EIO", "ENOSPC", "KILL")
# Every flush, every change of a length and every call that is rare; every third write of pages.
STEPS: Final = {
    "fdatasync": 1, "fsync": 1, "ftruncate": 1, "rename": 1, "openat": 1, "write": 1, "mkdir": 1,
    "pwrite64": 3,
}  # fmt: skip
# Where many calls in a row can fail, and what a line of the table is then called.
LONG_PHASES: Final = ("open", "commit")
RUNS_OF: Final = ("EIO on", "EIO first", "ENOSPC on")
# The calls that each phase makes on the home's files: every one of them has lines in the table.
CALLS: Final = {
    "init": ("fdatasync", "fsync", "ftruncate", "rename", "write", "mkdir", "pwrite64"),
    "open": ("fdatasync", "fsync", "ftruncate", "rename", "openat", "write", "pwrite64"),
    "commit": ("fdatasync", "fsync", "ftruncate", "rename", "openat", "write", "pwrite64"),
    "close": ("fdatasync", "ftruncate", "openat", "pwrite64"),
}
_HEAD: Final = """# Faults of disk and process

What happens to a home when a system call on its files fails, or the process is killed there. A
driver commits acts and answers on a real home under strace. Afterwards the home is opened without
faults and without any repair, verified in full and compared with its facts (`rebuild --check`), and
every request is sent again.

*Met* counts runs in which the call was made. *Lost* counts runs with an acknowledged request that
was not there with its bytes and a receipt that verifies; *other* counts runs in which anything else
did not hold: a home that does not verify, a request that is recorded twice, an error that is not
one of ours. *Survived* counts runs with a request that was whole in the ledger although nobody was
told, which is why a request is sent again under its key.

Phases: `init` makes a home as `vigil init` does and must leave a whole one or none; `open` starts
on one and goes on to the same requests; `commit` writes twelve, with small files, so that the
write-ahead log moves and `checkpoints.log` begins anew several times; `close` ends. "On" makes that
call and all later ones of the thread fail, "first" all up to that one.

Each call number is tried, of `pwrite64` every third; for "on" and "first", some seven numbers.
While a home is made, `openat` is not tried: hundreds of those calls are the program's own modules.

Written by `python -m tests.integration.faults.campaign --write`, which runs everything again, in
about twenty minutes; with the name of a phase it runs that one and keeps the other lines.

| phase | call | fault | runs | met | acknowledged | refused | killed | survived | lost | other |
|---|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    phase: str
    call: str
    what: str
    runs: tuple[Ran, ...]
    failures: tuple[str, ...]

    def text(self) -> str:
        """Return the line."""
        lost = sum(one.startswith("lost") for one in self.failures)
        cells = (
            self.phase, self.call, self.what, len(self.runs),
            sum(bool(ran.hits) for ran in self.runs),
            sum(len(ran.acknowledged) for ran in self.runs),
            sum(bool(ran.refused) and bool(ran.acknowledged) for ran in self.runs),
            sum(ran.killed for ran in self.runs),
            sum(bool(ran.survivors) for ran in self.runs),
            lost, len(self.failures) - lost,
        )  # fmt: skip
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


def template(folder: Path) -> Path:
    """Return a home that every run copies."""
    root = folder / "template"
    driver.init(root)
    return root


def faults(template: Path, folder: Path, phase: str) -> Iterator[tuple[str, str, list[Fault]]]:
    """Yield each (call, fault) of a phase with the faults over its call numbers."""
    counted = tried(template, folder, None, phase=phase)
    for call, step in STEPS.items():
        numbers = range(1, harness.calls_of(counted, call) + 1, step)
        if not numbers or (phase, call) == ("init", "openat"):  # hundreds of our own modules
            continue
        for what in WHATS:
            yield call, what, [_fault(phase, call, what, str(number)) for number in numbers]
        if phase in LONG_PHASES:
            some = numbers[:: max(1, len(numbers) // 6)]
            for name, form in (("on", "{}+"), ("first", "1..{}")):
                given = [_fault(phase, call, "EIO", form.format(number)) for number in some]
                yield call, f"EIO {name}", given
            yield call, "ENOSPC on", [_fault(phase, call, "ENOSPC", f"{n}+") for n in some]


def _fault(phase: str, call: str, what: str, when: str) -> Fault:
    return Fault(phase=phase, call=call, what=what, when=when)


def tried(template: Path, folder: Path, fault: Fault | None, *, phase: str = "commit") -> Ran:
    """Run one fault on a copy of the template, or in an empty folder where the home is made."""
    phase = fault.phase if fault else phase
    place = Path(tempfile.mkdtemp(dir=folder))
    root = place / "home"
    if phase != "init":
        shutil.copytree(template, root)
    ran = harness.run(root, fault, phase=phase)
    try:
        if phase == "init":
            harness.check_made(root, ran)
        else:
            harness.check(root, ran)
    finally:
        shutil.rmtree(place)
    return ran


def row_of(template: Path, folder: Path, call: str, what: str, given: Sequence[Fault]) -> Row:
    """Try every fault of a line, two at a time."""
    failures: list[str] = []

    def one(fault: Fault) -> Ran | None:
        try:
            return tried(template, folder, fault)
        except Exception as error:  # noqa: BLE001 - every fault is tried, then all are told
            kind = "lost" if isinstance(error, harness.Lost) else "corrupt"
            failures.append(f"{kind}: {fault}: {type(error).__name__}: {error}")
            return None

    with ThreadPoolExecutor(PARALLEL) as pool:
        ran = tuple(one for one in pool.map(one, given) if one is not None)
    phase = given[0].phase
    return Row(phase=phase, call=call, what=what, runs=ran, failures=tuple(failures))


def campaign(folder: Path, *phases: str) -> Iterator[Row]:
    """Run the whole campaign and yield its lines."""
    home = template(folder)
    for phase in phases or driver.PHASES:
        for call, what, given in faults(home, folder, phase):
            yield row_of(home, folder, call, what, given)


def lines_of(page: str) -> list[str]:
    """Return the lines of a page's table."""
    starts = tuple(f"| {phase} |" for phase in driver.PHASES)
    return [line for line in page.splitlines() if line.startswith(starts)]


def page_of(lines: Sequence[str]) -> str:
    """Return the page with these lines, and what of the campaign is not among them."""
    ordered = sorted(lines, key=lambda line: driver.PHASES.index(_cells(line)[0]))
    runs = sum(int(_cells(line)[3]) for line in lines)
    missing = _missing(lines)
    said = f"Not run for this table: {'; '.join(missing)}." if missing else "No line was left out."
    return f"{_HEAD}{chr(10).join(ordered)}\n\n{runs} runs. {said}\n"


def _missing(lines: Sequence[str]) -> list[str]:
    """Return phase, call and faults of every line that the whole campaign would have."""
    have = {tuple(_cells(line)[:3]) for line in lines}
    found = []
    for phase, calls in CALLS.items():
        whats = (*WHATS, *RUNS_OF) if phase in LONG_PHASES else WHATS
        for call in calls:
            left = [what for what in whats if (phase, call, what) not in have]
            if left:
                found.append(f"{phase} {call} {', '.join(left)}")
    return found


def _cells(line: str) -> list[str]:
    return line.strip("| ").split(" | ")


def main(arguments: list[str]) -> int:
    """Run the named phases or all, print the lines as they come, and write the page when told to.

    Lines of phases that were not run are kept. The page is written after each line, so that a
    campaign that was ended says what it left out.
    """
    phases = [one for one in arguments if one in driver.PHASES] or list(driver.PHASES)
    old = lines_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else []
    lines = [line for line in old if _cells(line)[0] not in phases]
    failed = False
    with tempfile.TemporaryDirectory(prefix="vigil-faults-") as folder:
        for row in campaign(Path(folder), *phases):
            lines.append(row.text())
            failed = failed or bool(row.failures)
            print(row.text(), *row.failures, sep="\n", flush=True)
            if "--write" in arguments:
                PAGE.write_text(page_of(lines), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
