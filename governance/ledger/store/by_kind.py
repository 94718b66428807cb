"""Which entries are of some kind: a scan of the envelopes, for rare kinds and for people.

Everything before a kind has a fixed length in an envelope, so the database compares bytes at one of
two places and searches nothing. In an envelope of another form nothing is found; that it has the
form is what a verification of the chain says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, text

from governance.ledger.core.record import BODY_AT, KIND_AT, KIND_AT_WITH_BODY

# SQL counts from one. The byte "n" begins the null of an entry without a body.
_AT: Final = {
    "sqlite": f"CASE substr(env, {BODY_AT + 1}, 1) WHEN x'6e' "
    f"THEN {KIND_AT + 1} ELSE {KIND_AT_WITH_BODY + 1} END",
    "postgresql": f"CASE substring(env FROM {BODY_AT + 1} FOR 1) WHEN '\\x6e'::bytea "
    f"THEN {KIND_AT + 1} ELSE {KIND_AT_WITH_BODY + 1} END",
}
_CUT: Final = {
    "sqlite": "substr(env, {at}, {length})",
    "postgresql": "substring(env FROM {at} FOR {length})",
}


def is_of_kind(dialect: str, kinds: Iterable[str]) -> tuple[str, dict[str, bytes]]:
    """Return an SQL condition that holds for entries of these kinds, and its parameters."""
    by_length: dict[int, list[str]] = defaultdict(list)
    values: dict[str, bytes] = {}
    for number, kind in enumerate(kinds):
        ended = f'{kind}"'.encode()
        values[f"kind{number}"] = ended
        by_length[len(ended)].append(f":kind{number}")
    conditions = [
        f"{_CUT[dialect].format(at=_AT[dialect], length=length)} IN ({', '.join(names)})"
        for length, names in by_length.items()
    ]
    return f"({' OR '.join(conditions) or 'false'})", values


def numbers_of(connection: Connection, kinds: Sequence[str], *, limit: int) -> list[int]:
    """Return the numbers of up to `limit` entries of these kinds, the latest first."""
    condition, values = is_of_kind(connection.dialect.name, kinds)
    query = text(
        f"SELECT seq FROM entry WHERE {condition} ORDER BY seq DESC LIMIT :most"  # noqa: S608
    )
    return list(connection.execute(query, {**values, "most": limit}).scalars())
