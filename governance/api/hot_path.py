"""POST /v1/models/{name}/predict as one ASGI function.

Ordinary routing costs more than everything that happens here, so this route reads the scope
itself. It makes the checks that must come before a body is read, in this order: method,
credential, rate, content type, size and time of the body. Everything later is the gate's
(`governance.gate.decide`). The reply is sent when its entry is durable, and not before (P2).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from governance.api.asgi import (
    CHALLENGE,
    JSON,
    PROBLEM,
    Receive,
    Scope,
    Send,
    headers_of,
    respond,
    respond_refusal,
)
from governance.api.authentication import Authentication
from governance.api.limits import RateLimit, receive_body, too_many
from governance.api.metrics import Metrics
from governance.clock import Clock
from governance.codecs import json_v1
from governance.gate.ask import Ask, Caller, Question
from governance.gate.reasons import Refusal
from governance.home import Limits
from governance.serving.answer import ANSWERED, Answers
from governance.storage.errors import audit_unavailable
from governance.storage.ports import CommittedAnswer

PREFIX: Final = "/v1/models/"
SUFFIX: Final = "/predict"
COMMIT_SECONDS_MAX: Final = 30.0
"""Longer than any healthy commit. The entry may still become durable afterwards: a client that
sent an Idempotency-Key gets that very answer when it asks again."""

_KEY_MAX: Final = 128


def is_predict(path: str) -> bool:
    """Whether the path is the predict route's."""
    return path.endswith(SUFFIX) and path.startswith(PREFIX) and len(path) > _SHORTEST


_SHORTEST: Final = len(PREFIX) + len(SUFFIX)


class PredictRoute:
    """The route with what it needs; `__call__` is the ASGI application."""

    def __init__(
        self,
        *,
        answers: Answers,
        authentication: Authentication,
        clock: Clock,
        limits: Limits,
        rate: RateLimit,
        metrics: Metrics,
    ) -> None:
        self._answers = answers
        self._authentication = authentication
        self._clock = clock
        self._limits = limits
        self._rate = rate
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        now_us = self._clock.now_us()
        if scope["method"] != "POST":
            await respond(send, 405, [PROBLEM, (b"allow", b"POST")], _WRONG_METHOD)
            return
        headers = headers_of(scope)
        caller = self._authentication.caller(headers.get(b"authorization"), now_us=now_us)
        if isinstance(caller, Refusal):
            await self._counted(send, caller, [CHALLENGE])
            return
        wait_us = self._rate.wait_us(caller.client, now_us=now_us)
        if wait_us:
            await self._counted(send, *too_many(wait_us))
            return
        ask = await self._ask(scope["path"], headers, receive, caller)
        committed = await self._commit(ask, now_us=now_us)
        self._metrics.predicted(time.perf_counter() - started)
        if not committed.replayed:
            self._metrics.recorded(committed.recorded.seq)
        await self._reply(send, committed)

    async def _ask(
        self, path: str, headers: Mapping[bytes, bytes], receive: Receive, caller: Caller
    ) -> Ask:
        """Read the question; what is wrong with it is decided by the gate, and recorded."""
        raw = await self._body(headers, receive)
        key = _idempotency_key(headers)
        question: Question | Refusal
        if isinstance(raw, Refusal):
            question, raw = raw, b""
        elif isinstance(key, Refusal):
            question = key
        else:
            question = json_v1.decode(raw, rows_max=self._limits.rows_per_request)
        return Ask(
            model=path[len(PREFIX) : -len(SUFFIX)],
            caller=caller,
            question=question,
            raw=raw,
            idempotency_key=None if isinstance(key, Refusal) else key,
        )

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes | Refusal:
        media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media != b"application/json" or b"content-encoding" in headers:
            return Refusal(code="gate.content_type")
        return await receive_body(headers, receive, bytes_max=self._limits.max_body_bytes)

    async def _commit(self, ask: Ask, *, now_us: int) -> CommittedAnswer:
        """Return what stands in the ledger; raise AuditUnavailable where nothing does (P2)."""
        future = self._answers.submit(ask, json_v1, now_us=now_us)
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            if not ended.done():
                ended.set_result(None)

        # What asyncio.wrap_future and asyncio.timeout do, at a fifth of their time.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(end))
        limit = loop.call_later(COMMIT_SECONDS_MAX, end)
        await ended
        limit.cancel()
        if not future.done():
            raise audit_unavailable(f"it took longer than {COMMIT_SECONDS_MAX:g} s")
        return future.result()

    async def _reply(self, send: Send, committed: CommittedAnswer) -> None:
        answer = committed.answer
        self._count(committed)
        body = json_v1.splice(
            answer.reply, event_id=committed.recorded.event_id, receipt=committed.receipt
        )
        await respond(send, answer.status, [JSON if answer.status == 200 else PROBLEM], body)

    async def _counted(
        self, send: Send, refusal: Refusal, headers: list[tuple[bytes, bytes]]
    ) -> None:
        """Send a refusal that is not an entry."""
        self._metrics.refusal(refusal.code)
        await respond_refusal(send, refusal, headers=headers)

    def _count(self, committed: CommittedAnswer) -> None:
        facts = committed.answer.facts
        if committed.answer.kind != ANSWERED:
            reasons = facts["reasons"]
            self._metrics.refusal(str(reasons[0]) if isinstance(reasons, list) else "")
            return
        dispositions = facts["dispositions"]
        if isinstance(dispositions, dict):
            for disposition, count in dispositions.items():
                if isinstance(count, int) and count:
                    self._metrics.rows(str(facts["model"]), disposition, count)


def _idempotency_key(headers: Mapping[bytes, bytes]) -> str | Refusal | None:
    value = headers.get(b"idempotency-key")
    if value is None:
        return None
    text = value.decode("latin-1")
    visible = text.isascii() and text.isprintable() and " " not in text
    if not visible or not 0 < len(text) <= _KEY_MAX:
        return Refusal(code="gate.idempotency_key")
    return text


_WRONG_METHOD: Final = json_v1.problem(
    code="http.method_not_allowed",
    status=405,
    detail="The address takes POST only.",
    next_step="Send the question with POST.",
)
