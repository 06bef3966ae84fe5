"""Names and values of headers."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.claims import claim_of
from weft.dialects.istio.types.http_route import HeaderOperations, Headers

_NAME = re.compile(r":?[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(
    r"""(?: [^%] | %% | %[A-Z0-9_]+ (?: \( (?:[^)"]|"(?:\\.|[^"\\])*")* \) )? (?: :[0-9]+ )? % )*""",
    re.VERBOSE | re.DOTALL,
)
_AUTHORITY = ("host", ":authority")
_CLAIM_HELP = "write @request.auth.claims.NAME, or [NAME][INNER] in place of .NAME"


def is_authority(name: str) -> bool:
    """Whether a header is the name of the server."""
    return name.lower() in _AUTHORITY


def is_claim(name: str) -> bool:
    """Whether a "header" of a match is a claim of a verified token."""
    return claim_of(name) is not None


def check_header_name(here: Here, name: str) -> Findings:
    """A token of HTTP, or a pseudo header of HTTP/2 (Istio: ``ValidateHTTPHeaderNameOrJwtClaimRoute``)."""
    if not name:
        yield here.error("W0112", "the name of a header is empty", at_key=True)
    elif (claim := claim_of(name)) is not None:
        if not all(claim):
            yield here.error("W0112", f'"{name[:80]}" names no claim', _CLAIM_HELP, at_key=True)
    elif not _NAME.fullmatch(name):
        yield here.error("W0112", f'"{name[:80]}" is not a name of a header', at_key=True)


def check_header_value(here: Here, value: str) -> Findings:
    """Envoy's commands stand between ``%``; a single one is written ``%%`` (Istio: ``ValidateHTTPHeaderValue``)."""
    if not _VALUE.fullmatch(value):
        yield here.error("W0112", f'"{value[:80]}" has a % that begins no command', "write %% for a percent sign")
    if any(letter in value for letter in "\r\n\0"):
        yield here.error("W0112", "the value of a header has a line break or a zero byte")


def check_headers(here: Here, headers: Headers | None) -> Findings:
    """Changes to headers in both directions."""
    if headers is None:
        return
    if headers.request is not None:
        yield from _check_operations(here.at("request"), headers.request)
    if headers.response is not None:
        yield from _check_operations(here.at("response"), headers.response)


def _check_operations(here: Here, operations: HeaderOperations) -> Findings:
    for verb, changes in (("set", operations.set), ("add", operations.add)):
        for name, value in changes.items():
            yield from check_header_name(here.at(verb, name), name)
            yield from check_header_value(here.at(verb, name), value)
            yield from _check_pseudo(here.at(verb, name), name)
    for index, name in enumerate(operations.remove):
        yield from check_header_name(here.at("remove", index), name)
        yield from _check_pseudo(here.at("remove", index), name)


def _check_pseudo(here: Here, name: str) -> Findings:
    if name.startswith(":") and not is_authority(name):
        yield here.warning("W0128", f"the pseudo header {name[:80]} cannot be changed", "remove it", at_key=True)


def authorities(headers: Headers | None) -> list[tuple[str, str]]:
    """Every change that sets the authority: the verb and the header's name."""
    request = headers.request if headers else None
    if request is None:
        return []
    changes = (("set", request.set), ("add", request.add))
    return [(verb, name) for verb, names in changes for name in names if is_authority(name)]
