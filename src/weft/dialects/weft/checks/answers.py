"""What can be wrong with an answer of the proxy's own."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.weft.types.answers import Answer

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4096}")


def is_header_name(name: str) -> bool:
    """Whether a request or an answer can have such a header (RFC 9110, 5.1)."""
    return _NAME.fullmatch(name) is not None


def check_answer(here: Here, answer: Answer | None) -> Findings:
    """Headers that HTTP allows; pseudo headers are not headers."""
    for name, value in (answer.headers if answer else {}).items():
        if not is_header_name(name):
            yield here.at("headers", name).error("W0112", f'"{name[:80]}" is not a header name', at_key=True)
        if not _VALUE.fullmatch(value):
            yield here.at("headers", name).error("W0112", f"the value of {name[:80]} cannot stand in a header")
