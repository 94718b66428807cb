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
    text_of,
)
from governance.errors import InvalidInput

app = typer.Typer(no_args_is_help=True, help="Datasets, frozen by digest.")


@app.command("add")
def add(
    source: Annotated[
        str, typer.Argument(help="table (rows under a manifest), pbs, or fpp2 (in a package).")
    ],
    title: Annotated[str, typer.Option(help="What the dataset is.")] = "",
    licence: Annotated[str, typer.Option(help="The source's licence.")] = "",
    file: Annotated[
        Path | None, typer.Option(help="The table as CSV.", exists=True, dir_okay=False)
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Of a table: dataset.yaml.", exists=True, dir_okay=False),
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

    Of a table the manifest and the digest are kept, and no row: title and licence stand in the
    manifest, and an audit brings the file again.

    Example: vigil data add fpp2 --title "A10 and H02" --licence GPL-3 --through 2005-06
    """
    where = target(home, server)
    if source == "table":
        show(perform(where, "data.add_table", table_params(file, manifest)), as_json=as_json)
        return
    params = {
        "source": source,
        "title": title,
        "licence": licence,
        "text": text_of(file) if file else "",
        "through": through,
        "classes": product_class or [],
    }
    show(perform(where, "data.add", params), as_json=as_json)


def table_params(file: Path | None, manifest: Path | None) -> dict[str, str]:
    """Read the two files of a table."""
    if file is None or manifest is None:
        raise InvalidInput(
            "a table is a file and its manifest",
            next_step="give --file rows.csv --manifest dataset.yaml",
        )
    return {
        "manifest": text_of(manifest),
        "text": text_of(file),
    }


@app.command("list")
def list_datasets(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the datasets.

    Example: vigil data list
    """
    show(perform(target(home, server), "data.list", {}), as_json=as_json)
