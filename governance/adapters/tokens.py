"""Bearer tokens of calling systems: JWT (RFC 7519) signed with Ed25519 (RFC 8037, RFC 9864).

One algorithm, written down: a token that names another one (`none`, HS256) is refused before its
signature is looked at. A token says which client, which scopes and which epoch of its secret; what
the client may do is read from its record each time, so that a disabled client's tokens end with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from governance.clock import MICROSECONDS
from governance.errors import Unauthenticated

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM: Final = "Ed25519"
LIFETIME_S: Final = 600
# A token is about 350 characters; a longer one is not ours and is not worth a signature check.
LENGTH_MAX: Final = 2048


class TokenInvalid(Unauthenticated):
    """The token is not one that this deployment signed."""

    code: ClassVar[str] = "identity.token_invalid"


class TokenExpired(Unauthenticated):
    """The token was ours and its time is over."""

    code: ClassVar[str] = "identity.token_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a verified token says. Not valid any more from `expires_us` on."""

    client: str
    scopes: frozenset[str]
    secret_epoch: int
    expires_us: int


class TokenAuthority:
    """Issues the deployment's tokens and verifies them, with one private key."""

    def __init__(self, *, key: Ed25519PrivateKey, issuer: str) -> None:
        """Take the home's token key; `issuer` is the deployment's own name."""
        from joserfc.jwk import OKPKey

        self._key = OKPKey.import_key(key)
        self._issuer = issuer

    def issue(
        self, *, client: str, scopes: frozenset[str], secret_epoch: int, now_us: int
    ) -> tuple[str, int]:
        """Return a token and the seconds for which it is valid."""
        from joserfc import jwt

        now_s = now_us // MICROSECONDS
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": client,
            "scope": " ".join(sorted(scopes)),
            "epoch": secret_epoch,
            "iat": now_s,
            "exp": now_s + LIFETIME_S,
        }
        header = {"alg": ALGORITHM, "typ": "at+jwt"}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM]), LIFETIME_S

    def verify(self, text: str, *, now_us: int) -> Token:
        """Return what the token says; raise TokenInvalid or TokenExpired."""
        claims = self._signed_claims(text)
        token = self._token(claims)
        if now_us >= token.expires_us:
            raise TokenExpired("the bearer token has expired", next_step=_NEXT)
        return token

    def _signed_claims(self, text: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        if len(text) > LENGTH_MAX:
            raise _invalid()
        try:
            return jwt.decode(text, self._key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError) as error:
            raise _invalid() from error

    def _token(self, claims: dict[str, Any]) -> Token:
        """Check the type of every claim: a signed token of another purpose is not a credential."""
        client, scope = claims.get("sub"), claims.get("scope")
        epoch, expires_s = claims.get("epoch"), claims.get("exp")
        ours = claims.get("iss") == self._issuer and claims.get("aud") == self._issuer
        if not (ours and isinstance(client, str) and isinstance(scope, str)):
            raise _invalid()
        if type(epoch) is not int or type(expires_s) is not int:
            raise _invalid()
        return Token(
            client=client,
            scopes=frozenset(scope.split()),
            secret_epoch=epoch,
            expires_us=expires_s * MICROSECONDS,
        )


_NEXT: Final = "get a new token at POST /oauth/token"


def _invalid() -> TokenInvalid:
    return TokenInvalid("the bearer token is not one of this deployment", next_step=_NEXT)
