"""Every reason for which the gate gives no answer: stable code, HTTP status, sentence, next step.

Programs match on the code, so a code never changes its meaning. The sentences name things and
fields, never the values that a caller sent (P15). A refusal of an authenticated caller is an entry
of the ledger, except where `recorded` is False: those are only counted, because anybody could fill
the ledger with them, because they are about an entry that is there already, or because there is no
ledger to write to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why there is no answer, and what the reader can do about it."""

    code: str
    status: int
    sentence: str
    next_step: str
    recorded: bool = True


_CATALOGUE: Final[tuple[Reason, ...]] = (
    # --- who asks ------------------------------------------------------------------------------
    Reason(
        code="identity.unauthenticated",
        status=401,
        sentence="The request carries no bearer token.",
        next_step="Get a token at POST /oauth/token and send it as `Authorization: Bearer …`.",
        recorded=False,
    ),
    Reason(
        code="identity.token_invalid",
        status=401,
        sentence="The bearer token is not one of this deployment.",
        next_step="Get a new token at POST /oauth/token.",
        recorded=False,
    ),
    Reason(
        code="identity.token_expired",
        status=401,
        sentence="The bearer token has expired.",
        next_step="Get a new token at POST /oauth/token.",
        recorded=False,
    ),
    Reason(
        code="identity.client_disabled",
        status=401,
        sentence="The client is disabled, or its secret was replaced after the token was issued.",
        next_step="Ask an administrator for the client's state, then get a new token.",
        recorded=False,
    ),
    Reason(
        code="identity.forbidden",
        status=403,
        sentence="The client may not ask this model.",
        next_step="Ask an administrator for the permission infer:{model}, then get a token with "
        "that scope.",
    ),
    # --- how it is asked -----------------------------------------------------------------------
    Reason(
        code="gate.rate_limited",
        status=429,
        sentence="The client has sent more requests than its limit for a minute.",
        next_step="Wait for the seconds in the header Retry-After; send several rows at once.",
        recorded=False,
    ),
    Reason(
        code="gate.content_type",
        status=415,
        sentence="The content type is not application/json.",
        next_step="Send JSON with `Content-Type: application/json`, without content encoding.",
    ),
    Reason(
        code="gate.too_large",
        status=413,
        sentence="The body is larger than this deployment reads.",
        next_step="Send fewer rows in one request.",
    ),
    Reason(
        code="gate.body_timeout",
        status=408,
        sentence="The body did not arrive in time.",
        next_step="Send the whole body at once.",
    ),
    Reason(
        code="gate.not_json",
        status=422,
        sentence="The body is not strict JSON in UTF-8.",
        next_step="Send one JSON object (RFC 8259): no NaN, no Infinity, no member twice.",
    ),
    Reason(
        code="gate.envelope",
        status=422,
        sentence="The body is JSON, but not a question in the form that this address takes.",
        next_step='Send {"rows": [{…}], "context": {"purpose": "…"}}; docs/reference/http.md '
        "lists every member.",
    ),
    Reason(
        code="gate.too_many_rows",
        status=422,
        sentence="The question has more rows than this deployment answers at once.",
        next_step="Send the rows in several requests.",
    ),
    Reason(
        code="gate.idempotency_key",
        status=422,
        sentence="The Idempotency-Key is not 1 to 128 visible ASCII characters.",
        next_step="Send a random key, for example a UUID, and the same one only for a repetition.",
    ),
    Reason(
        code="gate.idempotency_mismatch",
        status=422,
        sentence="The Idempotency-Key was used before for another question.",
        next_step="Use a new key for a new question.",
        recorded=False,
    ),
    # --- what is asked -------------------------------------------------------------------------
    Reason(
        code="gate.unknown_model",
        status=404,
        sentence="No model of this name is registered.",
        next_step="GET /v1/models lists the registered models.",
    ),
    Reason(
        code="gate.purpose",
        status=422,
        sentence="`context.purpose` is not a purpose that this release serves.",
        next_step="Name a registered purpose; GET /v1/models/{name} lists them.",
    ),
    Reason(
        code="gate.market",
        status=422,
        sentence="The model is released in several markets, and `context.market` names none.",
        next_step="Name the market as `context.market`; GET /v1/models/{name} lists the releases.",
    ),
    Reason(
        code="gate.subject_required",
        status=422,
        sentence="The rows of this model are about people, and `subject` is missing.",
        next_step="Send the person's pseudonym as `subject`, so that a recall and an erasure "
        "reach the answer.",
    ),
    Reason(
        code="gate.subject_unexpected",
        status=422,
        sentence="The rows of this model are not about people, and `subject` names one.",
        next_step="Leave `subject` out: this model's answers are not erasable by person.",
    ),
    # --- whether it may be answered now ----------------------------------------------------------
    Reason(
        code="gate.not_released",
        status=409,
        sentence="No version of this model is released where the client is, for its market.",
        next_step="Use the model's fallback; ask the model's owner for a release.",
    ),
    Reason(
        code="gate.suspended",
        status=409,
        sentence="The model is on hold where the client is.",
        next_step="Use the model's fallback until the hold is lifted.",
    ),
    Reason(
        code="gate.recalled",
        status=409,
        sentence="The version in service was recalled.",
        next_step="Use the model's fallback; do not use earlier answers of this version.",
    ),
    Reason(
        code="gate.expired",
        status=409,
        sentence="The release has reached its end.",
        next_step="Use the model's fallback; ask the model's owner for a new release.",
    ),
    Reason(
        code="gate.digest_mismatch",
        status=409,
        sentence="The model's artifact is not byte for byte what was registered.",
        next_step="Use the model's fallback; tell the model's owner: this may be tampering.",
    ),
    Reason(
        code="gate.standing_moved",
        status=409,
        sentence="The model's release changed while the answer was being written.",
        next_step="Send the same request again.",
    ),
    Reason(
        code="gate.repeat_superseded",
        status=409,
        sentence="The answer under this Idempotency-Key rests on a release or an entry that no "
        "longer governs.",
        next_step="Do not use that answer; send the question again under a new key.",
        recorded=False,
    ),
    Reason(
        code="gate.subject_erased",
        status=409,
        sentence="The subject was erased while the answer was being written.",
        next_step="Ask again only where there is a new ground to ask about this person.",
        recorded=False,
    ),
    Reason(
        code="gate.answer_erased",
        status=410,
        sentence="The answer under this Idempotency-Key was erased with its subject.",
        next_step="Do not repeat the question; ask anew, under a new key, only where there is a "
        "new ground to ask about this person.",
        recorded=False,
    ),
    # --- whether it can be recorded --------------------------------------------------------------
    Reason(
        code="gate.audit_unavailable",
        status=503,
        sentence="The answer could not be recorded, and nothing is answered off the record.",
        next_step="Use the model's fallback; send the request again later.",
        recorded=False,
    ),
)

REASONS: Final[dict[str, Reason]] = {reason.code: reason for reason in _CATALOGUE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason applied to one question; `detail` names the field or limit, never a value."""

    code: str
    detail: str = ""

    @property
    def reason(self) -> Reason:
        """Return the catalogued reason."""
        return REASONS[self.code]

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return REASONS[self.code].status
