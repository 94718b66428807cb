"""What answering needs of a wire format; the modules of `governance.codecs` are such formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from governance.gate.ask import Served
from governance.gate.reasons import Refusal
from models.predictor import RowAnswer


class Codec(Protocol):
    """Pure functions from values to the bytes of one format."""

    def encode(
        self, served: Served, answers: Sequence[RowAnswer], *, fallback: str | None
    ) -> bytes:
        """Return the reply as it is recorded; `fallback` is given where a row abstained."""
        ...

    def encode_refusal(self, refusals: Sequence[Refusal], *, fallback: str | None) -> bytes:
        """Return the reply of a refusal; the first reason is the one that decided."""
        ...

    def body(self, *, request: bytes, reply: bytes) -> bytes:
        """Return the entry's body, canonical JSON holding both texts exactly."""
        ...
