"""Where a release, hold, grant, client or answer holds: an organisation and a site of it.

A site of "*" is every site of the organisation. There is no scope above an organisation.
Identifiers are lower-case so that "Ward-3" and "ward-3" can never be two places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from change_control.errors import ScopeInvalid

EVERY_SITE: Final = "*"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Scope:
    """An organisation and one site of it, or "*" for every site.

    Raises:
        ScopeInvalid: where a part is not a lower-case identifier of at most 63 characters.
    """

    organisation: str
    site: str = EVERY_SITE

    def __post_init__(self) -> None:
        for part in (self.organisation, "every" if self.site == EVERY_SITE else self.site):
            if not _NAME.fullmatch(part):
                raise ScopeInvalid(
                    "the scope does not name an organisation and a site of it",
                    next_step="Use lower-case letters, digits, '.', '_' and '-', as in "
                    "'st-olav/pharmacy'.",
                )

    def __str__(self) -> str:
        return f"{self.organisation}/{self.site}"

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Read "organisation/site"; both parts must be there, so that "*" is always said."""
        organisation, slash, site = text.partition("/")
        if not slash:
            raise ScopeInvalid(
                "the scope has no site",
                next_step="Write organisation/site, or organisation/* for every site.",
            )
        return cls(organisation=organisation, site=site)

    @property
    def is_every_site(self) -> bool:
        """Whether this is the whole organisation."""
        return self.site == EVERY_SITE

    def covers(self, other: Scope) -> bool:
        """Whether everything in `other` is in this scope."""
        return self.organisation == other.organisation and self.site in {EVERY_SITE, other.site}

    def overlaps(self, other: Scope) -> bool:
        """Whether some place is in both."""
        return self.covers(other) or other.covers(self)

    def narrow(self, to: Scope) -> Scope:
        """Return `to` where this scope covers it: a request may narrow its scope, never widen it.

        Raises:
            ScopeInvalid: where `to` reaches outside.
        """
        if not self.covers(to):
            raise ScopeInvalid(
                f"the scope that is asked for is not within {self}",
                next_step=f"Ask within {self}, or use a credential of the other place.",
            )
        return to
