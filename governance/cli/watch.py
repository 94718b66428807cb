"""`vigil monitor`, `outcome`, `review` and `hold`: what follows a release."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from governance.cli.door import perform
from governance.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    ServerOption,
    ask_password,
    end_in,
    say,
    show,
    target,
)

monitors = typer.Typer(no_args_is_help=True, help="Monitors after release.")
outcomes = typer.Typer(no_args_is_help=True, help="What later happened.")
reviews = typer.Typer(no_args_is_help=True, help="Decisions that people make.")
holds = typer.Typer(no_args_is_help=True, help="Suspensions.")

Model = Annotated[str, typer.Argument(help="The model's name.")]
Hold = Annotated[str, typer.Argument(help="The hold, e.g. H-1.")]


@monitors.command("plan")
def register_plan(
    file: Annotated[Path, typer.Argument(help="The monitoring plan.", exists=True)],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Freeze and sign a monitoring plan; a reviewer then approves it.

    Example: vigil monitor plan monitoring.yaml
    """
    params = {
        "kind": "monitoring",
        "text": file.read_text(encoding="utf-8"),
        "password": ask_password("Password, to sign as the author"),
    }
    show(perform(target(home, server), "document.register", params), as_json=as_json)


@monitors.command("run")
def run_monitor(
    model: Model,
    through: Annotated[str | None, typer.Option(help="Last month to read, e.g. 2005-12.")] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the monitors; a finding opens its review and places its hold in the same write.

    Ends 10 where a trigger fired, else 11 where a run was insufficient.

    Example: vigil monitor run forecasting
    """
    say("Watching …")
    params = {"model": model, "through": through}
    result = perform(target(home, server), "monitor.run", params)
    show(result, as_json=as_json)
    end_in({str(run["verdict"]) for run in result["runs"]})


@monitors.command("check")
def check_overdue(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """Raise a finding for each monitor whose run did not come.

    Example: vigil monitor check
    """
    show(perform(target(home, server), "monitor.check_overdue", {}), as_json=as_json)


@monitors.command("status")
def status(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """Say for each monitor when it ran last and whether it is overdue.

    Example: vigil monitor status
    """
    show(perform(target(home, server), "monitor.status", {}), as_json=as_json)


@outcomes.command("import")
def import_outcomes(
    model: Model,
    file: Annotated[
        Path, typer.Argument(help="CSV with the columns series, month, value.", exists=True)
    ],
    source: Annotated[str, typer.Option(help="Where the outcomes come from.")],
    scope: Annotated[
        str | None, typer.Option(help="The site they speak for; without it every site.")
    ] = None,
    planted: Annotated[bool, typer.Option(help="Mark the rows as made up.")] = False,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import outcomes, all rows or none; a later row for the same month is a correction.

    Example: vigil outcome import forecasting outcomes.csv --source "pharmacy ledger, July"
    """
    with file.open(encoding="utf-8", newline="") as stream:
        rows = [dict(row) for row in csv.DictReader(stream)]
    params = {"model": model, "source": source, "planted": planted, "scope": scope, "rows": rows}
    show(perform(target(home, server), "outcome.import", params), as_json=as_json)


@reviews.command("list")
def list_reviews(
    every: Annotated[bool, typer.Option(help="List the decided ones too.")] = False,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what waits for a decision, what is due first in front.

    Example: vigil review list
    """
    show(perform(target(home, server), "review.list", {"every": every}), as_json=as_json)


@reviews.command("show")
def show_review(
    review: Annotated[str, typer.Argument(help="The review, e.g. R-4.")],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a review with its signatures and what you may decide.

    Example: vigil review show R-4
    """
    show(perform(target(home, server), "review.show", {"review": review}), as_json=as_json)


@reviews.command("decide")
def decide(
    review: Annotated[str, typer.Argument(help="The review, e.g. R-4.")],
    decision: Annotated[str, typer.Argument(help="approve, reject, return, reinstate, …")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")] = "",
    digest: Annotated[
        str | None, typer.Option(help="The digest you read, where you read it before.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide and sign. What is signed is shown first, and its digest goes with the signature.

    A record that changed between the showing and the signing, or since --digest, is not signed.

    Example: vigil review decide R-4 reinstate --reason "Cause found: late deliveries"
    """
    where = target(home, server)
    read = _told(perform(where, "review.show", {"review": review}), digest)
    params = {
        "review": review,
        "decision": decision,
        "reason": reason,
        "record_digest": read,
        "password": ask_password(f"Password, to sign {decision} for {read[:12]}…"),
    }
    show(perform(where, "review.decide", params), as_json=as_json)


def _told(shown: Mapping[str, Any], digest: str | None) -> str:
    """Say what is about to be signed, also in a pipe, and return the digest that goes with it."""
    read = digest or str(shown["subject_digest"])
    typer.echo(
        f"{shown['review']}: {shown['kind']} of {shown['subject']} ({shown['model']}), "
        f"{shown['state']}\nYou sign the record with SHA-256 {read}",
        err=True,
    )
    return read


@holds.command("place")
def place(
    model: Model,
    scope: Annotated[str, typer.Option(help="organisation/site, or organisation/*.")],
    cause: Annotated[str, typer.Option(help="A code, e.g. safety.concern.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")],
    version: Annotated[str | None, typer.Option(help="One version; all if none.")] = None,
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Suspend at once; the next request is refused.

    Example: vigil hold place forecasting --scope st-olav/* --cause safety.concern --reason "…"
    """
    params = {
        "model": model,
        "scope": scope,
        "cause": cause,
        "reason": reason,
        "version": version,
    }
    show(perform(target(home, server), "hold.place", params), as_json=as_json)


@holds.command("lift")
def lift(
    hold: Hold,
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")] = "",
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign for lifting a hold; two different people must.

    Example: vigil hold lift H-1 --reason "Concern answered"
    """
    params = {"hold": hold, "reason": reason, "password": ask_password("Password, to sign")}
    show(perform(target(home, server), "hold.lift", params), as_json=as_json)


@holds.command("list")
def list_holds(
    home: HomeOption = DEFAULT_HOME, server: ServerOption = None, as_json: JsonOption = False
) -> None:
    """List the holds.

    Example: vigil hold list
    """
    show(perform(target(home, server), "hold.list", {}), as_json=as_json)
