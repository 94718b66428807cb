"""Which client is calling: a bearer token, verified once, and the client's record, read again.

A signature check costs more than the rest of a small answer, so verified tokens are kept until
they expire. What a client may do is never taken from the token alone: the client's record is read
again at least every `RECORD_SECONDS_MAX`, so a client that is disabled, narrowed or given a new
secret is refused after that time at the latest, whatever its tokens say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from change_control.scope import Scope
from governance.adapters.tokens import Token, TokenAuthority, TokenExpired, TokenInvalid
from governance.clock import MICROSECONDS
from governance.gate.ask import Caller
from governance.gate.reasons import Refusal
from governance.registry.records import ServiceClient

RECORD_SECONDS_MAX: Final = 1
_TOKENS_MAX: Final = 4096
_SCHEME: Final = "bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A verified token with the caller that it stood for when its client's record was read."""

    token: Token
    caller: Caller
    good_until_us: int


class Authentication:
    """Turns an Authorization header into a caller, or into the refusal of one."""

    def __init__(
        self, *, authority: TokenAuthority, client: Callable[[str], ServiceClient | None]
    ) -> None:
        """Take the issuer of our tokens, and the function that reads a client's record."""
        self._authority = authority
        self._client = client
        self._known: dict[str, _Known] = {}

    def caller(self, authorization: bytes | None, *, now_us: int) -> Caller | Refusal:
        """Return the caller; a Refusal of status 401 says what is wrong with the credential."""
        if authorization is None:
            return Refusal(code="identity.unauthenticated")
        text = authorization.decode("latin-1")
        known = self._known.get(text)
        if known is not None and now_us < known.good_until_us:
            return known.caller
        return self._examine(text, known, now_us)

    def _examine(self, text: str, known: _Known | None, now_us: int) -> Caller | Refusal:
        if text[: len(_SCHEME)].lower() != _SCHEME:
            return Refusal(code="identity.unauthenticated")
        self._known.pop(text, None)
        if known is not None and now_us < known.token.expires_us:
            token = known.token
        else:
            try:
                token = self._authority.verify(text[len(_SCHEME) :].strip(), now_us=now_us)
            except (TokenInvalid, TokenExpired) as error:
                return Refusal(code=error.code)
        client = self._client(token.client)
        if client is None or client.disabled or client.secret_epoch != token.secret_epoch:
            return Refusal(code="identity.client_disabled")
        caller = Caller(
            client=client.id,
            scope=Scope.parse(client.scope),
            permissions=frozenset(client.permissions.split()) & token.scopes,
        )
        self._keep(text, token, caller, now_us)
        return caller

    def _keep(self, text: str, token: Token, caller: Caller, now_us: int) -> None:
        if len(self._known) >= _TOKENS_MAX:
            self._known.clear()  # more live tokens than clients have: verify them again
        good_until_us = min(token.expires_us, now_us + RECORD_SECONDS_MAX * MICROSECONDS)
        self._known[text] = _Known(token=token, caller=caller, good_until_us=good_until_us)
