"""`vigil model`: the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from governance.cli.door import perform
from governance.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ServerOption,
    ask_password,
    say,
    show,
    target,
)

app = typer.Typer(no_args_is_help=True, help="Governed models, their entries and versions.")

Model = Annotated[str, typer.Argument(help="The model's name, e.g. forecasting.")]


@app.command("list")
def list_models(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the models with their standing.

    Example: vigil model list
    """
    show(perform(target(home, server), "model.list", {}), as_json=as_json)


@app.command("register")
def register(
    file: Annotated[Path, typer.Argument(help="The registry entry, entry.yaml.", exists=True)],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Freeze and sign a registry entry; a reviewer then approves it.

    Example: vigil model register entry.yaml
    """
    params = {
        "kind": "entry",
        "text": file.read_text(encoding="utf-8"),
        "password": ask_password("Password, to sign as the author"),
    }
    show(perform(target(home, server), "document.register", params), as_json=as_json)


@app.command("show")
def show_model(
    model: Model,
    scope: Annotated[str | None, typer.Option(help="organisation/site.")] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a model: standing, documents, versions and its entry.

    Example: vigil model show forecasting --scope st-olav/pharmacy
    """
    where = target(home, server)
    shown = perform(where, "model.show", {"model": model, "scope": scope})
    shown |= perform(where, "model.versions", {"model": model})
    if not as_json:
        shown.pop("entry")
    show(shown, as_json=as_json)


@app.command("card")
def card(
    model: Model,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the model's entry: use, limits, hazards, data, tasks and floors.

    Example: vigil model card forecasting
    """
    shown = perform(target(home, server), "model.show", {"model": model, "scope": None})
    show(shown["entry"], as_json=as_json)


@app.command("wrap")
def wrap(
    model: Model,
    data: Annotated[str, typer.Option("--data", help="The dataset to fit, e.g. D-1.")],
    horizon: Annotated[int, typer.Option(help="Months ahead.")] = 24,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the model's method to a dataset and register the result as a candidate version.

    Example: vigil model wrap forecasting --data D-1
    """
    say("Fitting …")
    params = {"model": model, "dataset": data, "horizon": horizon}
    show(perform(target(home, server), "model.wrap", params), as_json=as_json)


@app.command("verify")
def verify(
    model: Model,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the stored bytes of every version with the registered digest.

    Example: vigil model verify forecasting
    """
    show(perform(target(home, server), "model.verify", {"model": model}), as_json=as_json)
