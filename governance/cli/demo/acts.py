"""The people's acts of the demonstration, each through the catalogue like anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from audits.estimate import Json
from change_control.watch.review import ReviewCommand
from governance import ids
from governance.cli.demo.cast import ADMINISTRATOR, OWNER, PLAYERS, REVIEWER, SCOPE, Player
from governance.deployment import Deployment
from governance.operations import catalogue
from governance.operations.actor import Actor
from governance.operations.admin.sign_in import sign_in
from models.forecasting import DOCUMENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """The players with their passwords, acting in an open deployment."""

    deployment: Deployment
    passwords: Mapping[str, str]

    def perform(self, player: Player, name: str, **params: Json) -> dict[str, Any]:
        """Perform an operation as the player, under a session of their own."""
        actor = self.actor(player)
        return catalogue.perform(self.deployment, actor, name, params).model_dump(mode="json")

    def actor(self, player: Player) -> Actor:
        """Sign the player in and return who acts."""
        password = self.passwords[player.person]
        return sign_in(self.deployment, person=player.person, password=password).actor

    def signed(self, player: Player, name: str, **params: Json) -> dict[str, Any]:
        """Perform an operation that the player signs: the password is given once more."""
        return self.perform(player, name, password=self.passwords[player.person], **params)

    def admit(self) -> None:
        """Add everybody beside the administrator, grant the roles; each chooses a password."""
        for player in PLAYERS:
            if player is not ADMINISTRATOR:
                self._admit(player)

    def _admit(self, player: Player) -> None:
        first, own = ids.passphrase(), self.passwords[player.person]
        self.perform(
            ADMINISTRATOR,
            "person.add",
            person=player.person,
            printed_name=player.printed_name,
            password=first,
            demonstration=True,
        )
        for role in player.roles:
            self.perform(
                ADMINISTRATOR, "role.grant", person=player.person, role=role.value, scope=SCOPE
            )
        # What the administrator typed signs nothing: the player changes it, like anybody (P6).
        actor = sign_in(self.deployment, person=player.person, password=first).actor
        catalogue.perform(
            self.deployment, actor, "person.change_password", {"old": first, "new": own}
        )

    def register(self, kind: str) -> dict[str, Any]:
        """Register a document of the demonstration as its author, and have it approved."""
        text = (files("models.forecasting") / DOCUMENTS[f"{kind}-demo"]).read_text("utf-8")
        registered = self.signed(OWNER, "document.register", kind=kind, text=text)
        return self.approve(registered["review"])

    def approve(self, review: str) -> dict[str, Any]:
        """Approve a review as the reviewer, over the digest that the review shows."""
        shown = self.perform(REVIEWER, "review.show", review=review)
        return self.signed(
            REVIEWER,
            "review.decide",
            review=review,
            decision=ReviewCommand.APPROVE.value,
            record_digest=shown["subject_digest"],
        )
