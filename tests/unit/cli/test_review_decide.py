"""`vigil review decide` shows what is signed, and signs that."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from governance.cli import watch

SHOWN = {
    "review": "R-4",
    "kind": "finding",
    "subject": "F-1",
    "model": "forecasting",
    "state": "open",
    "subject_digest": "a" * 64,
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    asked: list[tuple[str, dict[str, Any]]] = []

    def perform(_target: object, name: str, params: dict[str, Any]) -> dict[str, Any]:
        asked.append((name, params))
        return SHOWN if name == "review.show" else {"review": "R-4", "state": "decided"}

    monkeypatch.setattr(watch, "perform", perform)
    monkeypatch.setenv("VIGIL_PASSWORD", "a password")
    return asked


@pytest.mark.requirement("P7")
@pytest.mark.parametrize("read", [None, "b" * 64])
def test_the_digest_is_told_and_goes_with_the_signature(
    sent: list[tuple[str, dict[str, Any]]], read: str | None
) -> None:
    words = ["decide", "R-4", "close", "--json", *(["--digest", read] if read else [])]
    done = CliRunner().invoke(watch.reviews, words)
    assert done.exit_code == 0
    signed = read or "a" * 64
    assert "finding of F-1 (forecasting), open" in done.stderr
    assert f"SHA-256 {signed}" in done.stderr
    assert "SHA-256" not in done.stdout
    assert [name for name, _ in sent] == ["review.show", "review.decide"]
    assert sent[1][1]["record_digest"] == signed
