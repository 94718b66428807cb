"""docs/reference/http.md lists every reason as the catalogue has it.

python -m tests.unit.gate.test_http_page      writes the table anew
"""

from __future__ import annotations

from pathlib import Path

from governance.gate.reasons import REASONS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "http.md"
_BEGIN, _END = "<!-- reasons:", "<!-- /reasons -->"


def with_table(text: str) -> str:
    """Return the page with the rows between its marks replaced by the catalogue's."""
    head, rest = text.split(_BEGIN, 1)
    mark, tail = rest.split("\n", 1)
    rows = "| status | code | what it says, and what to do |\n|---|---|---|\n" + "".join(
        f"| {reason.status} | `{reason.code}` | {reason.sentence} {reason.next_step} |\n"
        for reason in REASONS.values()
    )
    return f"{head}{_BEGIN}{mark}\n{rows}{_END}{tail.split(_END, 1)[1]}"


def test_the_page_lists_every_reason() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_table(text) == text


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
