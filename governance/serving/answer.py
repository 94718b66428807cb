"""One question's way: standing, decision, rows, and an entry before the answer (P1, P2).

What `Answers.submit` returns is a promise: its future ends when the entry is durable, and only then
may the reply leave. What was decided stands under an epoch and until an instant; where either has
moved when the committer writes, `_decide_again` runs under the head lock, and what was prepared is
withheld unless it may still be given (P11).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from audits.estimate import Json
from change_control.release.release import Release as StandingRelease
from governance.gate.ask import Ask, Served
from governance.gate.decide import Decision, Dossier, decide
from governance.gate.reasons import Refusal
from governance.ledger.store.keys import KeyStore
from governance.registry.records import Release
from governance.serving.codec import Codec
from governance.serving.snapshot import GovernedModel, Snapshot
from governance.serving.state import ServingState
from governance.storage.ports import Body, CommittedAnswer, Pen, PendingAnswer, Reader
from governance.storage.promise import Promise
from models.predictor import Predictor, RowAnswer

BODY_BYTES_MAX: Final = 3_000_000
"""A receipt holds the body in base64 and ends at four MiB (`governance.ledger.core.receipt`)."""

ANSWERED: Final = "inference.answered"
REFUSED: Final = "inference.refused"
WITHHELD: Final = "inference.withheld"


Again = Callable[["_Case", PendingAnswer, Reader, int, int], PendingAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A question, the decision on it, and what that was taken under."""

    ask: Ask
    codec: Codec
    epoch: int
    decision: Decision
    model: GovernedModel | None = None
    until_us: int | None = None

    @property
    def release(self) -> Release | None:
        """The record of the release that may answer."""
        if self.model is None or self.decision.release is None:
            return None
        return self.model.releases[self.decision.release.id]

    @property
    def authority(self) -> tuple[Release | None, str | None]:
        """What an answer rests on: the release, and the entry that its rows were held against."""
        return self.release, None if self.model is None else self.model.in_use.digest


class Answers:
    """Takes questions to the committer."""

    def __init__(self, *, state: ServingState, pen: Pen, keys: KeyStore) -> None:
        self._state = state
        self._pen = pen
        self._keys = keys

    def submit(self, ask: Ask, codec: Codec, *, now_us: int) -> Promise[CommittedAnswer]:
        """Decide, answer and queue; the future ends when the entry is durable and signed."""
        return self._pen.answer(self._prepare(ask, codec, now_us=now_us))

    def _prepare(self, ask: Ask, codec: Codec, *, now_us: int) -> PendingAnswer:
        snapshot = self._state.current()
        predictor: Predictor | None = None

        def intact(model: GovernedModel, release: StandingRelease) -> bool:
            nonlocal predictor
            predictor = self._state.predictor(model, release, now_us=now_us)
            return predictor is not None

        case = _decided(ask, codec, snapshot, now_us=now_us, intact=intact)
        model, release, question = case.model, case.release, ask.question
        if model is None or release is None or predictor is None or isinstance(question, Refusal):
            return _refusal(case, again=self._decide_again)
        answers = model.in_use.rows.answer(predictor, question.rows)
        key = release.body_key if question.subject is None else self._key_of(ask, question.subject)
        return _answer(case, model, release, answers, body_key=key, again=self._decide_again)

    def _key_of(self, ask: Ask, subject: str) -> str:
        """Return the name of the person's key: what is said of a person is erased with it (P13)."""
        organisation = ask.caller.scope.organisation
        return self._keys.subject_key(organisation=organisation, subject=subject)

    def _decide_again(
        self, before: _Case, prepared: PendingAnswer, reader: Reader, epoch: int, now_us: int
    ) -> PendingAnswer:
        """Return, under the head lock, what is recorded in the place of `prepared`.

        Nothing is predicted here. An answer stands only where the release and the entry that it
        rests on are the ones that govern now; its bytes were verified when it was prepared.
        """
        snapshot = self._state.under_lock(reader, epoch)
        case = _decided(before.ask, before.codec, snapshot, now_us=now_us, intact=_verified)
        if case.release is None:
            return _refusal(case, withheld=before.release)
        if case.authority == before.authority:
            facts = {**prepared.facts, "epoch": epoch}
            return replace(prepared, facts=facts, epoch=epoch, until_us=case.until_us)
        moved = Decision(refusals=(Refusal(code="gate.standing_moved"),))
        return _refusal(replace(case, decision=moved), withheld=before.release)


def _verified(_model: GovernedModel, _release: StandingRelease) -> bool:
    return True


def _decided(
    ask: Ask,
    codec: Codec,
    snapshot: Snapshot,
    *,
    now_us: int,
    intact: Callable[[GovernedModel, StandingRelease], bool],
) -> _Case:
    """Return the decision on a question; `intact` is asked only where a release governs."""
    model = snapshot.models.get(ask.model)
    if model is None:
        return _Case(ask=ask, codec=codec, epoch=snapshot.epoch, decision=decide(ask, None))
    # A question that could not be read has no purpose; what is wrong with it decides before.
    purpose, market = "", None
    if not isinstance(ask.question, Refusal):
        purpose, market = ask.question.purpose, ask.question.market
    standing = model.standing(scope=ask.caller.scope, purpose=purpose, market=market, now_us=now_us)
    governing = None if standing is None else standing.release
    dossier = Dossier(
        use=model.in_use.entry.use,
        standing=standing,
        intact=governing is not None and intact(model, governing),
    )
    return _Case(
        ask=ask,
        codec=codec,
        epoch=snapshot.epoch,
        decision=decide(ask, dossier),
        model=model,
        until_us=None if standing is None else standing.until_us,
    )


def _answer(
    case: _Case,
    model: GovernedModel,
    release: Release,
    answers: Sequence[RowAnswer],
    *,
    body_key: str,
    again: Again,
) -> PendingAnswer:
    silent = [answer for answer in answers if answer.reasons]
    reply = case.codec.encode(
        Served(name=model.name, version=release.version, digest=release.digest),
        answers,
        fallback=model.in_use.entry.fallback if silent else None,
    )
    content = case.codec.body(request=case.ask.raw, reply=reply)
    if len(content) > BODY_BYTES_MAX:
        too_large = Refusal(code="gate.too_large", detail="the answer is too large to record")
        return _refusal(replace(case, decision=Decision(refusals=(too_large,))), again=again)
    facts = _facts(case, release)
    facts["market"], facts["purpose"] = release.market, release.purpose
    facts["dispositions"] = {"answered": len(answers) - len(silent), "abstained": len(silent)}
    facts["reasons"] = [*sorted({code for answer in silent for code in answer.reasons})]
    facts["body_key"] = body_key
    return _pending(
        case,
        again,
        kind=ANSWERED,
        facts=facts,
        body=Body(
            content=content,
            key_id=body_key,
            of_subject=model.in_use.entry.use.rows_are_about_people,
        ),
        reply=reply,
        status=200,
        idempotency=_idempotency(case.ask),
    )


def _refusal(
    case: _Case, *, again: Again | None = None, withheld: Release | None = None
) -> PendingAnswer:
    """Return a refusal, or what is recorded in the place of an answer under `withheld`.

    There is no body: without a release there is no key to encrypt one under, and what was withheld
    was never given. The facts hold no text of the caller's, not even its purpose (P15). It takes no
    idempotency key: the same question may be answered once the reason is gone.
    """
    refusals = case.decision.refusals
    facts = _facts(case, withheld)
    facts["reasons"] = [refusal.code for refusal in refusals]
    fallback = None if case.model is None else case.model.in_use.entry.fallback
    return _pending(
        case,
        again,
        kind=REFUSED if withheld is None else WITHHELD,
        facts=facts,
        body=None,
        reply=case.codec.encode_refusal(refusals, fallback=fallback),
        status=refusals[0].status,
        idempotency=None,
    )


def _pending(
    case: _Case,
    again: Again | None,
    *,
    kind: str,
    facts: dict[str, Json],
    body: Body | None,
    reply: bytes,
    status: int,
    idempotency: tuple[str, str, str] | None,
) -> PendingAnswer:
    """Return the answer or refusal with the way back to the decision, should standing move.

    The way leads to what was prepared, not to itself: a ring of references would keep every answer
    and its body in memory until the collector comes by.
    """
    prepared = PendingAnswer(
        kind=kind,
        facts=facts,
        body=body,
        reply=reply,
        status=status,
        epoch=case.epoch,
        until_us=case.until_us,
        redecide=None,
        idempotency=idempotency,
    )
    return prepared if again is None else replace(prepared, redecide=partial(again, case, prepared))


def _facts(case: _Case, release: Release | None) -> dict[str, Json]:
    """Return the permanent facts: who asked what, under which release; nothing of a subject."""
    return {
        "caller": case.ask.caller.client,
        "scope": str(case.ask.caller.scope),
        # Only the name of a registered model: any other is the caller's text.
        "model": None if case.model is None else case.model.name,
        "version": None if release is None else release.version,
        "digest": None if release is None else release.digest,
        "release": None if release is None else release.id,
        "entry": None if case.model is None else case.model.in_use.digest,
        "market": None,
        "purpose": None,
        "dispositions": {"answered": 0, "abstained": 0},
        "reasons": [],
        "body_key": None,
        "epoch": case.epoch,
    }


def _idempotency(ask: Ask) -> tuple[str, str, str] | None:
    """Return caller, key and the digest of what was asked: the model as well as the body."""
    if ask.idempotency_key is None:
        return None
    asked = hashlib.sha256(ask.model.encode() + b"\n" + ask.raw).hexdigest()
    return ask.caller.client, ask.idempotency_key, asked
