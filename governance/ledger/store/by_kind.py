"""Which entries are of some kind: a scan of the envelopes, for rare kinds and for people."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text


def numbers_of(connection: Connection, kinds: Sequence[str], *, limit: int) -> list[int]:
    """Return the numbers of up to `limit` entries of these kinds, the latest first."""
    # The envelope is canonical, so a kind has one spelling in it; no other field can hold quotes.
    needles = {f"k{at}": f'"kind":"{kind}"'.encode() for at, kind in enumerate(kinds)}
    found = "instr(env, :{0}) > 0"
    if connection.dialect.name == "postgresql":
        found = "position(:{0} IN env) > 0"
    where = " OR ".join(found.format(name) for name in needles)
    query = text(
        f"SELECT seq FROM entry WHERE {where} ORDER BY seq DESC LIMIT :most"  # noqa: S608
    )
    return list(connection.execute(query, {**needles, "most": limit}).scalars())
