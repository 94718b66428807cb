"""The stage: make the home, tell the story over a running server, and stay or leave.

A home that holds a finished demonstration is served again as it is; one that was interrupted is
deleted and built anew. Passwords are shown once and kept nowhere.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from governance.api.server import network_socket, serve_home
from governance.cli.demo.acts import Company
from governance.cli.demo.cast import ADMINISTRATOR, ORGANISATION, PLAYERS, passwords
from governance.cli.demo.clinic import serving
from governance.cli.demo.story import Story
from governance.cli.demo.telling import Telling
from governance.deployment import open_deployment
from governance.errors import Conflict
from governance.home import CONFIG_NAME, Home, OwnerLock
from governance.operations.admin.create_home import create_home

HOST: Final = "127.0.0.1"
DEPLOYMENT: Final = "demonstration"
FINISHED: Final = "demonstration.finished"


def perform(
    home: Path, *, port: int, stay: bool, fresh: bool, write: Callable[[str], None]
) -> None:
    """Build the demonstration in `home` and, where `stay`, serve it until it is stopped."""
    if (home / FINISHED).exists() and not fresh:
        write(f"The demonstration in {home} is finished; it stays as it is.")
        write("Its passwords were shown once; `vigil demo --fresh` builds a new one.")
    else:
        if home.exists():
            _clear(home, write)
        _build(home, port=port if stay else 0, write=write)
    if stay:
        serve_home(home, host=HOST, port=port, ready=lambda address: write(f"Serving {address}"))


def _clear(home: Path, write: Callable[[str], None]) -> None:
    """Delete an earlier demonstration that nobody serves; nothing else is ever deleted."""
    config = Home.open(home).config if (home / CONFIG_NAME).exists() else None
    if config is None or (config.organisation, config.deployment) != (ORGANISATION, DEPLOYMENT):
        raise Conflict(
            f"{home} exists and is no demonstration",
            next_step="name another folder with --home; a demonstration deletes only its own kind",
        )
    with OwnerLock(Home.open(home).lock_path):
        write(f"The earlier demonstration in {home} is deleted.")
        shutil.rmtree(home)


def _build(home: Path, *, port: int, write: Callable[[str], None]) -> None:
    known = passwords()
    write("OncoVigil: one model governed end to end, on real data.")
    write("The people are demonstration people. Nothing here is clinical performance.")
    create_home(
        home,
        organisation=ORGANISATION,
        deployment=DEPLOYMENT,
        database="sqlite",
        administrator=ADMINISTRATOR.person,
        printed_name=ADMINISTRATOR.printed_name,
        password=known[ADMINISTRATOR.person],
    )
    with open_deployment(home) as deployment, network_socket(HOST, port) as listening:
        company = Company(deployment=deployment, passwords=known)
        address = f"http://{HOST}:{listening.getsockname()[1]}"
        with serving(deployment, listening):
            story = Story(
                company=company, telling=Telling(write=write), address=address, folder=home
            )
            story.tell()
    (home / FINISHED).touch()
    write("\nSign in with these demonstration accounts (shown once):")
    for player in PLAYERS:
        write(f"  {player.person:<4} {known[player.person]}   {player.part}")
    write("The hold waits for two people: rea and sam each sign `reinstate`, or keep it suspended.")
