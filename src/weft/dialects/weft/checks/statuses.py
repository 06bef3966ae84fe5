"""HTTP statuses that weft's own kinds take: single ones and ranges."""

import re
from collections.abc import Sequence

from weft.dialects.findings import Findings, Here

_STATUSES = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


def check_statuses(here: Here, listed: Sequence[str]) -> Findings:
    """Each is ``503`` or ``500-599``."""
    for index, text in enumerate(listed):
        found = _STATUSES.fullmatch(text)
        if found is None:
            message = f'"{text[:40]}" is no HTTP status'
            yield here.at(index).error("W0124", message, 'write "503" or "500-599"')
        elif found[2] and found[2] < found[1]:
            yield here.at(index).error("W0111", f"{text} ends before it begins", f"write {found[2]}-{found[1]}")


def status_range(text: str) -> tuple[int, int]:
    """The first and the last status of a range that was checked."""
    low, _, high = text.partition("-")
    return (int(low), int(high or low))
