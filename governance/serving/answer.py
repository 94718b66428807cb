"""One question's way: standing, decision, rows, and an entry before the answer (P1, P2).

What `Answers.submit` returns is a promise: its future ends when the entry is durable, and only then
may the reply leave. What was decided stands under an epoch and until an instant; where either has
moved when the committer writes, `_decide_again` runs under the head lock, and what was prepared is
withheld unless it may still be given (P11).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from audits.estimate import Json
from governance.gate.ask import Ask, Served
from governance.gate.decide import Decision, decide
from governance.gate.reasons import Refusal
from governance.registry.records import Release
from governance.serving.codec import Codec
from governance.serving.snapshot import GovernedModel, Snapshot
from governance.serving.state import ServingState, dossier_of, standing_for
from governance.storage.ports import Body, CommittedAnswer, Pen, PendingAnswer, Reader
from models.predictor import Predictor, RowAnswer

ANSWERED: Final = "inference.answered"
REFUSED: Final = "inference.refused"
WITHHELD: Final = "inference.withheld"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A question, the decision on it, and what that was taken under."""

    ask: Ask
    codec: Codec
    decision: Decision
    epoch: int
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

    def __init__(self, *, state: ServingState, pen: Pen) -> None:
        self._state = state
        self._pen = pen

    def submit(self, ask: Ask, codec: Codec, *, now_us: int) -> Future[CommittedAnswer]:
        """Decide, answer and queue; the future ends when the entry is durable and signed."""
        return self._pen.answer(self._prepare(ask, codec, now_us=now_us))

    def _prepare(self, ask: Ask, codec: Codec, *, now_us: int) -> PendingAnswer:
        snapshot = self._state.current()
        model = snapshot.models.get(ask.model)
        predictor: Predictor | None = None
        if model is not None:
            standing = standing_for(model, ask, now_us=now_us)
            if standing.release is not None:
                predictor = self._state.predictor(model, standing.release)
        case = _case(ask, codec, snapshot, now_us=now_us, intact=predictor is not None)
        release, question = case.release, ask.question
        if release is None or model is None or predictor is None or isinstance(question, Refusal):
            pending = _refusal(case)
        else:
            answers = model.in_use.rows.answer(predictor, question.rows)
            pending = _answer(case, model, release, answers)
        return replace(pending, redecide=partial(self._decide_again, case, pending))

    def _decide_again(
        self, before: _Case, prepared: PendingAnswer, reader: Reader, epoch: int, now_us: int
    ) -> PendingAnswer:
        """Return, under the head lock, what is recorded in the place of `prepared`.

        Nothing is predicted here. An answer stands only where the release and the entry that it
        rests on are the ones that govern now; its bytes were verified when it was prepared.
        """
        snapshot = self._state.renew(reader, epoch)
        case = _case(before.ask, before.codec, snapshot, now_us=now_us, intact=True)
        if case.release is None:
            return _refusal(case, withheld=before.release)
        if case.authority == before.authority:
            facts = {**prepared.facts, "epoch": epoch}
            return replace(prepared, facts=facts, epoch=epoch, until_us=case.until_us)
        moved = Decision(refusals=(Refusal(code="gate.standing_moved"),))
        return _refusal(replace(case, decision=moved), withheld=before.release)


def _case(ask: Ask, codec: Codec, snapshot: Snapshot, *, now_us: int, intact: bool) -> _Case:
    model = snapshot.models.get(ask.model)
    if model is None:
        return _Case(ask=ask, codec=codec, decision=decide(ask, None), epoch=snapshot.epoch)
    standing = standing_for(model, ask, now_us=now_us)
    return _Case(
        ask=ask,
        codec=codec,
        decision=decide(ask, dossier_of(model, standing, intact=intact)),
        epoch=snapshot.epoch,
        model=model,
        until_us=standing.until_us,
    )


def _answer(
    case: _Case, model: GovernedModel, release: Release, answers: Sequence[RowAnswer]
) -> PendingAnswer:
    abstained = [answer for answer in answers if answer.reasons]
    reply = case.codec.encode(
        Served(name=model.name, version=release.version, digest=release.digest),
        answers,
        fallback=model.in_use.entry.fallback if abstained else None,
    )
    counts: dict[str, Json] = {
        "answered": len(answers) - len(abstained),
        "abstained": len(abstained),
    }
    reasons: list[Json] = []
    reasons.extend(sorted({code for answer in abstained for code in answer.reasons}))
    facts = {
        **_facts(case, release),
        "purpose": release.purpose,
        "dispositions": counts,
        "reasons": reasons,
        "body_key": release.body_key,
    }
    content = case.codec.body(request=case.ask.raw, reply=reply)
    return PendingAnswer(
        kind=ANSWERED,
        facts=facts,
        body=Body(content=content, key_id=release.body_key),
        reply=reply,
        status=200,
        epoch=case.epoch,
        until_us=case.until_us,
        idempotency=_idempotency(case.ask),
    )


def _refusal(case: _Case, *, withheld: Release | None = None) -> PendingAnswer:
    """Return a refusal, or what is recorded in the place of an answer under `withheld`.

    There is no body: without a release there is no key to encrypt one under, and what was withheld
    was never given. The facts hold no text of the caller's, not even its purpose (P15). It takes no
    idempotency key: the same question may be answered once the reason is gone.
    """
    refusals = case.decision.refusals
    reasons: list[Json] = []
    reasons.extend(refusal.code for refusal in refusals)
    fallback = None if case.model is None else case.model.in_use.entry.fallback
    return PendingAnswer(
        kind=REFUSED if withheld is None else WITHHELD,
        facts={**_facts(case, withheld), "reasons": reasons},
        body=None,
        reply=case.codec.encode_refusal(refusals, fallback=fallback),
        status=refusals[0].status,
        epoch=case.epoch,
        until_us=case.until_us,
    )


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
