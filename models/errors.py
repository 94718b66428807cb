"""Errors of the package: one root, a stable code and a next step in every class."""

from typing import ClassVar


class ModelError(Exception):
    """Root of everything that `models` raises on purpose."""

    code: ClassVar[str] = "model.error"

    def __init__(self, message: str, *, next_step: str) -> None:
        """Keep the sentence for the reader and what the reader can do about it."""
        super().__init__(message)
        self.next_step = next_step


class DocumentUnreadable(ModelError):
    """The text is not the strict YAML that governed documents are written in."""

    code: ClassVar[str] = "model.document_unreadable"


class EntryInvalid(ModelError):
    """A registry entry breaks its schema; `path` names the field, dotted from the top."""

    code: ClassVar[str] = "model.entry_invalid"

    def __init__(self, message: str, *, next_step: str, path: str) -> None:
        """Keep the dotted path of the first field at fault ("" = the whole document)."""
        super().__init__(message, next_step=next_step)
        self.path = path


class ManifestInvalid(ModelError):
    """A table's manifest breaks its schema; `path` names the field, dotted from the top."""

    code: ClassVar[str] = "model.manifest_invalid"

    def __init__(self, message: str, *, next_step: str, path: str) -> None:
        """Keep the dotted path of the first field at fault ("" = the whole document)."""
        super().__init__(message, next_step=next_step)
        self.path = path


class LearnerUnknown(ModelError):
    """No learner has this name."""

    code: ClassVar[str] = "model.learner_unknown"


class ReaderUnknown(ModelError):
    """No reader of tables has this name."""

    code: ClassVar[str] = "model.reader_unknown"


class ContractRefused(ModelError):
    """A table does not keep the data contract; `faults` lists every fault with its rows."""

    code: ClassVar[str] = "model.contract_refused"

    def __init__(self, message: str, *, next_step: str, faults: tuple[str, ...]) -> None:
        """Keep all the faults: nothing is repaired or dropped silently."""
        super().__init__(message, next_step=next_step)
        self.faults = faults


class FitRefused(ModelError):
    """The training panel cannot carry the model that was asked for."""

    code: ClassVar[str] = "model.fit_refused"


class PredictorInvalid(ModelError):
    """Predictor parameters are malformed, so nothing may be served from them (P1)."""

    code: ClassVar[str] = "model.predictor_invalid"


class PredictorUnknown(ModelError):
    """No predictor of this kind is known."""

    code: ClassVar[str] = "model.predictor_unknown"
