"""What can be wrong with an answer of the proxy's own."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.weft.types.answers import Answer

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4096}")


_STATUSES = frozenset((*range(400, 418), *range(421, 425), 426, 428, 429, 431, *range(500, 509), 510, 511))
"""Those that Envoy's limits of rates have names for; they take no others."""


def is_header_name(name: str) -> bool:
    """Whether a request or an answer can have such a header (RFC 9110, 5.1)."""
    return _NAME.fullmatch(name) is not None


def is_header_value(value: str) -> bool:
    """Whether a header can have such a value."""
    return _VALUE.fullmatch(value) is not None


def check_answer(here: Here, answer: Answer | None, *, any_status: bool = False) -> Findings:
    """A status that Envoy knows, and headers that HTTP allows."""
    if not any_status and answer and answer.status is not None and answer.status not in _STATUSES:
        yield here.at("status").error("W0124", f"{answer.status} is not a status of an error", "use 429 or 503")
    for name, value in (answer.headers if answer else {}).items():
        if not is_header_name(name):
            yield here.at("headers", name).error("W0112", f'"{name[:80]}" is not a header name', at_key=True)
        if not is_header_value(value):
            yield here.at("headers", name).error("W0112", f"the value of {name[:80]} cannot stand in a header")
