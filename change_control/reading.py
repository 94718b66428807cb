"""Reading a governed document: text to a frozen typed value, or every problem with its line.

The steps: strict YAML (`models.documents`), then the types, then the rules between the parts. A
document that fails a step is refused with all problems of that step, each with its dotted path and
the line where it stands, because a plan is written by people who then have to find the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Final, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError

from change_control.errors import DocumentInvalid, DocumentProblem
from models.documents import parse_document
from models.errors import DocumentUnreadable

M = TypeVar("M", bound=BaseModel)

Fault = tuple[str, str]
"""A dotted path and a sentence, before the line is looked up."""

_UNPINNED: Final = frozenset({"default", "defaults", "latest", "auto", "automatic", "best"})


def _named(text: str) -> str:
    words = set(text.lower().replace(",", " ").split())
    if unpinned := sorted(words & _UNPINNED):
        raise ValueError(f"{unpinned[0]!r} names no method; what it means can change unseen")
    return text


Method = Annotated[
    str,
    StringConstraints(
        strict=True, max_length=160, pattern=r"^[A-Za-z][A-Za-z0-9 .,()/-]*, v[1-9][0-9]*$"
    ),
    AfterValidator(_named),
]
"""A method by name and version, such as "two-sided CUSUM, stationary bootstrap limit, v1"."""


def read_text(
    text: str,
    model: type[M],
    *,
    rules: Callable[[M], Iterable[Fault]],
    invalid: type[DocumentInvalid],
    what: str,
) -> M:
    """Parse `text` strictly and validate it as `model`.

    Raises:
        DocumentInvalid: of the class `invalid`.
    """
    try:
        record = parse_document(text)
    except DocumentUnreadable as error:
        raise invalid(f"{what} cannot be read: {error}", next_step=error.next_step) from error
    return read_record(record, model, rules=rules, invalid=invalid, what=what, text=text)


def read_record(
    record: object,
    model: type[M],
    *,
    rules: Callable[[M], Iterable[Fault]],
    invalid: type[DocumentInvalid],
    what: str,
    text: str | None = None,
) -> M:
    """Validate parsed values, or the record of a stored document, as `model`.

    Raises:
        DocumentInvalid: of the class `invalid`; lines are given where `text` is.
    """
    cause: ValidationError | None = None
    try:
        document = model.model_validate(record)
        faults = list(rules(document))
    except ValidationError as error:
        cause, faults = error, _faults_of(error)
    else:
        if not faults:
            return document
    lines = _Lines(text)
    raise invalid(
        f"{what} has {len(faults)} problem(s)",
        next_step="Correct each place named, and register the document again.",
        problems=tuple(
            DocumentProblem(path=path, line=lines.of(path), message=message)
            for path, message in faults
        ),
    ) from cause


def _faults_of(error: ValidationError) -> list[Fault]:
    """Paths and sentences, without the values: documents may quote data (P15).

    A list that is "too short" only because its items are at fault is not a fault of its own.
    """
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    inside = {fault["loc"][:depth] for fault in faults for depth in range(len(fault["loc"]))}
    return [
        (
            ".".join(str(part) for part in fault["loc"]),
            str(fault["msg"]).removeprefix("Value error, "),
        )
        for fault in faults
        if not (fault["type"] == "too_short" and fault["loc"] in inside)
    ]


class _Lines:
    """Where a dotted path stands in the text; a missing field stands where its parent does."""

    def __init__(self, text: str | None) -> None:
        self._root = None if text is None else yaml.compose(text, Loader=yaml.SafeLoader)

    def of(self, path: str) -> int | None:
        if self._root is None:
            return None
        node, line = self._root, self._root.start_mark.line
        for part in filter(None, path.split(".")):
            step = self._child(node, part)
            if step is None:
                break
            node, line = step
        return int(line) + 1

    @staticmethod
    def _child(node: yaml.Node, part: str) -> tuple[yaml.Node, int] | None:
        if isinstance(node, yaml.MappingNode):
            return next(
                ((value, key.start_mark.line) for key, value in node.value if key.value == part),
                None,
            )
        if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            item: yaml.Node = node.value[int(part)]
            return item, item.start_mark.line
        return None
