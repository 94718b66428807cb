"""The parts of README.md that the program writes: `python -m tests.architecture.readme --write`."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.support.project import ROOT

README = ROOT / "README.md"
_HELP = re.compile(r"(<!-- help: vigil (.*?) -->\n```text\n)(.*?)(```\n<!-- /help -->)", re.DOTALL)
_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def rendered(text: str) -> str:
    """Return the text with each help block as the program prints it now."""
    return _HELP.sub(lambda found: found[1] + help_of(found[2].split()) + found[4], text)


def help_of(words: list[str]) -> str:
    """Return what `vigil` prints for the words, at 100 columns and without colour."""
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "governance.cli", *words],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    return "\n".join(lines).strip("\n").replace("python -m governance.cli", "vigil") + "\n"


def commands(text: str) -> list[list[str]]:
    """Return the words of each `vigil` command that README shows in a console."""
    lines = [line for block in _CONSOLE.findall(text) for line in block.splitlines()]
    shown = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line.removeprefix(".venv/bin/vigil ").split() for line in shown]


if __name__ == "__main__":
    now = rendered(README.read_text("utf-8"))
    if "--write" in sys.argv:
        README.write_text(now, "utf-8")
    elif now != README.read_text("utf-8"):
        sys.exit("README.md is not as the program prints: run this with --write")
