"""Every operation by name. The doors, the socket and the tests read this table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from governance.deployment import Deployment
from governance.errors import NotFound
from governance.operations.actor import Actor
from governance.operations.admin import (
    clients,
    log_keys,
    passwords,
    people,
    rotate_epoch,
    witnesses,
)
from governance.operations.audit import (
    compare_evidence,
    run_table_audit,
    sign_report,
    tables,
    tally_export,
    tally_merge,
)
from governance.operations.change import (
    add_dataset,
    change_request,
    register_document,
    release_version,
    run_audit,
    wrap_version,
)
from governance.operations.erase import decide_erasure, erasures, legal_holds, request_erasure
from governance.operations.inspect import evidence, list_models, list_reviews, verify_ledger
from governance.operations.operation import Operation, Result
from governance.operations.review import decide_review
from governance.operations.trail import (
    check_trail_overdue,
    export_trail,
    list_trail_reviews,
    review_trail,
    search_trail,
)
from governance.operations.watch import (
    check_overdue,
    holds,
    import_outcomes,
    monitor_status,
    run_monitor,
)

_ALL: Final[tuple[Operation[Any, Any], ...]] = (
    people.ADD_PERSON,
    people.DISABLE_PERSON,
    people.LIST_PEOPLE,
    people.GRANT_ROLE,
    people.REVOKE_ROLE,
    passwords.CHANGE_PASSWORD,
    passwords.RESET_PASSWORD,
    clients.ADD_CLIENT,
    clients.ROTATE_CLIENT,
    clients.DISABLE_CLIENT,
    clients.LIST_CLIENTS,
    witnesses.APPLY_WITNESSES,
    witnesses.WITNESS_STATUS,
    log_keys.ROTATE_KEY,
    log_keys.RETIRE_KEY,
    register_document.REGISTER_DOCUMENT,
    add_dataset.ADD_DATASET,
    add_dataset.LIST_DATASETS,
    tables.ADD_TABLE,
    wrap_version.WRAP_VERSION,
    wrap_version.LIST_VERSIONS,
    wrap_version.VERIFY_VERSIONS,
    change_request.OPEN_CHANGE,
    change_request.SUBMIT_CHANGE,
    change_request.EVALUATE_CHANGE,
    change_request.RUN_CHANGE,
    change_request.SHOW_CHANGE,
    change_request.LIST_CHANGES,
    run_audit.RUN_AUDIT,
    run_table_audit.RUN_TABLE_AUDIT,
    compare_evidence.COMPARE_EVIDENCE,
    sign_report.SIGN_REPORT,
    tally_export.EXPORT_TALLY,
    tally_export.TALLY_KEY,
    tally_merge.MERGE_TALLIES,
    release_version.RELEASE_VERSION,
    release_version.ROLL_BACK,
    release_version.LIST_RELEASES,
    decide_review.DECIDE_REVIEW,
    import_outcomes.IMPORT_OUTCOMES,
    run_monitor.RUN_MONITOR,
    monitor_status.MONITOR_STATUS,
    check_overdue.CHECK_OVERDUE,
    holds.PLACE_HOLD,
    holds.LIFT_HOLD,
    holds.LIST_HOLDS,
    request_erasure.REQUEST_ERASURE,
    decide_erasure.CONFIRM_ERASURE,
    decide_erasure.REFUSE_ERASURE,
    decide_erasure.FINISH_ERASURES,
    erasures.LIST_ERASURES,
    erasures.SHOW_ERASURE,
    legal_holds.PLACE_LEGAL_HOLD,
    legal_holds.LIFT_LEGAL_HOLD,
    legal_holds.WITHDRAW_LIFT,
    legal_holds.LIST_LEGAL_HOLDS,
    rotate_epoch.ROTATE_EPOCH,
    evidence.LIST_EVIDENCE,
    evidence.SHOW_EVIDENCE,
    evidence.REPRODUCE_EVIDENCE,
    list_models.LIST_MODELS,
    list_models.SHOW_MODEL,
    list_models.SHOW_DOCUMENT,
    list_reviews.LIST_REVIEWS,
    list_reviews.SHOW_REVIEW,
    verify_ledger.VERIFY_LEDGER,
    search_trail.SEARCH_TRAIL,
    export_trail.EXPORT_TRAIL,
    review_trail.OPEN_TRAIL_REVIEW,
    review_trail.SIGN_TRAIL_REVIEW,
    review_trail.WITHDRAW_TRAIL_REVIEW,
    list_trail_reviews.LIST_TRAIL_REVIEWS,
    list_trail_reviews.SHOW_TRAIL_REVIEW,
    check_trail_overdue.CHECK_TRAIL_OVERDUE,
)

OPERATIONS: Final[Mapping[str, Operation[Any, Any]]] = MappingProxyType(
    {operation.name: operation for operation in _ALL}
)


def perform(deployment: Deployment, actor: Actor, name: str, params: Mapping[str, Any]) -> Result:
    """Perform the operation of this name for the person; raise NotFound where there is none.

    What writes asks for its own roles over its own scope. What only reads is for everybody who
    holds some role here, and for nobody else (P15).
    """
    operation = OPERATIONS.get(name)
    if operation is None:
        raise NotFound(
            "there is no operation of this name",
            next_step="use a command of the same release as the server: `vigil --version`",
        )
    if operation is not passwords.CHANGE_PASSWORD:
        actor.require_own_password()
    if not operation.kinds:
        actor.require_some_role()
    result: Result = operation.perform(deployment, actor, params)
    return result
