"""What Envoy asks of a message's values beyond their types: the rules that its API carries (``validate.rules``).

A resource that breaks one is refused as a whole, so a patch that breaks one is known before Envoy sees it.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import re2
from google.protobuf.any_pb2 import Any as Held
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message

from weft._pb.validate import validate_pb2
from weft.compiler.patches.messages import unpacked
from weft.model.finding import Path, field_path

_WRAPPERS = "google.protobuf."
_DEEPEST = 64
_COMPARED: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "gt": ("more than", lambda value, limit: value > limit),
    "gte": ("at least", lambda value, limit: value >= limit),
    "lt": ("less than", lambda value, limit: value < limit),
    "lte": ("at most", lambda value, limit: value <= limit),
    "const": ("exactly", lambda value, limit: value == limit),
}
_HEADER = {
    validate_pb2.HTTP_HEADER_NAME: (r":?[0-9a-zA-Z!#$%&'*+\-.^_|~`]+", r"[^\x00\n\r]*"),
    validate_pb2.HTTP_HEADER_VALUE: (r"[^\x00-\x08\x0A-\x1F\x7F]*", r"[^\x00\n\r]*"),
}


class Broken(NamedTuple):
    """A rule that does not hold, and where."""

    path: Path
    why: str

    def __str__(self) -> str:
        return f"{field_path(self.path)} {self.why}" if self.path else self.why


class _Rules(NamedTuple):
    """What a message's own fields must be."""

    fields: tuple[tuple[FieldDescriptor, validate_pb2.FieldRules], ...]
    oneofs: tuple[tuple[str, tuple[str, ...]], ...]
    skipped: frozenset[str]


def broken(message: Message, path: Path = (), depth: int = 0) -> Iterator[Broken]:
    """Every rule that a message and what is in it break."""
    if depth > _DEEPEST:
        return
    rules = _rules_of(message.DESCRIPTOR)
    for name, options in rules.oneofs:
        if message.WhichOneof(name) is None:
            yield Broken(path, f"needs one of {', '.join(options)}")
    for field, rule in rules.fields:
        yield from _field(message, field, rule, (*path, field.name))
    for field, content in message.ListFields():
        if field.message_type is not None and field.name not in rules.skipped:
            yield from _below(field, content, (*path, field.name), depth)


def _below(field: FieldDescriptor, content: Any, path: Path, depth: int) -> Iterator[Broken]:
    assert field.message_type is not None
    if not field.is_repeated:
        yield from _within(content, path, depth)
    elif field.message_type.GetOptions().map_entry:
        if field.message_type.fields_by_name["value"].message_type is not None:
            for key in content:
                yield from _within(content[key], (*path, str(key)), depth)
    else:
        for index, one in enumerate(content):
            yield from _within(one, (*path, index), depth)


def _within(content: Message, path: Path, depth: int) -> Iterator[Broken]:
    """Envoy reads what an ``Any`` holds by its type, and so do we where the type is known."""
    if not isinstance(content, Held):
        yield from broken(content, path, depth + 1)
        return
    held = unpacked(content.type_url)
    if held is None:
        return
    try:
        held.ParseFromString(content.value)
    except DecodeError:
        yield Broken(path, f"is no {content.type_url.rpartition('/')[2]}")
        return
    yield from broken(held, path, depth + 1)


@cache
def _rules_of(kind: Descriptor) -> _Rules:
    options: Any = kind.GetOptions()  # the stubs do not say that options have extensions
    if options.Extensions[validate_pb2.disabled] or options.Extensions[validate_pb2.ignored]:
        return _Rules((), (), frozenset(field.name for field in kind.fields))
    fields, skipped = [], set()
    for field in kind.fields:
        said: Any = field.GetOptions()
        if not said.HasExtension(validate_pb2.rules):
            continue
        rules = said.Extensions[validate_pb2.rules]
        fields.append((field, rules))
        if rules.message.skip:
            skipped.add(field.name)
    oneofs = tuple(
        (one.name, tuple(field.name for field in one.fields)) for one in kind.oneofs if _is_required(one.GetOptions())
    )
    return _Rules(tuple(fields), oneofs, frozenset(skipped))


def _is_required(options: Any) -> bool:
    return bool(options.Extensions[validate_pb2.required])


def _field(message: Message, field: FieldDescriptor, rules: validate_pb2.FieldRules, path: Path) -> Iterator[Broken]:
    content = getattr(message, field.name)
    if field.is_repeated:
        yield from _many(field, content, rules, path)
        return
    if not field.has_presence or message.HasField(field.name):
        yield from _value(content, field, rules, path)
    elif field.containing_oneof is None and (rules.message.required or rules.duration.required or rules.any.required):
        yield Broken(path, "is missing")


def _many(field: FieldDescriptor, content: Any, rules: validate_pb2.FieldRules, path: Path) -> Iterator[Broken]:
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    least = rules.map.min_pairs if is_map else rules.repeated.min_items
    most = rules.map.max_pairs if is_map else rules.repeated.max_items
    if len(content) < least and not (rules.repeated.ignore_empty and not content):
        yield Broken(path, f"needs at least {least}")
    if most and len(content) > most:
        yield Broken(path, f"has more than {most}")
    if is_map or not rules.repeated.HasField("items"):
        return
    for index, one in enumerate(content):
        yield from _value(one, field, rules.repeated.items, (*path, index))


def _value(content: Any, field: FieldDescriptor, rules: validate_pb2.FieldRules, path: Path) -> Iterator[Broken]:
    kind = rules.WhichOneof("type")
    if kind is None or kind in ("repeated", "map", "any"):
        return
    said = getattr(rules, kind)
    if isinstance(content, Duration):
        why = _duration(content, said)
    elif isinstance(content, Message):
        why = _scalar(content.value, kind, said, field) if _is_wrapper(content) else ""  # type: ignore[attr-defined]
    else:
        why = _scalar(content, kind, said, field)
    if why:
        yield Broken(path, why)


def _is_wrapper(content: Message) -> bool:
    name = content.DESCRIPTOR.full_name
    return name.startswith(_WRAPPERS) and name.endswith("Value") and "value" in content.DESCRIPTOR.fields_by_name


def _scalar(value: Any, kind: str, said: Any, field: FieldDescriptor) -> str:
    if getattr(said, "ignore_empty", False) and not value:
        return ""
    if kind == "enum":
        return _enum(value, said, field)
    if kind in ("string", "bytes"):
        return _text(value, kind, said)
    return _compared(value, said, lambda limit: limit)


def _enum(value: int, said: validate_pb2.EnumRules, field: FieldDescriptor) -> str:
    if said.defined_only and field.enum_type is not None and value not in field.enum_type.values_by_number:
        return f"cannot be {value}"
    forbidden = getattr(said, "not_in")  # noqa: B009  a keyword is the end of the other
    return f"cannot be {value}" if value in forbidden else ""


def _text(value: Any, kind: str, said: Any) -> str:
    if said.min_len and len(value) < said.min_len:
        return "is empty" if said.min_len == 1 else f"is shorter than {said.min_len}"
    if said.max_len and len(value) > said.max_len:
        return f"is longer than {said.max_len}"
    if kind == "bytes":
        return ""
    size = len(value.encode())
    if said.min_bytes and size < said.min_bytes:
        return "is empty" if not size else f"has less than {said.min_bytes} bytes"
    if said.max_bytes and size > said.max_bytes:
        return f"has more than {said.max_bytes} bytes"
    if said.prefix and not value.startswith(said.prefix):
        return f"does not begin with {said.prefix}"
    if said.pattern and re2.search(said.pattern, value) is None:
        return f"does not match {said.pattern}"
    return _header(value, said)


def _header(value: str, said: validate_pb2.StringRules) -> str:
    patterns = _HEADER.get(said.well_known_regex) if said.HasField("well_known_regex") else None
    if patterns is None or not value:
        return ""
    strict = said.strict or not said.HasField("strict")
    return "" if re2.fullmatch(patterns[0 if strict else 1], value) else "has characters that no header may have"


def _compared(value: Any, said: Any, limit_of: Callable[[Any], Any]) -> str:
    for name, (words, holds) in _COMPARED.items():
        if name in said.DESCRIPTOR.fields_by_name and said.HasField(name):
            limit = limit_of(getattr(said, name))
            if not holds(value, limit):
                return f"must be {words} {_shown(limit)}"
    return ""


def _duration(value: Duration, said: Any) -> str:
    if not isinstance(said, validate_pb2.DurationRules):
        return ""
    return _compared(_seconds(value), said, _seconds)


def _seconds(value: Duration) -> float:
    return float(value.seconds) + value.nanos / 1e9


def _shown(limit: object) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit)
