"""Templates to pages: escaping is always on; a missing value is an error, never an empty cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from governance.reports import wording
from governance.reports.audit_report import DISCLAIMER

FOLDER: Final = Path(__file__).parent / "templates"


class Templates:
    """The console's templates with the wording that reports use too."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            instant=_instant,
            day=wording.day_text,
            words=wording.words_of,
            sentence=wording.sentence_of,
            metric=wording.metric_words,
            digest=wording.digest_text,
            number=wording.number_text,
            percent=wording.percent_text,
            verdict_word=wording.verdict_word,
            pretty=_pretty,
            symbol=symbol_of,
            plural=wording.count_text,
        )
        self._environment.globals.update(due=wording.due_text, disclaimer=DISCLAIMER)

    def page(self, template: str, *, status: int, **values: object) -> Response:
        """Return a page as a response."""
        text = self._environment.get_template(template).render(**values)
        return HTMLResponse(text, status_code=status)


SYMBOLS: Final = {
    "pass": "✓", "fail": "✕", "insufficient": "◇",
    "may_answer": "✓", "refuse": "✕",
    "qualified": "✓", "active": "✓", "in_force": "✓", "approved": "✓", "decided": "✓",
    "accepted": "✓", "exceptions": "◇",
    "candidate": "◇", "registered": "◇", "open": "◇", "first_signature": "◇", "draft": "◇",
    "requested": "◇", "erased": "✓", "refused": "✕", "lift_signed": "◇", "lifted": "✓",
    "recalled": "✕", "rejected": "✕", "overdue": "▲", "triggered": "▲",
}  # fmt: skip
"""A mark beside a status word: no status is told by colour alone, and none by the mark alone."""


def symbol_of(status: str) -> str:
    """Return the mark of a status."""
    return SYMBOLS.get(status, "·")


def _instant(us: int | None, seconds: bool = False) -> Markup | str:  # noqa: FBT001, FBT002
    if us is None:
        return wording.instant_text(None)
    text = wording.instant_text(us, seconds=seconds)
    return Markup('<time datetime="{}">{}</time>').format(wording.machine_instant(us), text)


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
