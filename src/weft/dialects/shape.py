"""Whether a document has the shape of its kind: unknown fields, wrong types, missing fields, all at once."""

import difflib
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from weft.dialects.findings import Here
from weft.model.finding import Finding, Path, PathStep, field_path

_TYPES = {
    "string_type": "a string",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "mapping_type": "a mapping",
    "finite_number": "a finite number",
}
_MAX_SHOWN = 80
MOST = 200
"""Findings about one document; whoever gets so many has not written it by hand."""
_MORE = "mend the first ones, then check again"

M = TypeVar("M", bound=BaseModel)


class Shaped(typing.NamedTuple, typing.Generic[M]):
    """A document as its model (``None`` if even the rest has not the shape), and what is wrong and was cut out."""

    model: M | None
    findings: tuple[Finding, ...]
    cut: tuple[Path, ...] = ()


def shaped(model: type[M], content: Any) -> Shaped[M]:
    """Read a document. What has not the shape is reported and cut out, so that the rest can be looked at too.

    Where very much has not, the first of it is reported and nothing else is looked at.
    """
    try:
        return Shaped(model.model_validate(content), ())
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False)
    findings = tuple(_finding(model, error) for error in errors[:MOST])
    if len(errors) > MOST:
        more = Here(path=findings[-1].path).error("W0102", f"{len(errors) - MOST} more places are wrong", _MORE)
        return Shaped(None, (*findings, more))
    cut = tuple(finding.path for finding in findings)
    try:
        return Shaped(model.model_validate(_without(content, cut)), findings, cut)
    except ValidationError:
        return Shaped(None, findings, cut)


def touches(path: Path, cuts: Iterable[Path]) -> bool:
    """Whether a place holds, or lies in, one that was cut out."""
    return any(path[: len(cut)] == cut or cut[: len(path)] == path for cut in cuts)


def _without(content: Any, cuts: Iterable[Path]) -> Any:
    for cut in cuts:
        content = _cut(content, cut)
    return content


def _cut(content: Any, path: Path) -> Any:
    """The content without one place; an item of a list becomes ``{}`` so that the others keep their places."""
    step, rest = (path[0], path[1:]) if path else ("", ())
    if isinstance(content, dict) and step in content:
        if rest:
            return {**content, step: _cut(content[step], rest)}
        return {key: value for key, value in content.items() if key != step}
    if isinstance(content, list) and isinstance(step, int) and step < len(content) and rest:
        return [_cut(item, rest) if index == step else item for index, item in enumerate(content)]
    return content


def _finding(model: type[BaseModel], error: ErrorDetails) -> Finding:
    path: Path = tuple(step for step in error["loc"] if step != "[key]")
    here, kind, value = Here(path=path), error["type"], error.get("input")
    limits = error.get("ctx", {})
    name = _name(path)
    if kind == "extra_forbidden":
        return here.error("W0101", f'unknown field "{name[:_MAX_SHOWN]}"', _did_you_mean(model, path), at_key=True)
    if kind == "missing":
        return Here(path=path).error("W0105", f'the field "{name}" is required', f'add "{name}"', at_key=True)
    if kind == "literal_error":
        return _not_among(here, model, path, value)
    if kind in _TYPES:
        return here.error("W0102", f'"{name}" must be {_TYPES[kind]}, not {_described(value)}')
    if kind == "value_error" and str(limits.get("error")) == "not a duration":
        return here.error("W0108", f'"{name}" is not a duration: {_described(value)}', _DURATION)
    if kind in ("too_long", "string_too_long"):
        most = limits.get("max_length")
        return here.error("W0111", f'"{name}" is too long: at most {most} are allowed')
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = f"at least {limits['ge']:g}" if "ge" in limits else f"at most {limits['le']:.10g}"
        return here.error("W0111", f'"{name}" must be {bound}, not {_described(value)}')
    message = str(limits.get("error") or error["msg"])
    return here.error("W0102", f'"{name}" {message[:1].lower()}{message[1:]}')


_DURATION = "write a number and a unit, such as 10s, 250ms or 1h30m"


def _name(path: Path) -> str:
    """What a message calls a place: its field, with the numbers after it."""
    named = [index for index, step in enumerate(path) if isinstance(step, str)]
    return field_path(path[named[-1] :]) if named else "the document"


def _not_among(here: Here, model: type[BaseModel], path: Path, value: Any) -> Finding:
    options = _options(_annotation_at(model, path))
    near = difflib.get_close_matches(str(value).upper(), [option.upper() for option in options], n=1)
    meant = next((option for option in options if near and option.upper() == near[0]), "")
    advice = f'did you mean "{meant}"?' if meant else f"use one of {', '.join(options)}"
    return here.error("W0102", f'"{_name(path)}" cannot be {_described(value)}', advice)


def _described(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            text = value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + "..."
            return f'the string "{text}"'
        case int() | float():
            return f"the number {str(value)[:_MAX_SHOWN]}" if abs(value) < 10**60 else "a huge number"
        case None:
            return "null"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"


def _did_you_mean(model: type[BaseModel], path: Path) -> str:
    known = _fields(_annotation_at(model, path[:-1]))
    wanted = str(path[-1])
    folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wanted.lower().replace("_", "")[:_MAX_SHOWN], list(folded), n=1, cutoff=0.6)
    if near:
        return f'did you mean "{folded[near[0]]}"?'
    return f"the fields here are {', '.join(known)}" if known else "remove it"


def _fields(annotation: Any) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [field.alias or name for name, field in annotation.model_fields.items()]
    return []


def _options(annotation: Any) -> list[str]:
    return [str(option) for option in typing.get_args(annotation)] if _is_literal(annotation) else []


def _is_literal(annotation: Any) -> bool:
    return typing.get_origin(annotation) is typing.Literal


def _annotation_at(model: type[BaseModel], path: Path) -> Any:
    """The type that a place of a document has; ``None`` where the models do not say."""
    annotation: Any = model
    for step in path:
        annotation = _stepped(_bare(annotation), step)
    return _bare(annotation)


def _bare(annotation: Any) -> Any:
    """Without ``| None`` and ``Annotated``."""
    while True:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            annotation = arguments[0]
        elif origin in (types.UnionType, typing.Union):
            annotation = next(argument for argument in arguments if argument is not type(None))
        else:
            return annotation


def _stepped(annotation: Any, step: PathStep) -> Any:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return arguments[0]
    if origin is dict:
        return arguments[1]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if step == (field.alias or name):
                return field.annotation
    return None
