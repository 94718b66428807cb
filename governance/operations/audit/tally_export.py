"""Hand a site's counts over: exact, with small counts hidden, or with noise; signed and recorded.

The rows were counted where they are; what comes here are whole numbers. Exact counts can point at
people, so only the custodian of the data lets them leave; suppressed or noised ones, also who
answers for the model or its safety. The entry `tally.exported` names the file by its digest, and
the epsilon that was spent.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from pydantic import Field

from audits.estimate import Json
from audits.sources.disclosed import add_noise, suppress
from audits.sources.tally_record import tally_from_record
from change_control.roles import Role
from change_control.scope import Scope
from governance import ids
from governance.deployment import Deployment
from governance.errors import InvalidInput
from governance.ledger.core import canonical
from governance.ledger.core.errors import NotCanonical
from governance.operations.actor import Actor
from governance.operations.audit.tally_file import TallyFile, digest_of_file, key_of, signed
from governance.operations.operation import Operation, Request, Result

EXACT: Final = frozenset({Role.CUSTODIAN})
DISCLOSED: Final = frozenset({Role.CUSTODIAN, Role.MODEL_OWNER, Role.SAFETY_OFFICER})


HIDING_EPSILON: Final = 2
"""Noise of a larger epsilon hides next to nothing, so it takes the role that exact counts take."""


class ExportTally(Request):
    """A tally (canonical JSON) of one site, and how it is disclosed; exact where nothing is said.

    `epsilon` ("0.5") asks for noise and needs `row_bound`, the most rows that a subject may have.
    """

    site: str
    tally: str = Field(max_length=canonical.MAX_BYTES)
    suppress_below: int | None = Field(default=None, ge=2, le=1000)
    epsilon: str | None = Field(default=None, pattern=r"^(0|[1-9][0-9]?)(\.[0-9]{1,6})?$")
    row_bound: int | None = Field(default=None, ge=1, le=1_000_000)


class TallyExported(Result):
    """The signed file, its digest as entry `seq` records it, and the key that receivers pin."""

    site: str
    spec: str
    disclosure: str
    sha256: str
    seq: int
    key: str
    content: str


class TallyKey(Request):
    """The key that signs this deployment's tallies."""


class ShownTallyKey(Result):
    """The key, as receivers pin it."""

    key: str


def export_tally(deployment: Deployment, actor: Actor, request: ExportTally) -> TallyExported:
    """Return the signed file; it is recorded before it leaves."""
    organisation = deployment.home.config.organisation
    scope = Scope(organisation=organisation, site=request.site)
    exact = request.suppress_below is None and (
        request.epsilon is None or Fraction(request.epsilon) > HIDING_EPSILON
    )
    _check(request, scope)
    actor.require(EXACT if exact else DISCLOSED, scope, act="hand its counts over")
    spec, disclosure, record = deployment.compute.run(
        prepared,
        tally=request.tally,
        suppress_below=request.suppress_below,
        epsilon=request.epsilon,
        row_bound=request.row_bound,
    )
    file = TallyFile(
        organisation=organisation,
        sites=(str(scope),),
        made_us=deployment.clock.now_us(),
        merged_from=(),
        tally=record,
    )
    content = signed(file, key=deployment.home.signature_key())
    digest = digest_of_file(content)
    notes: dict[str, Json] = {
        "disclosure": disclosure,
        "sha256": digest,
        "site": str(scope),
        "spec": spec,
    }
    recorded = deployment.pen.commit(
        lambda unit: unit.record(kind="tally.exported", actor=actor.person, notes=notes)
    )
    return TallyExported(
        site=str(scope),
        spec=spec,
        disclosure=str(disclosure.get("method")),
        sha256=digest,
        seq=recorded.seq,
        key=key_of(deployment.home).text(),
        content=content,
    )


def prepared(
    *, tally: str, suppress_below: int | None, epsilon: str | None, row_bound: int | None
) -> tuple[str, dict[str, Json], dict[str, Json]]:
    """Return the specification's digest, the disclosure, and the record that leaves."""
    try:
        record = canonical.loads(tally.encode())
    except NotCanonical as error:
        raise InvalidInput(
            "the tally is not canonical JSON",
            next_step="let `vigil audit tally export` count; do not write counts by hand",
        ) from error
    exact = tally_from_record(record)
    if suppress_below is not None:
        hidden = suppress(exact, below=suppress_below)
        return exact.spec.digest, hidden.disclosure.as_record(), hidden.as_record()
    if epsilon is not None and row_bound is not None:
        noisy = add_noise(
            exact,
            epsilon=Fraction(epsilon),
            row_bound=row_bound,
            random_bytes=lambda size: ids.drawn(size)[0],
        )
        return exact.spec.digest, noisy.disclosure.as_record(), noisy.as_record()
    return exact.spec.digest, {"method": "exact"}, exact.as_record()


def show_key(deployment: Deployment, actor: Actor, _request: TallyKey) -> ShownTallyKey:
    """Show the key."""
    del actor
    return ShownTallyKey(key=key_of(deployment.home).text())


def _check(request: ExportTally, scope: Scope) -> None:
    fault = ""
    if scope.is_every_site:
        fault = "a tally is of one site"
    elif request.suppress_below is not None and request.epsilon is not None:
        fault = "counts are suppressed or noised, not both"
    elif (request.epsilon is None) != (request.row_bound is None):
        fault = "epsilon and the most rows of a subject are given together"
    if fault:
        raise InvalidInput(fault, next_step="correct the request and send it again")


EXPORT_TALLY = Operation(
    name="tally.export",
    request=ExportTally,
    kinds=("tally.exported",),
    run=export_tally,
    repeated="makes the file again, and records that too; noise is drawn again and spends again",
)
TALLY_KEY = Operation(
    name="tally.key", request=TallyKey, kinds=(), run=show_key, repeated="reads only"
)
