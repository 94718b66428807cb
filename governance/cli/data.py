"""`vigil data`: datasets."""

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
    show,
    target,
)

app = typer.Typer(no_args_is_help=True, help="Datasets, frozen by digest.")


@app.command("add")
def add(
    source: Annotated[str, typer.Argument(help="pbs (your own table) or fpp2 (in a package).")],
    title: Annotated[str, typer.Option(help="What the dataset is.")],
    licence: Annotated[str, typer.Option(help="The source's licence.")],
    file: Annotated[
        Path | None, typer.Option(help="The PBS table as CSV.", exists=True, dir_okay=False)
    ] = None,
    through: Annotated[str | None, typer.Option(help="Last month to take, e.g. 2005-06.")] = None,
    product_class: Annotated[
        list[str] | None, typer.Option(help="An ATC class to take, e.g. L01; all if none.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a source through its contract and freeze it. Every fault is named, nothing is dropped.

    Example: vigil data add fpp2 --title "A10 and H02" --licence GPL-3 --through 2005-06
    """
    params = {
        "source": source,
        "title": title,
        "licence": licence,
        "text": file.read_text(encoding="utf-8") if file else "",
        "through": through,
        "classes": product_class or [],
    }
    show(perform(target(home, server), "data.add", params), as_json=as_json)


@app.command("list")
def list_datasets(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the datasets.

    Example: vigil data list
    """
    show(perform(target(home, server), "data.list", {}), as_json=as_json)
