"""The base of documents as they arrive: frozen pydantic models in JSON's names that know no extra fields.

Values mean what proto-JSON means by them: ``null`` is unset, integers are not quoted, durations are strings.
"""

import base64
import binascii
import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, model_validator
from pydantic.alias_generators import to_camel

T = TypeVar("T")

_UINT32 = 2**32 - 1
_INT32 = 2**31 - 1


class Wire(BaseModel):
    """A message of a document."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        defer_build=True,
        validate_by_alias=True,
        validate_by_name=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_unset(cls, content: Any) -> Any:
        if isinstance(content, dict) and None in content.values():
            return {key: value for key, value in content.items() if value is not None}
        return content


_GO_DURATION = re.compile(r"[-+]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+|[-+]?0")


def is_duration(text: str) -> bool:
    """Whether a text is a duration in Go's notation."""
    return len(text) <= 40 and _GO_DURATION.fullmatch(text) is not None


def _duration(text: str) -> str:
    if not is_duration(text):
        raise ValueError("not a duration")
    return text


Many = Annotated[tuple[T, ...], Strict(False)]
"""A list; the same JSON array, kept as a tuple."""

Duration = Annotated[str, AfterValidator(_duration)]
"""Go's notation, as Istio reads it: ``1.5s``, ``100ms``, ``1h30m``."""

UInt32 = Annotated[int, Field(ge=0, le=_UINT32)]
UInt64 = Annotated[int, Field(ge=0, le=2**64 - 1)]
Int32 = Annotated[int, Field(ge=-_INT32 - 1, le=_INT32)]
Double = Annotated[float, Field(allow_inf_nan=False)]
Strings = dict[str, str]


def bytes_of(text: str) -> bytes:
    """What base64 stands for; lines may be broken, as Go allows. Raises ``ValueError``."""
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except binascii.Error:
        raise ValueError("is not base64 (standard alphabet, padded)") from None


def _base64(text: str) -> str:
    bytes_of(text)
    return text


Base64 = Annotated[str, AfterValidator(_base64), Field(json_schema_extra={"format": "byte"})]
"""Bytes in a document."""


def needed(description: str, **limits: Any) -> Any:
    """A field that must be set."""
    return Field(description=description, **limits)


def unset(description: str, **limits: Any) -> Any:
    """A field that may be left out."""
    return Field(None, description=description, **limits)


def items(description: str, **limits: Any) -> Any:
    """A list that may be left out."""
    return Field((), description=description, **limits)


def mapping(description: str, **limits: Any) -> Any:
    """A mapping that may be left out."""
    return Field(default_factory=dict, description=description, **limits)
