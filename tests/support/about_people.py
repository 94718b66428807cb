"""A small deployment whose rows are about people: the forecasting entry, altered to say so."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from change_control.scope import Scope
from governance.codecs import json_v1
from governance.gate.ask import Ask, Caller
from governance.serving.answer import Answers
from governance.serving.artifacts import Artifacts
from governance.serving.state import ServingState
from tests.support.small_deployment import (
    CLIENT,
    DAY_US,
    MODEL,
    ORGANISATION,
    PURPOSE,
    ROW,
    START_US,
    Small,
    TickingClock,
    document_text,
    opened_small,
    small,
)

if TYPE_CHECKING:
    from governance.storage.ports import CommittedAnswer

RETENTION_DAYS: Final = 30
SUBJECT: Final = "MRN-4711"
OTHER: Final = "MRN-4712"
REASON: Final = "A letter of the third of March"


def entry_about_people(*, days: int = RETENTION_DAYS) -> str:
    """Return the demonstration's entry, its rows about people and kept for some days."""
    text = document_text("entry")
    assert text.count("rows_are_about_people: false") == 1
    return (
        text.replace("rows_are_about_people: false", "rows_are_about_people: true")
        + f"\nretention:\n  category: pharmacy-record\n  days: {days}\n"
        "  basis: Kept for a month by the pharmacy's schedule\n"
    )


@dataclass(frozen=True, kw_only=True)
class People:
    """The deployment, and how a caller asks it about a person."""

    small: Small

    @cached_property
    def _answers(self) -> Answers:
        deployment = self.small.deployment
        state = ServingState(
            read=deployment.reader,
            epoch_of=lambda: deployment.pen.standing_epoch,
            artifacts=Artifacts(root=deployment.home.artifacts_dir),
        )
        return Answers(state=state, pen=deployment.pen, keys=deployment.keys)

    def ask(
        self, subject: str = SUBJECT, *, key: str | None = None, requester: str = "ward-3"
    ) -> CommittedAnswer:
        """Ask about the person and return what stands in the ledger."""
        raw = orjson.dumps(
            {
                "subject": subject,
                "rows": [ROW],
                "context": {"purpose": PURPOSE, "requester": requester},
            }
        )
        ask = Ask(
            model=MODEL,
            caller=Caller(
                client=CLIENT,
                scope=Scope(organisation=ORGANISATION, site="pharmacy"),
                permissions=frozenset({f"infer:{MODEL}"}),
            ),
            question=json_v1.decode(raw, rows_max=10),
            raw=raw,
            idempotency_key=key,
        )
        now_us = self.small.clock.now_us()
        return self._answers.submit(ask, json_v1, now_us=now_us).result(10)

    def request(self, subject: str = SUBJECT, *, by: str = "cas", **more: Any) -> dict[str, Any]:
        """Ask that the person be erased."""
        sent = {"subject": subject, "basis": "objection", "reason": REASON} | more
        return self.small.perform(by, "erasure.request", **sent)

    def confirm(self, erasure: str = "E-1", *, by: str = "reg") -> dict[str, Any]:
        """Confirm an erasure with a signature."""
        return self.small.signed(by, "erasure.confirm", erasure=erasure)

    def erase(self, subject: str = SUBJECT) -> dict[str, Any]:
        """Request, let the retention end, and confirm."""
        waiting = self.request(subject)
        self.pass_days(RETENTION_DAYS + 1)
        return self.confirm(waiting["erasure"])

    def pass_days(self, days: int) -> None:
        """Let time pass."""
        assert isinstance(self.small.clock, TickingClock)
        self.small.clock.advance(seconds=days * 86_400)

    def key_of(self, subject: str = SUBJECT) -> str | None:
        """Return the name of the person's key."""
        return self.small.deployment.keys.find_subject(organisation=ORGANISATION, subject=subject)

    def verify(self) -> None:
        """Verify everything: chain, bodies, rows."""
        self.small.deployment.ledger.verify()
        self.small.deployment.rebuild()


@contextmanager
def people(tmp_path: Path, *, days: int = RETENTION_DAYS) -> Iterator[People]:
    """Open the deployment in `tmp_path / "home"`; nobody was asked about yet."""
    template, secret = _template(days)
    shutil.copytree(template, tmp_path / "home")
    with again(tmp_path, secret=secret) as opened:
        yield opened


@contextmanager
def again(tmp_path: Path, *, secret: str = "", days_later: int = 1) -> Iterator[People]:
    """Open the home that is in `tmp_path` already."""
    clock = TickingClock(now_us=START_US + DAY_US + days_later * DAY_US)
    with opened_small(tmp_path / "home", clock, secret) as opened:
        yield People(small=opened)


@cache
def _template(days: int) -> tuple[Path, str]:
    folder = tempfile.TemporaryDirectory(prefix="vigil-people-")
    _KEPT.append(folder)
    with small(Path(folder.name)) as opened:
        registered = opened.register("entry", text=entry_about_people(days=days))
        opened.decide("rea", registered["review"])
        return Path(folder.name) / "home", opened.secret


_KEPT: Final[list[tempfile.TemporaryDirectory[str]]] = []


__all__ = ["OTHER", "REASON", "SUBJECT", "People", "again", "people"]
