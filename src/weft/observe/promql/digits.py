"""How Prometheus writes numbers and times in its answers."""

import math
from decimal import Decimal


def text_of(value: float) -> str:
    """A value as a string: shortest digits that read back the same, exponents only for the very small and large."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f").removesuffix(".0")
    return text.replace(".0e", "e")


def seconds_of(moment: int) -> float | int:
    """Milliseconds as the seconds of an answer."""
    return moment // 1000 if moment % 1000 == 0 else moment / 1000
