"""What an unquoted scalar of YAML means: the core schema of YAML 1.2, as far as JSON can hold it."""

import math
import re

Scalar = str | int | float | bool | None

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONSTANTS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_MAX_DIGITS = 24
_NO_NUMBER = "this is no number that JSON can hold"


def scalar(text: str) -> Scalar:
    """The value of an unquoted text. Raises ``ValueError`` for numbers that are not finite or not of 64 bits."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text):
        return _integer(text, 10)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return _integer(text, 0)
    return _float(text)


def _integer(text: str, base: int) -> int:
    value = int(text, base) if len(text) <= _MAX_DIGITS else None
    if value is None or not -(2**63) <= value < 2**64:
        raise ValueError(_NO_NUMBER)
    return value


def _float(text: str) -> float | str:
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(_NO_NUMBER)
    if not _FLOAT.fullmatch(text):
        return text
    value = float(text)
    if math.isinf(value):
        raise ValueError(_NO_NUMBER)
    return value
