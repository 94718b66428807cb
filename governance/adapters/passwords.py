"""Password hashes: argon2id with the parameters of RFC 9106's second recommendation.

Each hash takes 64 MiB and a third of a second on purpose. Two are made at once at the most, whoever
asks for them, so that nobody can spend the machine's memory with guesses.
"""

from __future__ import annotations

import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# RFC 9106 section 4, second recommended option: t=3, m=64 MiB, p=4.
_HASHER = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)

# Verified when the person does not exist, so that both answers take the same time.
_NOBODY = _HASHER.hash("there is no such person")

_AT_ONCE: Final = threading.BoundedSemaphore(2)


def hash_password(password: str) -> str:
    """Return the argon2id hash with its parameters and salt."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def password_matches(hashed: str | None, password: str) -> bool:
    """Tell whether `password` is the one that was hashed; None is nobody's hash."""
    try:
        with _AT_ONCE:
            _HASHER.verify(hashed or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None
