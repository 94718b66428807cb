"""The log's keys as a table: which sizes each may sign, and whether it does now."""

from __future__ import annotations

from dataclasses import dataclass

from governance.operations.inspect.key_events import KeyEvent, KeysSeen


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """One key. `last` is None while it is in force; `since` is the entry that brought it."""

    key_id: str
    vkey: str
    first: int
    last: int | None
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPage:
    """The keys, the newest first, and the events."""

    lines: tuple[KeyLine, ...]
    events: tuple[KeyEvent, ...]
    rotating: bool
    closed_seq: int | None


def keys_page(seen: KeysSeen) -> KeysPage:
    """Return the page."""
    return KeysPage(
        lines=tuple(
            KeyLine(
                key_id=span.key.key_id.hex(),
                vkey=span.key.text(),
                first=max(span.first, 1),
                last=span.last,
                since=span.since_seq,
            )
            for span in reversed(seen.keys.spans)
        ),
        events=seen.events,
        rotating=len(seen.keys.in_force) > 1,
        closed_seq=seen.keys.closed_seq,
    )
