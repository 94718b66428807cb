"""Options that every command takes, and how its result is printed."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from governance.cli.door import Target
from governance.errors import EXIT_FAIL, EXIT_INSUFFICIENT, InvalidInput

HomeOption = Annotated[
    Path,
    typer.Option(
        "--home", envvar="VIGIL_HOME", help="The home's folder.", show_default="./vigil-home"
    ),
]
ServerOption = Annotated[
    str | None, typer.Option("--server", help="Address of a server, instead of a home.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on standard output.")
]
DEFAULT_HOME = Path("vigil-home")
NEW_PASSWORD = "VIGIL_NEW_PASSWORD"  # noqa: S105 - the name of a variable
_EXIT_OF_VERDICT = {"fail": EXIT_FAIL, "insufficient": EXIT_INSUFFICIENT}


def target(home: Path, server: str | None) -> Target:
    """Return what a command is about."""
    return Target(home=home, server=server)


def text_of(path: Path) -> str:
    """Return a file's text; raise InvalidInput where it cannot be read as UTF-8."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} cannot be read as UTF-8 text",
            next_step="name a text file; save it as UTF-8 where it is in another encoding",
        ) from error


def ask_password(prompt: str, *, variable: str = "VIGIL_PASSWORD") -> str:
    """Ask on a terminal without echo; elsewhere read the variable or one line of input."""
    given = os.environ.get(variable)
    if given is not None:
        return given
    if sys.stdin.isatty():
        return getpass.getpass(f"{prompt}: ")
    return sys.stdin.readline().rstrip("\n")


def ask_new_password(prompt: str) -> str:
    """Ask for a password that is to be, twice on a terminal; elsewhere VIGIL_NEW_PASSWORD."""
    given = ask_password(prompt, variable=NEW_PASSWORD)
    on_terminal = NEW_PASSWORD not in os.environ and sys.stdin.isatty()
    if on_terminal and getpass.getpass(f"{prompt} again: ") != given:
        raise InvalidInput(
            "the two are not alike, so nothing was changed", next_step="give the command again"
        )
    return given


def show(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a result: JSON for programs, aligned lines for people."""
    if as_json:
        typer.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    for line in _lines(result):
        typer.echo(line)


def finish(line: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a result with a verdict, and end in the exit code of the verdict."""
    show(line, as_json=as_json)
    end_in({str(line.get("verdict"))})


def end_in(verdicts: Collection[str]) -> None:
    """End in the exit code of the worst verdict; where all is well, go on."""
    for verdict, code in _EXIT_OF_VERDICT.items():
        if verdict in verdicts:
            raise typer.Exit(code)


def say(text: str) -> None:
    """Tell a person at a terminal how far the work is; pipes stay quiet."""
    if sys.stderr.isatty():
        typer.echo(text, err=True)


def _lines(result: Mapping[str, Any], indent: str = "") -> list[str]:
    width = max((len(name) for name in result), default=0)
    lines: list[str] = []
    for name, value in result.items():
        label = f"{indent}{name.replace('_', ' '):<{width}}"
        if isinstance(value, Mapping):
            lines += [label.rstrip(), *_lines(value, indent + "  ")]
        elif isinstance(value, Sequence) and not isinstance(value, str):
            lines += _list_lines(label, value, indent)
        else:
            lines.append(f"{label}  {_text(name, value)}")
    return lines


def _list_lines(label: str, values: Sequence[Any], indent: str) -> list[str]:
    if not values:
        return [f"{label}  none"]
    if not isinstance(values[0], Mapping):
        return [f"{label}  {', '.join(str(value) for value in values)}"]
    lines = [label.rstrip()]
    for value in values:
        inner = _lines(value, indent + "    ")
        lines.append(f"{indent}  - {inner[0].strip()}" if inner else f"{indent}  -")
        lines += inner[1:]
    return lines


def _text(name: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_us") and isinstance(value, int):
        from governance.clock import utc_text

        return utc_text(value)
    return str(value)
