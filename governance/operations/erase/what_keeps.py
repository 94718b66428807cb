"""What stands in the way of an erasure: open legal holds, and retention that still runs.

A person's bodies are of the models that answered about the person. A legal hold covers the person,
one of these models, or all. Retention is what each model's entry in force states, counted from the
person's last answer of that model; the longest one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from change_control.change.documents import DocumentKind, DocumentState
from change_control.erase.erasure import ErasureFacts, ErasureState
from change_control.erase.legal_hold import LegalHoldState
from change_control.scope import Scope
from governance.clock import MICROSECONDS, utc_text
from governance.deployment import Deployment
from governance.errors import Conflict, NotFound
from governance.operations.erase.log_before import also_ask
from governance.operations.rules import entry_of
from governance.registry.records import Document, Erasure, LegalHold
from governance.storage.erasing import BodyOf
from governance.storage.ports import Reader

_ANSWERED: Final = "inference.answered"
_DAY_US: Final = 24 * 60 * 60 * MICROSECONDS


class UnknownSubject(NotFound):
    """Nothing was ever recorded of this person, or it was erased: the two cannot be told apart."""

    code = "erasure.unknown_subject"


class AlreadyRequested(Conflict):
    """An erasure of this person waits for its second person."""

    code = "erasure.already_requested"


class AlreadyErased(Conflict):
    """The person was erased already."""

    code = "erasure.already_erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """The open legal holds that cover a person, and the end of the longest running retention."""

    legal_holds: tuple[str, ...]
    until_us: int | None

    def facts(self, *, authors: Iterable[str], reason_given: bool = True) -> ErasureFacts:
        """Return what the table of erasures reads."""
        return ErasureFacts(
            authors=frozenset(authors),
            legal_holds=self.legal_holds,
            kept_until=None if self.until_us is None else utc_text(self.until_us),
            reason_given=reason_given,
        )


def everywhere(deployment: Deployment) -> Scope:
    """Return the scope of an erasure: a person's bodies are wherever the organisation answered."""
    return Scope(organisation=deployment.home.config.organisation)


def key_of_subject(deployment: Deployment, subject: str) -> str:
    """Return the name of the person's key; raise UnknownSubject. The name is all that is kept."""
    organisation = deployment.home.config.organisation
    key_id = deployment.keys.find_subject(organisation=organisation, subject=subject)
    if key_id is None:
        before = also_ask(deployment)
        raise UnknownSubject(
            "nothing is recorded under this subject: it was never asked about, or it was erased",
            next_step="Check the identifier with the system that sends it as `subject`; "
            "`vigil erasure list` shows what was erased."
            + ("" if before is None else f" {before}"),
        )
    return key_id


def require_not_erased(reader: Reader, key_id: str) -> None:
    """Raise AlreadyErased where the key was erased since it was looked up."""
    done = reader.find(Erasure, key_id=key_id, state=ErasureState.ERASED.value)
    if done:
        raise AlreadyErased(
            f"the person was erased by {done[0].id}",
            next_step=f"see `vigil erasure show {done[0].id}`",
        )


def what_keeps(reader: Reader, key_id: str, bodies: Sequence[BodyOf], *, now_us: int) -> Keeping:
    """Return what keeps these bodies of the person from being erased now."""
    models = {body.model for body in bodies}
    ends = [end for end in retention_ends(reader, bodies).values() if now_us < end]
    return Keeping(
        legal_holds=tuple(
            hold.id for hold in open_legal_holds(reader) if _covers(hold, key_id, models)
        ),
        until_us=max(ends, default=None),
    )


def open_legal_holds(reader: Reader) -> list[LegalHold]:
    """Return the legal holds that keep."""
    return [one for one in reader.find(LegalHold) if one.state != LegalHoldState.LIFTED.value]


def stopped_by(
    reader: Reader, hold: LegalHold, bodies: Mapping[str, Sequence[BodyOf]]
) -> list[Erasure]:
    """Return the erasures that wait and that the hold stops; `bodies` of each by its key."""
    waiting = reader.find(Erasure, state=ErasureState.REQUESTED.value)
    return [
        one
        for one in waiting
        if _covers(hold, one.key_id, {body.model for body in bodies.get(one.key_id, ())})
    ]


def retention_ends(reader: Reader, bodies: Sequence[BodyOf]) -> dict[str, int]:
    """Return for each model that answered about the person when its retention ends."""
    last: dict[str, int] = {}
    for body in bodies:
        if body.kind == _ANSWERED and body.model is not None:
            last[body.model] = max(body.t_us, last.get(body.model, 0))
    return {model: t_us + _retention_days(reader, model) * _DAY_US for model, t_us in last.items()}


def _retention_days(reader: Reader, model: str) -> int:
    """Return what the entry in force states, or the one that was in force last.

    Only an entry that people approved counts: a draft shortens nothing.
    """
    entries = [
        document
        for document in reader.find(Document, kind=DocumentKind.ENTRY.value, model=model)
        if document.in_force_us is not None
    ]
    if not entries:
        return 0
    in_force = [one for one in entries if one.state == DocumentState.IN_FORCE.value]
    newest = max(in_force or entries, key=lambda one: one.number)
    retention = entry_of(reader, newest).retention
    return 0 if retention is None else retention.days


def _covers(hold: LegalHold, key_id: str, models: Iterable[str | None]) -> bool:
    if hold.key_id is not None:
        return hold.key_id == key_id
    return hold.model is None or hold.model in set(models)
