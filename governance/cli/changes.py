"""`vigil change`: from a request to a release and back."""

from __future__ import annotations

from typing import Annotated

import typer

from governance.cli.door import perform
from governance.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ServerOption,
    ask_password,
    finish,
    say,
    show,
    target,
)

app = typer.Typer(no_args_is_help=True, help="Change requests and releases.")

Change = Annotated[str, typer.Argument(help="The change request, e.g. C-1.")]
Version = Annotated[str, typer.Argument(help="The version, e.g. forecasting/1.")]
Modification = Annotated[str, typer.Option(help="The planned modification, by its id.")]
Summary = Annotated[str, typer.Option(help="Why, in one sentence.")]


@app.command("open")
def open_change(
    version: Version,
    modification: Modification,
    summary: Summary,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a request to bring a version into service.

    Example: vigil change open forecasting/2 --modification refit --summary "Yearly refit"
    """
    params = {"version": version, "modification": modification, "summary": summary}
    show(perform(target(home, server), "change.open", params), as_json=as_json)


@app.command("submit")
def submit(
    change: Change,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Submit a request; what changed is computed, not declared.

    Example: vigil change submit C-1
    """
    show(perform(target(home, server), "change.submit", {"change": change}), as_json=as_json)


@app.command("evaluate")
def evaluate(
    change: Change,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate under the plan's frozen protocol. Ends 10 on fail and 11 on insufficient.

    Example: vigil change evaluate C-1
    """
    say("Evaluating …")
    found = perform(target(home, server), "change.evaluate", {"change": change})
    finish(found, as_json=as_json)


@app.command("run")
def run(
    version: Version,
    modification: Modification,
    summary: Summary,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open, submit and evaluate in one. Ends 10 on fail and 11 on insufficient.

    Example: vigil change run forecasting/2 --modification refit --summary "Yearly refit"
    """
    say("Evaluating …")
    params = {"version": version, "modification": modification, "summary": summary}
    finish(perform(target(home, server), "change.run", params), as_json=as_json)


@app.command("show")
def show_change(
    change: Change,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a request.

    Example: vigil change show C-1
    """
    show(perform(target(home, server), "change.show", {"change": change}), as_json=as_json)


@app.command("list")
def list_changes(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the requests.

    Example: vigil change list
    """
    show(perform(target(home, server), "change.list", {}), as_json=as_json)


@app.command("release")
def release(
    version: Version,
    scope: Annotated[str, typer.Option(help="organisation/site, or organisation/*.")],
    market: Annotated[str, typer.Option(help="Two letters, e.g. AU.")],
    purpose: Annotated[str, typer.Option(help="A purpose of the model's entry.")],
    mode: Annotated[str, typer.Option(help="full, or shadow.")] = "full",
    days: Annotated[int | None, typer.Option(help="Days until it expires.")] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release an approved version in a scope.

    Example: vigil change release forecasting/1 --scope org/* --market AU --purpose stock-planning
    """
    params = {
        "version": version,
        "scope": scope,
        "market": market,
        "purpose": purpose,
        "mode": mode,
        "days": days,
        "password": ask_password("Password, to sign the release"),
    }
    show(perform(target(home, server), "release.open", params), as_json=as_json)


@app.command("rollback")
def roll_back(
    release: Annotated[str, typer.Argument(help="The release, e.g. REL-2.")],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a release now; the one that it replaced serves again.

    Example: vigil change rollback REL-2
    """
    params = {"release": release, "password": ask_password("Password, to sign the roll-back")}
    show(perform(target(home, server), "release.roll_back", params), as_json=as_json)


@app.command("releases")
def releases(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the releases.

    Example: vigil change releases
    """
    show(perform(target(home, server), "release.list", {}), as_json=as_json)
