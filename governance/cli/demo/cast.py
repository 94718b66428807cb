"""Who plays in the demonstration. Passwords are random, shown once, and kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from change_control.roles import Role
from governance import ids

ORGANISATION: Final = "demo-hospital"
SITE: Final = "pharmacy"
SCOPE: Final = f"{ORGANISATION}/*"
SITE_SCOPE: Final = f"{ORGANISATION}/{SITE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A demonstration person with the roles that they act in."""

    person: str
    printed_name: str
    roles: tuple[Role, ...]
    part: str


ADMINISTRATOR: Final = Player(
    person="ada",
    printed_name="Ada Demonstration",
    roles=(Role.ADMINISTRATOR,),
    part="administrator",
)
OWNER: Final = Player(
    person="mo", printed_name="Mo Demonstration", roles=(Role.MODEL_OWNER,), part="model owner"
)
REVIEWER: Final = Player(
    person="rea",
    printed_name="Rea Demonstration",
    roles=(Role.REVIEWER,),
    part="quality reviewer",
)
SAFETY: Final = Player(
    person="sam",
    printed_name="Sam Demonstration",
    roles=(Role.SAFETY_OFFICER,),
    part="safety officer",
)
PLAYERS: Final = (ADMINISTRATOR, OWNER, REVIEWER, SAFETY)


def passwords() -> dict[str, str]:
    """Return a fresh random password for each player."""
    return {player.person: ids.passphrase() for player in PLAYERS}
