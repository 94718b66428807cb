"""Strict YAML for governed documents: what is read is exactly what was written.

Used for `entry.yaml` here and for the plan documents of `change_control`. YAML 1.1 as PyYAML
reads it is too helpful for a signed record: `no` becomes False, `1:30` becomes 90, `010` becomes
8, a repeated key silently wins, an alias can blow a kilobyte up to gigabytes, and a float cannot
be hashed. So only null, true/false, integers, decimals (as `decimal.Decimal`) and text exist;
duplicate keys, anchors, tags, merge keys and non-ASCII keys are refused with their line.
"""

import re
from decimal import Decimal
from enum import Enum

import yaml
from pydantic import BaseModel, ValidationError

from audits.estimate import Json
from models.errors import DocumentUnreadable

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 16
MAX_INTEGER = 2**53
# Below the 28 digits of the decimal context, so that no record ever rounds a written number.
MAX_DIGITS = 24

_INTEGER = re.compile(r"^-?(?:0|[1-9][0-9]*)$")
_DECIMAL = re.compile(r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$")
_KEY = re.compile(r"^[A-Za-z0-9_][\x21-\x7e]{0,99}$")


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader with its own short list of implicit types (the class attribute is replaced)."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), None)
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), None)
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, None)
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:float", _DECIMAL, None)


def parse_document(text: str) -> dict[str, object]:
    """Parse one YAML document into plain values; raises DocumentUnreadable with the line.

    Values are None, bool, int (below 2**53), Decimal, str, list and dict with ASCII keys.
    """
    if len(text) > MAX_CHARACTERS:
        raise _unreadable(f"the document is longer than {MAX_CHARACTERS} characters", None)
    try:
        _check_shape(text)
        node = _StrictLoader(text).get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise _unreadable("the text is not well-formed YAML", mark) from error
    if not isinstance(node, yaml.MappingNode):
        raise _unreadable("a document is one mapping of names to values", None)
    return _mapping(node)


def _check_shape(text: str) -> None:
    """Refuse anchors, aliases and deep nesting while they arrive, before anything is built.

    PyYAML takes minutes for a quarter megabyte of open brackets; here it stops at the first
    bracket too many.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_StrictLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _unreadable("anchors and aliases are not allowed", event.start_mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _unreadable(f"the document is nested deeper than {MAX_DEPTH}", event.start_mark)


def _mapping(node: yaml.MappingNode) -> dict[str, object]:
    values: dict[str, object] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
        if key_node.tag != "tag:yaml.org,2002:str" or not _KEY.fullmatch(key):
            raise _unreadable("a key is plain ASCII text without spaces", key_node.start_mark)
        if key in values:
            raise _unreadable(f"the key {key!r} appears twice", key_node.start_mark)
        values[key] = _value(value_node)
    return values


def _value(node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [_value(item) for item in node.value]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    raise _unreadable("a type tag is not allowed here", node.start_mark)


def _scalar(node: yaml.ScalarNode) -> object:
    text: str = node.value
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "str":
            return text
        case "null" if text in ("", "~", "null"):
            return None
        case "bool" if text in ("true", "false"):
            return text == "true"
        case "int" if _INTEGER.fullmatch(text) and abs(int(text)) < MAX_INTEGER:
            return int(text)
        case "float" if _DECIMAL.fullmatch(text) and len(text) <= MAX_DIGITS:
            return Decimal(text)
        case _:
            raise _unreadable(f"{text[:40]!r} is not a value of this format", node.start_mark)


def _unreadable(message: str, mark: object) -> DocumentUnreadable:
    where = ""
    if isinstance(mark, yaml.error.Mark):
        where = f" (line {mark.line + 1}, column {mark.column + 1})"
    return DocumentUnreadable(
        message + where,
        next_step="write plain YAML: one mapping, each key once, no anchors, tags or exponents",
    )


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Return (dotted field path, sentence) of the first fault that pydantic found.

    The offending value is left out of the sentence: documents may quote data (P15).
    """
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    message = str(fault["msg"]).removeprefix("Value error, ")
    return ".".join(str(part) for part in fault["loc"]), message


def decimal_record(value: Decimal) -> str:
    """Return the one text of a decimal: `0.80` and `0.8` must not differ in a record (P5)."""
    text = format(value.normalize(), "f")
    return "0" if text in ("-0", "0") else text


def part_record(part: BaseModel) -> dict[str, Json]:
    """Return the hashable record of a document: every field, decimals as strings."""
    return {name: value_record(getattr(part, name)) for name in type(part).model_fields}


def value_record(value: object) -> Json:
    """Turn a value out of a document into hashable Json; a float has no record form."""
    if isinstance(value, Enum):
        return str(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return decimal_record(value)
    if isinstance(value, BaseModel):
        return part_record(value)
    if isinstance(value, dict):
        return {str(key): value_record(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [value_record(item) for item in value]
    raise AssertionError(f"a document holds a {type(value).__name__}, which has no record form")
