"""The fields of a wire type, one by one, by paths as Istio's documentation writes them."""

import types
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

LIST, MAPPING = "[]", "{}"


class Field(NamedTuple):
    """A field: ``steps`` are names, ``[]`` for an entry of a list and ``{}`` for one of a mapping."""

    steps: tuple[str, ...]
    annotation: Any
    needed: bool

    @property
    def path(self) -> str:
        """As in ``http[].match[].headers{}.exact``."""
        return path_of(self.steps)

    @property
    def model(self) -> type[BaseModel] | None:
        """The message that the field, or an entry of it, is."""
        return message(self.annotation)


def path_of(steps: tuple[str, ...]) -> str:
    """Steps as one text."""
    text = ""
    for step in steps:
        text += step if step in (LIST, MAPPING) or not text else f".{step}"
    return text


def fields_of(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[Field]:
    """Every field of a message and of the messages in it, outer ones first."""
    for name, info in model.model_fields.items():
        steps, annotation = _unwrapped((*prefix, info.alias or name), info.annotation)
        yield Field(steps, annotation, info.is_required())
        inner = message(annotation)
        if inner is not None:
            yield from fields_of(inner, steps)


def message(annotation: Any) -> type[BaseModel] | None:
    """The message, if it is one."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def bare(annotation: Any) -> Any:
    """Without ``| None`` and ``Annotated``."""
    while True:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            annotation = arguments[0]
        elif origin in (types.UnionType, typing.Union):
            annotation = next(argument for argument in arguments if argument is not type(None))
        else:
            return annotation


def _unwrapped(steps: tuple[str, ...], annotation: Any) -> tuple[tuple[str, ...], Any]:
    """A field's path with the entries of its lists, and of mappings to messages, opened."""
    annotation = bare(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return _unwrapped((*steps, LIST), arguments[0])
    if origin is dict and message(bare(arguments[1])) is not None:
        return (*steps, MAPPING), bare(arguments[1])
    return steps, annotation
