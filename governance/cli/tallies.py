"""`vigil audit tally`: count rows where they are, and share the counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli.door import perform
from governance.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ServerOption,
    say,
    show,
    target,
)
from governance.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from audits.sources.tally import Tally
    from audits.sources.tally_spec import TallySpec

app = typer.Typer(no_args_is_help=True, help="Counts that sites share instead of rows.")

OutputOption = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]


@app.command("export")
def export(
    spec: Annotated[Path, typer.Argument(help="What is counted: a tally-spec/1, YAML or JSON.")],
    data: Annotated[str, typer.Option(help="FILE.parquet, FILE.csv or a postgresql:// address.")],
    site: Annotated[str, typer.Option(help="Whose rows they are, e.g. ward-3.")],
    output: OutputOption,
    table: Annotated[str | None, typer.Option(help="The table, in a database.")] = None,
    suppress_below: Annotated[
        int | None, typer.Option(help="Hide counts below this, and what would give them away.")
    ] = None,
    epsilon: Annotated[
        str | None, typer.Option(help="Add noise for this epsilon of differential privacy.")
    ] = None,
    row_bound: Annotated[
        int | None, typer.Option(help="The most rows of a subject, which noise has to cover.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count rows here, disclose the counts as asked, and write them signed; this is recorded.

    Example: vigil audit tally export spec.yaml --data rows.parquet --site ward-3
    --suppress-below 5 -o ward-3.tally.json
    """
    _require_new(output)
    say("Counting …")
    counted = _counted(_specification(spec), data, table)
    from audits.sources.tally_spec import canonical_bytes

    params: dict[str, Any] = {
        "site": site,
        "tally": canonical_bytes(counted.as_record()).decode(),
        "suppress_below": suppress_below,
        "epsilon": epsilon,
        "row_bound": row_bound,
    }
    _write(perform(target(home, server), "tally.export", params), output, as_json=as_json)


@app.command("merge")
def merge(
    files: Annotated[list[Path], typer.Argument(help="Signed tallies of the sites.")],
    key_of: Annotated[
        list[str], typer.Option(help="A sender's key, or a file that holds it; once a sender.")
    ],
    output: OutputOption,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify each site's signature under a pinned key and add the counts; this is recorded.

    Example: vigil audit tally merge a.tally.json b.tally.json --key-of a.key --key-of b.key
    -o merged.tally.json
    """
    _require_new(output)
    params = {"files": [_text(path) for path in files], "keys": [_key(one) for one in key_of]}
    _write(perform(target(home, server), "tally.merge", params), output, as_json=as_json)


@app.command("key")
def key(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """Show the key that signs this deployment's tallies; receivers pin it.

    Example: vigil audit tally key
    """
    found = perform(target(home, server), "tally.key", {})
    if as_json:
        show(found, as_json=True)
    else:
        typer.echo(found["key"])


def _counted(spec: TallySpec, data: str, table: str | None) -> Tally:
    from governance.adapters.tally_engine import tally_file, tally_postgresql

    if data.startswith(("postgresql://", "postgres://")):
        if table is None:
            raise typer.BadParameter("--table names what is counted in a database")
        return tally_postgresql(data, table, spec)
    if table is not None:
        raise typer.BadParameter("--table goes with the address of a database")
    return tally_file(Path(data), spec)


def _specification(path: Path) -> TallySpec:
    import yaml

    from audits.sources.tally_spec import spec_from_record

    try:
        record = yaml.safe_load(_text(path))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInput(
            f"{path.name} is neither YAML nor JSON",
            next_step="docs/guides/share-counts-not-rows.md shows a specification",
        ) from error
    return spec_from_record(record)


def _require_new(output: Path) -> None:
    """Refuse before anything is recorded what could not be written, or would write over a file."""
    if output.exists() or not output.parent.is_dir():
        raise Conflict(
            f"{output} exists already, or its folder does not",
            next_step="name another file; nothing was recorded",
        )


def _write(made: dict[str, Any], output: Path, *, as_json: bool) -> None:
    output.write_text(str(made.pop("content")), encoding="utf-8")
    show({"file": str(output), **made}, as_json=as_json)


def _key(text: str) -> str:
    return text if text.count("+") >= 2 else _text(Path(text)).strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} cannot be read", next_step="name a text file that is there"
        ) from error
