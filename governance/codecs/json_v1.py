"""The JSON format of POST /v1/models/{name}/predict (docs/reference/http.md).

Strict in what it reads, because the exact text goes into the record and must mean one thing to
every later reader: UTF-8, RFC 8259 only (no NaN, no Infinity, no number beyond a double, no byte
order mark), no member twice in an object (RFC 8259 leaves open which of two counts, so the gate
and an auditor could read two different rows), no unknown member in the envelope. What is inside a
row is not judged here: a row outside its contract abstains on its own, inside a 200.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import orjson

from governance.gate.ask import Question, Served
from governance.gate.reasons import Refusal
from models.predictor import RowAnswer

MEDIA_TYPE: Final = "application/json"
PROBLEM_TYPE: Final = "application/problem+json"

_ENVELOPE: Final = frozenset({"subject", "rows", "context"})
_REFERENCES: Final = frozenset({"encounter", "order", "requester"})
_CONTEXT: Final = _REFERENCES | {"purpose", "market"}

_NONE: Final[Mapping[str, str]] = MappingProxyType({})

_CONTAINERS: Final = (dict, list)

# A pseudonym or reference: visible characters, so that what a person reads is what was sent.
_REFERENCE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')


def decode(raw: bytes, *, rows_max: int) -> Question | Refusal:
    """Read a body; a Refusal names the member at fault and never quotes the body (P15)."""
    try:
        envelope = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return Refusal(code="gate.not_json", detail=f"at line {error.lineno}, column {error.colno}")
    if not isinstance(envelope, dict):
        return Refusal(code="gate.envelope", detail="the body is not an object")
    if _has_member_twice(raw, envelope):
        return Refusal(code="gate.not_json", detail="an object has a member twice")
    fault = _envelope_fault(envelope)
    if fault:
        return Refusal(code="gate.envelope", detail=fault)
    rows = envelope["rows"]
    if len(rows) > rows_max:
        return Refusal(code="gate.too_many_rows", detail=f"the limit is {rows_max} rows")
    context: dict[str, str] = envelope["context"]
    return Question(
        rows=rows,
        purpose=context["purpose"],
        market=context.get("market"),
        subject=envelope.get("subject"),
        references=_NONE if len(context) == 1 else _references(context),
    )


def encode(served: Served, answers: Sequence[RowAnswer], *, fallback: str | None) -> bytes:
    """Return the reply as it is recorded: without its event id and receipt.

    `fallback` says what a user does about the rows that abstained; it is left out where none did.
    """
    reply: dict[str, object] = {
        "model": {"name": served.name, "version": served.version, "digest": served.digest},
        "rows": answers,
    }
    if fallback is not None:
        reply["fallback"] = fallback
    return orjson.dumps(reply)


def encode_refusal(refusals: Sequence[Refusal], *, fallback: str | None = None) -> bytes:
    """Return the problem details (RFC 9457) of a refusal; the first reason decided it."""
    first = refusals[0]
    reason = first.reason
    members: dict[str, object] = {}
    if len(refusals) > 1:
        members["reasons"] = [refusal.code for refusal in refusals]
    if fallback is not None:
        members["fallback"] = fallback
    return problem(
        code=reason.code,
        status=reason.status,
        detail=f"{reason.sentence} ({first.detail})" if first.detail else reason.sentence,
        next_step=reason.next_step,
        **members,
    )


def problem(*, code: str, status: int, detail: str, next_step: str, **members: object) -> bytes:
    """Return problem details (RFC 9457) with our members `code` and `next_step`."""
    return orjson.dumps(
        {
            "type": "about:blank",
            "title": TITLES.get(status, "Error"),
            "status": status,
            "detail": detail,
            "code": code,
            "next_step": next_step,
            **members,
        }
    )


def splice(reply: bytes, *, event_id: str, receipt: bytes) -> bytes:
    """Put event id and receipt behind the last member of a recorded reply.

    The recorded text cannot hold them: the receipt commits to that very text.
    """
    return b'%b,"event_id":"%b","receipt":%b}' % (reply[:-1], event_id.encode(), receipt)


def body(*, request: bytes, reply: bytes) -> bytes:
    """Return the entry's body: canonical JSON of the two exact texts.

    `request` was decoded as UTF-8 by `decode`, and sorting three ASCII names is all that RFC 8785
    asks of this shape.
    """
    return orjson.dumps({"reply": reply.decode(), "request": request.decode(), "v": 1})


TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def _references(context: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in context.items() if name in _REFERENCES}


def _envelope_fault(envelope: dict[str, object]) -> str:
    """Return what is wrong with the envelope, or the empty string."""
    if not envelope.keys() <= _ENVELOPE:
        return "the body has a member that is not subject, rows or context"
    for name in ("rows", "context"):
        if name not in envelope:
            return f"`{name}` is missing"
    if "subject" in envelope and not _is_reference(envelope["subject"]):
        return "`subject` is not a text of 1 to 128 visible ASCII characters"
    return _rows_fault(envelope["rows"]) or _context_fault(envelope["context"])


def _rows_fault(rows: object) -> str:
    if not isinstance(rows, list):
        return "`rows` is not a list"
    if not rows:
        return "`rows` is empty"
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            return f"`rows[{number}]` is not an object"
    return ""


def _context_fault(context: object) -> str:
    if not isinstance(context, dict):
        return "`context` is not an object"
    if not context.keys() <= _CONTEXT:
        return "`context` has a member that is not purpose, market, encounter, order or requester"
    if "purpose" not in context:
        return "`context.purpose` is missing"
    for name, value in context.items():
        if not _is_reference(value):
            return f"`context.{name}` is not a text of 1 to 128 visible ASCII characters"
    return ""


def _is_reference(value: object) -> bool:
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def _has_member_twice(raw: bytes, value: object) -> bool:
    """Whether the parser dropped a member: outside of strings, JSON has one colon a member."""
    return _STRING.sub(b"", raw).count(b":") != _members(value)


def _members(value: object) -> int:
    """Return the number of object members in a parsed value, at every depth."""
    count = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            count += len(item)
            waiting += [part for part in item.values() if part.__class__ in _CONTAINERS]
        elif isinstance(item, list):
            waiting += [part for part in item if part.__class__ in _CONTAINERS]
    return count
