"""What an audit refuses, each refusal with a stable code and the reader's next step."""

from __future__ import annotations

from typing import Any, ClassVar


class AuditError(Exception):
    """Root of every refusal of this package."""

    code: ClassVar[str] = "audit.error"

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step

    def __reduce__(self) -> tuple[Any, ...]:
        """Come back whole from a worker process: `next_step` is no positional argument."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class EstimateMalformed(AuditError):
    """A number, or a value with its interval, that no estimate may hold."""

    code: ClassVar[str] = "audit.estimate_malformed"


class CriterionMalformed(AuditError):
    """An acceptance criterion that contradicts itself or lacks its limit."""

    code: ClassVar[str] = "audit.criterion_malformed"


class EstimateMismatch(AuditError):
    """An estimate offered to a criterion about another metric or population."""

    code: ClassVar[str] = "audit.estimate_mismatch"


class SeriesMalformed(AuditError):
    """A month, series or panel that is not a gap-free record of finite monthly values."""

    code: ClassVar[str] = "audit.series_malformed"


class SeriesTooShort(AuditError):
    """A series whose history does not reach far enough for what was asked."""

    code: ClassVar[str] = "audit.series_too_short"


class ForecastMalformed(AuditError):
    """A forecaster's answer that is incomplete, not finite, or has crossing quantiles."""

    code: ClassVar[str] = "audit.forecast_malformed"


class CalibrationTooSmall(AuditError):
    """Fewer calibration errors than the requested level needs for a finite interval."""

    code: ClassVar[str] = "audit.calibration_too_small"


class ProtocolMalformed(AuditError):
    """A validation protocol that cannot be run as written."""

    code: ClassVar[str] = "audit.protocol_malformed"


class TriggerMalformed(AuditError):
    """A monitoring trigger, its stable period or its error path that cannot be used."""

    code: ClassVar[str] = "audit.trigger_malformed"


class SampleMalformed(AuditError):
    """Rows whose columns do not fit together."""

    code: ClassVar[str] = "audit.sample_malformed"


class ReportMalformed(AuditError):
    """A report whose parts contradict each other, such as a chart of a table that is not there."""

    code: ClassVar[str] = "audit.report_malformed"


class SplitRefused(AuditError):
    """A split whose sides are empty, overlap, or are cut by an instant that is not known."""

    code: ClassVar[str] = "audit.split_refused"


class AsOfRefused(AuditError):
    """A measurement known before it was made, or a feature known only after its prediction."""

    code: ClassVar[str] = "audit.as_of_refused"


class PoolingRefused(AuditError):
    """Estimates of sites that cannot be compared or pooled as asked."""

    code: ClassVar[str] = "audit.pooling_refused"


class RecalibrationRefused(AuditError):
    """A recalibration fitted on test rows, from too little, or not increasing."""

    code: ClassVar[str] = "audit.recalibration_refused"


class IntervalMalformed(AuditError):
    """Counts, replicates or a level from which no interval can be built."""

    code: ClassVar[str] = "audit.interval_malformed"


class ReferenceMalformed(AuditError):
    """A stored reference of a drift audit that cannot be one, or that is about other columns."""

    code: ClassVar[str] = "audit.reference_malformed"


class MultiplicityMalformed(AuditError):
    """A rule for several claims, or p-values, that contradict themselves or the criteria."""

    code: ClassVar[str] = "audit.multiplicity_malformed"


class SampleSizeRefused(AuditError):
    """Assumptions from which no sample size follows, or none below the stated limit."""

    code: ClassVar[str] = "audit.sample_size_refused"


class MonitorMalformed(AuditError):
    """A sequential monitor, or a value handed to it, that its false-alarm bound does not cover."""

    code: ClassVar[str] = "audit.monitor_malformed"


class RecordMalformed(AuditError):
    """A document from outside with a member that is missing, unknown or of another form."""

    code: ClassVar[str] = "audit.record_malformed"


class TallySpecMalformed(AuditError):
    """A specification of counts that contradicts itself or asks for more cells than are allowed."""

    code: ClassVar[str] = "audit.tally_spec_malformed"


class TallyMalformed(AuditError):
    """Counts that cannot have come from rows, or rows that a specification cannot count."""

    code: ClassVar[str] = "audit.tally_malformed"


class TallyMismatch(AuditError):
    """Counts that cannot be added: another specification, or what one of them lacks."""

    code: ClassVar[str] = "audit.tally_mismatch"


class TallyOverflow(AuditError):
    """A sum that no 64-bit integer holds."""

    code: ClassVar[str] = "audit.tally_overflow"


class TallyDisclosed(AuditError):
    """Suppressed or noised counts where exact ones are needed; they are never merged back."""

    code: ClassVar[str] = "audit.tally_disclosed"


class TallyNotDisclosable(AuditError):
    """Counts that cannot be disclosed as asked without showing what must be hidden."""

    code: ClassVar[str] = "audit.tally_not_disclosable"


class ExplanationMalformed(AuditError):
    """A model, rule, dictionary or row that cannot be explained as it stands."""

    code: ClassVar[str] = "audit.explanation_malformed"


class ExplanationEngineMissing(AuditError):
    """The optional engine that explains trees is not installed, or cannot read this model."""

    code: ClassVar[str] = "audit.explanation_engine_missing"
