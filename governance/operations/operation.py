"""The declaration of an operation, and how a door performs one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_validator

from governance.deployment import Deployment
from governance.errors import InvalidInput
from governance.operations.acting import acting
from governance.operations.actor import Actor


class Request(BaseModel):
    """What an operation takes. Unknown members are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _storable(cls, value: object) -> object:
        """PostgreSQL stores no NUL and UTF-8 has no surrogates: refused on every database alike."""
        if not _is_storable(value):
            raise ValueError("it holds a NUL character or half of a surrogate pair")
        return value


class Result(BaseModel):
    """What an operation answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Q = TypeVar("Q", bound=Request)
A = TypeVar("A", bound=Result)


_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def _is_storable(value: object) -> bool:
    if isinstance(value, SecretStr):
        return _is_storable(value.get_secret_value())
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is None
    if isinstance(value, Mapping):
        return all(_is_storable(item) for pair in value.items() for item in pair)
    return not isinstance(value, list | tuple) or all(_is_storable(item) for item in value)


def _member(place: tuple[int | str, ...], kind: str) -> str:
    """Return the member that is wrong; the name of an undeclared one is the caller's (P15)."""
    known = place[:-1] if kind == "extra_forbidden" else place
    return ".".join(str(part) for part in known) or "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Q, A]):
    """One use case: its name, what it takes, and the kinds of entry that it may write."""

    name: str
    request: type[Q]
    kinds: tuple[str, ...]
    run: Callable[[Deployment, Actor, Q], A]
    # What makes a repetition harmless, in words; the crash matrix and the docs print it.
    repeated: str

    def perform(self, deployment: Deployment, actor: Actor, params: Mapping[str, Any]) -> A:
        """Validate `params` and run; raise InvalidInput where they are not what it takes.

        Every commit of the run is the person's, as `acting` has it.
        """
        return self.run(acting(deployment, actor), actor, self.checked(params))

    def checked(self, params: Mapping[str, Any]) -> Q:
        """Return the request; raise InvalidInput naming each bad field, never its value."""
        try:
            return self.request.model_validate(params)
        except ValidationError as error:
            faults = "; ".join(
                f"{_member(fault['loc'], fault['type'])}: {fault['msg']}"
                for fault in error.errors(include_input=False, include_url=False)
            )
            raise InvalidInput(
                f"{self.name}: {faults}",
                next_step="correct the named fields and send the request again",
            ) from None
