"""The JSON format: what is read, what is refused, and the exact bytes that go out."""

from __future__ import annotations

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from governance.codecs import json_v1
from governance.gate.ask import Question, Served
from governance.gate.reasons import REASONS, Refusal
from models.predictor import abstained, answered

GOOD = b'{"rows":[{"a":1}],"context":{"purpose":"x"}}'


def read(raw: bytes) -> Question | Refusal:
    return json_v1.decode(raw, rows_max=3)


def test_a_question_is_read_with_everything_that_it_may_hold() -> None:
    raw = (
        b'{"subject":"p-1","rows":[{"a":1.5,"b":[null]},{}],'
        b'"context":{"purpose":"x","encounter":"e","order":"o 1","requester":"r"}}'
    )
    assert read(raw) == Question(
        rows=[{"a": 1.5, "b": [None]}, {}],
        purpose="x",
        subject="p-1",
        references={"encounter": "e", "order": "o 1", "requester": "r"},
    )


NOT_JSON = {
    "empty": b"",
    "cut off": GOOD[:-1],
    "two documents": GOOD + GOOD,
    "trailing comma": b'{"rows":[{"a":1},],"context":{"purpose":"x"}}',
    "single quotes": b"{'rows':[{}]}",
    "comment": b'{"rows":[{}],/* */"context":{"purpose":"x"}}',
    "NaN": b'{"rows":[{"a":NaN}],"context":{"purpose":"x"}}',
    "Infinity": b'{"rows":[{"a":Infinity}],"context":{"purpose":"x"}}',
    "minus Infinity": b'{"rows":[{"a":-Infinity}],"context":{"purpose":"x"}}',
    "beyond a double": b'{"rows":[{"a":1e999}],"context":{"purpose":"x"}}',
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "not UTF-8": GOOD.replace(b'"x"', b'"\xff"'),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "lone surrogate": GOOD.replace(b'"x"', b'"\\ud800"'),
    "too deep": b'{"rows":[{"a":' + b"[" * 2000 + b"]" * 2000 + b'}],"context":{"purpose":"x"}}',
    "member twice in a row": b'{"rows":[{"a":1,"a":2}],"context":{"purpose":"x"}}',
    "member twice in the envelope": b'{"rows":[{}],"rows":[{}],"context":{"purpose":"x"}}',
    "member twice in the context": b'{"rows":[{}],"context":{"purpose":"x","purpose":"x"}}',
    "member twice by an escape": b'{"rows":[{"a":1,"\\u0061":2}],"context":{"purpose":"x"}}',
    "member twice deep inside": b'{"rows":[{"a":[{"b":1,"b":1}]}],"context":{"purpose":"x"}}',
}


@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_strict_json_is_refused(raw: bytes) -> None:
    found = read(raw)
    assert isinstance(found, Refusal)
    assert found.code == "gate.not_json"


ENVELOPE = {
    "a list": (b"[]", "not an object"),
    "a text": (b'"rows"', "not an object"),
    "null": (b"null", "not an object"),
    "nothing": (b"{}", "`rows` is missing"),
    "no context": (b'{"rows":[{}]}', "`context` is missing"),
    "unknown member": (GOOD.replace(b"{", b'{"Kari":1,', 1), "has a member that is not"),
    "rows an object": (b'{"rows":{},"context":{"purpose":"x"}}', "`rows` is not a list"),
    "rows null": (b'{"rows":null,"context":{"purpose":"x"}}', "`rows` is not a list"),
    "no rows": (b'{"rows":[],"context":{"purpose":"x"}}', "`rows` is empty"),
    "a row no object": (b'{"rows":[{},7],"context":{"purpose":"x"}}', "`rows[1]` is not an obj"),
    "context a text": (b'{"rows":[{}],"context":"x"}', "`context` is not an object"),
    "no purpose": (b'{"rows":[{}],"context":{}}', "`context.purpose` is missing"),
    "purpose null": (b'{"rows":[{}],"context":{"purpose":null}}', "`context.purpose` is not a"),
    "purpose empty": (b'{"rows":[{}],"context":{"purpose":""}}', "`context.purpose` is not a"),
    "unknown context": (
        b'{"rows":[{}],"context":{"purpose":"x","Kari":"y"}}', "`context` has a member",
    ),
    "order a number": (
        b'{"rows":[{}],"context":{"purpose":"x","order":5}}', "`context.order` is not a text",
    ),
    "order too long": (
        b'{"rows":[{}],"context":{"purpose":"x","order":"' + b"o" * 129 + b'"}}',
        "`context.order` is not a text",
    ),
    "order with a line end": (
        b'{"rows":[{}],"context":{"purpose":"x","order":"a\\n"}}', "`context.order` is not",
    ),
    "subject null": (GOOD.replace(b"{", b'{"subject":null,', 1), "`subject` is not a text"),
    "subject not ASCII": (
        GOOD.replace(b"{", '{"subject":"Kåre",'.encode(), 1), "`subject` is not a text",
    ),
}  # fmt: skip


@pytest.mark.requirement("P15")
@pytest.mark.parametrize(("raw", "detail"), ENVELOPE.values(), ids=ENVELOPE.keys())
def test_a_broken_envelope_is_refused_naming_the_member_and_no_value(
    raw: bytes, detail: str
) -> None:
    found = read(raw)
    assert isinstance(found, Refusal)
    assert found.code == "gate.envelope"
    assert detail in found.detail
    assert not any(value in found.detail for value in ("Kari", "Kåre", "ooo", "5"))


def test_too_many_rows_are_refused_with_the_limit() -> None:
    raw = b'{"rows":[{},{},{},{}],"context":{"purpose":"x"}}'
    assert read(raw) == Refusal(code="gate.too_many_rows", detail="the limit is 3 rows")
    assert isinstance(read(raw.replace(b",{}]", b"]")), Question)


def test_a_colon_inside_a_text_is_no_member() -> None:
    raw = b'{"rows":[{"a":"b\\":\\\\","c\\\\\\":":"{:}"}],"context":{"purpose":"x"}}'
    assert isinstance(read(raw), Question)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(row=st.dictionaries(st.text(max_size=8), _JSON, max_size=5))
def test_any_row_without_a_repeated_member_is_read_as_it_was_sent(row: dict[str, object]) -> None:
    raw = orjson.dumps({"rows": [row], "context": {"purpose": "x"}})
    found = read(raw)
    assert isinstance(found, Question)
    assert found.rows == [row]


@given(row=st.dictionaries(st.text(max_size=8), _JSON, min_size=1, max_size=5))
def test_any_row_with_a_repeated_member_is_refused(row: dict[str, object]) -> None:
    text = orjson.dumps(row)
    again = orjson.dumps({next(iter(row)): None})
    doubled = text[:-1] + b"," + again[1:]
    raw = b'{"rows":[' + doubled + b'],"context":{"purpose":"x"}}'
    assert read(raw) == Refusal(code="gate.not_json", detail="an object has a member twice")


SERVED = Served(name="forecasting", version="forecasting/1", digest="0" * 64)
ANSWERS = [
    answered(prediction={"q": "1.5"}, uncertainty={"u": 1}, explanation={"e": ["å"]}),
    abstained(("row.mistyped",)),
]


def test_a_reply_has_the_members_of_the_contract_in_order() -> None:
    reply = json_v1.encode(SERVED, ANSWERS, fallback="Ask")
    out = json_v1.splice(reply, event_id="0190-x", receipt=b'{"v":1}')
    assert orjson.loads(out) == {
        "model": {"name": "forecasting", "version": "forecasting/1", "digest": "0" * 64},
        "rows": [
            {
                "disposition": "answered", "prediction": {"q": "1.5"}, "uncertainty": {"u": 1},
                "explanation": {"e": ["å"]}, "reasons": [],
            },
            {
                "disposition": "abstained", "prediction": None, "uncertainty": None,
                "explanation": None, "reasons": ["row.mistyped"],
            },
        ],
        "fallback": "Ask",
        "event_id": "0190-x",
        "receipt": {"v": 1},
    }  # fmt: skip
    assert out.endswith(b',"receipt":{"v":1}}')


def test_the_recorded_reply_is_the_sent_one_up_to_the_event_id() -> None:
    reply = json_v1.encode(SERVED, ANSWERS, fallback=None)
    out = json_v1.splice(reply, event_id="e", receipt=b"{}")
    assert out.startswith(reply[:-1] + b',"event_id":')
    assert b"fallback" not in reply


@given(request=st.text(max_size=60), reply=st.text(max_size=60))
def test_a_body_is_canonical_json_by_a_second_implementation(request: str, reply: str) -> None:
    body = json_v1.body(request=request.encode(), reply=reply.encode())
    assert body == rfc8785.dumps({"request": request, "reply": reply, "v": 1})


def test_a_refusal_is_problem_details_with_code_and_next_step() -> None:
    refusals = (Refusal(code="gate.recalled"), Refusal(code="gate.suspended"))
    problem = orjson.loads(json_v1.encode_refusal(refusals, fallback="Use last year"))
    assert problem == {
        "type": "about:blank", "title": "Conflict", "status": 409,
        "detail": REASONS["gate.recalled"].sentence, "code": "gate.recalled",
        "next_step": REASONS["gate.recalled"].next_step,
        "reasons": ["gate.recalled", "gate.suspended"], "fallback": "Use last year",
    }  # fmt: skip


def test_every_status_of_the_catalogue_has_a_title() -> None:
    assert {reason.status for reason in REASONS.values()} <= json_v1.TITLES.keys()


def test_an_abstention_keeps_its_bytes() -> None:
    reply = json_v1.encode(SERVED, ANSWERS[1:], fallback=None)
    assert reply == (
        b'{"model":{"name":"forecasting","version":"forecasting/1","digest":"' + b"0" * 64
        + b'"},"rows":[{"disposition":"abstained","prediction":null,"uncertainty":null,'
        b'"explanation":null,"reasons":["row.mistyped"]}]}'
    )  # fmt: skip
