"""The governed records: one table each, a projection of the ledger's facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_person()
    _create_role_grant()
    _create_service_client()
    _create_document()
    _create_dataset()
    _create_version()
    _create_change_request()
    _create_evidence()
    _create_review()
    _create_signature()
    _create_release()
    _create_hold()
    _create_outcome_batch()
    _create_monitor_run()
    _create_finding()


def downgrade() -> None:
    op.drop_table("finding")
    op.drop_table("monitor_run")
    op.drop_table("outcome_batch")
    op.drop_table("hold")
    op.drop_table("release")
    op.drop_table("signature")
    op.drop_table("review")
    op.drop_table("evidence")
    op.drop_table("change_request")
    op.drop_table("version")
    op.drop_table("dataset")
    op.drop_table("document")
    op.drop_table("service_client")
    op.drop_table("role_grant")
    op.drop_table("person")


def _create_person() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("printed_name", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("demonstration", sa.Boolean(), nullable=False),
        sa.CheckConstraint("demonstration IN (true, false)", name=op.f("ck_person_demonstration")),
        sa.CheckConstraint("disabled IN (true, false)", name=op.f("ck_person_disabled")),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
    )


def _create_role_grant() -> None:
    op.create_table(
        "role_grant",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("granted_by", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("active IN (true, false)", name=op.f("ck_role_grant_active")),
        sa.CheckConstraint(
            "scope LIKE '_%/_%' AND scope NOT LIKE '%/%/%'", name=op.f("ck_role_grant_scope")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_role_grant"),
    )
    op.create_index("ix_role_grant_person", "role_grant", ["person"])


def _create_service_client() -> None:
    op.create_table(
        "service_client",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("permissions", sa.String(), nullable=False),
        sa.Column("secret_epoch", sa.Integer(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.CheckConstraint("disabled IN (true, false)", name=op.f("ck_service_client_disabled")),
        sa.CheckConstraint(
            "scope LIKE '_%/_%' AND scope NOT LIKE '%/%/%'", name=op.f("ck_service_client_scope")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_service_client"),
    )


def _create_document() -> None:
    op.create_table(
        "document",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("source_digest", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("registered_us", sa.BigInteger(), nullable=False),
        sa.Column("in_force_us", sa.BigInteger(), nullable=True),
        sa.Column("in_force_seq", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_document_digest")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_document_number")),
        sa.CheckConstraint("length(source_digest) = 64", name=op.f("ck_document_source_digest")),
        sa.CheckConstraint(
            "state IN ('registered', 'in_force', 'superseded', 'withdrawn')",
            name=op.f("ck_document_state"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_document"),
    )
    op.create_index("ix_document_model_kind", "document", ["model", "kind"])


def _create_dataset() -> None:
    op.create_table(
        "dataset",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("first_month", sa.String(), nullable=False),
        sa.Column("last_month", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("licence", sa.String(), nullable=False),
        sa.Column("registered_by", sa.String(), nullable=False),
        sa.Column("registered_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_dataset_digest")),
        sa.CheckConstraint("first_month LIKE '____-__'", name=op.f("ck_dataset_first_month")),
        sa.CheckConstraint("last_month LIKE '____-__'", name=op.f("ck_dataset_last_month")),
        sa.CheckConstraint("simulated IN (true, false)", name=op.f("ck_dataset_simulated")),
        sa.PrimaryKeyConstraint("id", name="pk_dataset"),
    )


def _create_version() -> None:
    op.create_table(
        "version",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("artifact_uri", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("registered_by", sa.String(), nullable=False),
        sa.Column("registered_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_version_digest")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_version_number")),
        sa.CheckConstraint(
            "state IN ('candidate', 'qualified', 'retired', 'recalled')",
            name=op.f("ck_version_state"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_version"),
    )
    op.create_index("ix_version_model_number", "version", ["model", "number"], unique=True)


def _create_change_request() -> None:
    op.create_table(
        "change_request",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("modification", sa.String(), nullable=False),
        sa.Column("evidence", sa.String(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("change_class", sa.String(), nullable=True),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("submitted_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'submitted', 'evaluated', 'under_review', "
            "'returned', 'approved', 'rejected', 'abandoned', 'superseded')",
            name=op.f("ck_change_request_state"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_change_request"),
    )
    op.create_index("ix_change_request_model", "change_request", ["model"])


def _create_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("plan_seq", sa.BigInteger(), nullable=False),
        sa.Column("opened_seq", sa.BigInteger(), nullable=False),
        sa.Column("produced_by", sa.String(), nullable=False),
        sa.Column("produced_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_evidence_digest")),
        sa.CheckConstraint(
            "verdict IN ('pass', 'fail', 'insufficient')", name=op.f("ck_evidence_verdict")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
    )
    op.create_index("ix_evidence_model_version", "evidence", ["model", "version"])


def _create_review() -> None:
    op.create_table(
        "review",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("subject_type", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("subject_digest", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("owner_role", sa.String(), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("blocks_release", sa.Boolean(), nullable=False),
        sa.Column("reason_code", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("first_signer", sa.String(), nullable=True),
        sa.Column("decided_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "blocks_release IN (true, false)", name=op.f("ck_review_blocks_release")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'first_signature', 'decided', 'lapsed')",
            name=op.f("ck_review_state"),
        ),
        sa.CheckConstraint("length(subject_digest) = 64", name=op.f("ck_review_subject_digest")),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
    )
    op.create_index("ix_review_model_state", "review", ["model", "state"])


def _create_signature() -> None:
    op.create_table(
        "signature",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("record_type", sa.String(), nullable=False),
        sa.Column("record", sa.String(), nullable=False),
        sa.Column("record_digest", sa.String(), nullable=False),
        sa.Column("meaning", sa.String(), nullable=False),
        sa.Column("signer", sa.String(), nullable=False),
        sa.Column("printed_name", sa.String(), nullable=False),
        sa.Column("signed_us", sa.BigInteger(), nullable=False),
        sa.Column("envelope", sa.String(), nullable=False),
        sa.CheckConstraint("length(record_digest) = 64", name=op.f("ck_signature_record_digest")),
        sa.PrimaryKeyConstraint("id", name="pk_signature"),
    )
    op.create_index("ix_signature_record_type_record", "signature", ["record_type", "record"])


def _create_release() -> None:
    op.create_table(
        "release",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("market", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("released_by", sa.String(), nullable=False),
        sa.Column("change", sa.String(), nullable=False),
        sa.Column("body_key", sa.String(), nullable=False),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_release_digest")),
        sa.CheckConstraint("mode IN ('shadow', 'share', 'full')", name=op.f("ck_release_mode")),
        sa.CheckConstraint(
            "state <> 'active' OR until_us IS NULL OR until_us > from_us",
            name=op.f("ck_release_period"),
        ),
        sa.CheckConstraint(
            "scope LIKE '_%/_%' AND scope NOT LIKE '%/%/%'", name=op.f("ck_release_scope")
        ),
        sa.CheckConstraint(
            "state IN ('active', 'replaced', 'rolled_back', 'expired', 'recalled')",
            name=op.f("ck_release_state"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_release"),
    )
    op.create_index("ix_release_model", "release", ["model"])


def _create_hold() -> None:
    op.create_table(
        "hold",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("review", sa.String(), nullable=True),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("first_signer", sa.String(), nullable=True),
        sa.Column("lifted_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'lifted') = (lifted_us IS NOT NULL)", name=op.f("ck_hold_lifted_us")
        ),
        sa.CheckConstraint(
            "scope LIKE '_%/_%' AND scope NOT LIKE '%/%/%'", name=op.f("ck_hold_scope")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'lift_signed', 'lifted')", name=op.f("ck_hold_state")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_hold"),
    )
    op.create_index("ix_hold_model", "hold", ["model"])


def _create_outcome_batch() -> None:
    op.create_table(
        "outcome_batch",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("first_month", sa.String(), nullable=False),
        sa.Column("last_month", sa.String(), nullable=False),
        sa.Column("planted", sa.Boolean(), nullable=False),
        sa.Column("known_us", sa.BigInteger(), nullable=False),
        sa.Column("received_by", sa.String(), nullable=False),
        sa.CheckConstraint("first_month LIKE '____-__'", name=op.f("ck_outcome_batch_first_month")),
        sa.CheckConstraint("last_month LIKE '____-__'", name=op.f("ck_outcome_batch_last_month")),
        sa.CheckConstraint("planted IN (true, false)", name=op.f("ck_outcome_batch_planted")),
        sa.CheckConstraint(
            "scope LIKE '_%/_%' AND scope NOT LIKE '%/%/%'", name=op.f("ck_outcome_batch_scope")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outcome_batch"),
    )
    op.create_index("ix_outcome_batch_model", "outcome_batch", ["model"])


def _create_monitor_run() -> None:
    op.create_table(
        "monitor_run",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("monitor", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("through_month", sa.String(), nullable=False),
        sa.Column("through_seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("run_by", sa.String(), nullable=False),
        sa.Column("run_us", sa.BigInteger(), nullable=False),
        sa.Column("next_due_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_monitor_run_digest")),
        sa.CheckConstraint(
            "through_month LIKE '____-__'", name=op.f("ck_monitor_run_through_month")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_monitor_run"),
    )
    op.create_index("ix_monitor_run_model_monitor", "monitor_run", ["model", "monitor"])


def _create_finding() -> None:
    op.create_table(
        "finding",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_pos", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("monitor_run", sa.String(), nullable=False),
        sa.Column("review", sa.String(), nullable=False),
        sa.Column("hold", sa.String(), nullable=True),
        sa.Column("raised_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(review) > 0", name=op.f("ck_finding_review")),
        sa.PrimaryKeyConstraint("id", name="pk_finding"),
    )
    op.create_index("ix_finding_model", "finding", ["model"])
