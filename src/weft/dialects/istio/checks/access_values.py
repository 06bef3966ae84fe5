"""The values that a condition compares an attribute with."""

from collections.abc import Callable, Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import MAX_PORT
from weft.dialects.syntax import is_subnet
from weft.model.authorization import Attribute

_MAX_VALUE = 4096


def check_values(here: Here, attribute: Attribute, values: Sequence[str]) -> Findings:
    """Every value alone: that it can be met, and that it means what it looks like."""
    check = _CHECKS.get(attribute, _check_text)
    for index, value in enumerate(values):
        place = here.at(index)
        if not value:
            yield place.error("W0105", "the value is empty", "remove it, or write * for anything that is there")
        elif len(value) > _MAX_VALUE:
            yield place.error("W0111", f"the value has {len(value)} characters", f"at most {_MAX_VALUE} are allowed")
        else:
            yield from check(place, value)


def _check_text(here: Here, value: str) -> Findings:
    if "*" in _middle(value):
        yield here.warning("W0170", f'"{value[:120]}": a * stands for anything at one end only', "here it is a star")


def _middle(value: str) -> str:
    return value[1:] if value.startswith("*") else value.removesuffix("*")


def _check_subnet(here: Here, value: str) -> Findings:
    if not is_subnet(value):
        yield here.error("W0116", f'"{value[:80]}" is neither an IP address nor a CIDR')


def _check_port(here: Here, value: str) -> Findings:
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and int(value) <= MAX_PORT):
        yield here.error("W0115", f'"{value[:80]}" is not a port', "use 1 to 65535")


def _check_principal(here: Here, value: str) -> Findings:
    if value.startswith("spiffe://"):
        advice = f'write "{value.removeprefix("spiffe://")[:160]}"'
        yield here.error("W0170", "a principal is written without spiffe://, so this never matches", advice)
    yield from _check_text(here, value)


def _check_account(here: Here, value: str) -> Findings:
    parts = value.split("/")
    if "*" in value:
        yield here.error("W0170", f'"{value[:80]}": a service account has no wildcard', "write principals instead")
    elif len(parts) > 2 or not all(parts) or len(value) > 320:
        yield here.error("W0170", f'"{value[:80]}" is not a service account', "write namespace/name, or name")


def _check_trust_domain(here: Here, value: str) -> Findings:
    if "/" in value:
        yield here.error("W0170", f'"{value[:80]}" is not a trust domain: it has a slash', "write cluster.local")
    yield from _check_text(here, value)


def _check_method(here: Here, value: str) -> Findings:
    if any(letter.islower() for letter in value):
        message = f'"{value[:80]}" is in lower case, in which hardly any caller writes a method'
        yield here.note("W0174", message, f'write "{value.upper()[:80]}" if that is meant')
    yield from _check_text(here, value)


def _check_path(here: Here, value: str) -> Findings:
    if "{" in value or "}" in value:
        fault = fault_in_template(value)
        if fault:
            yield here.error("W0170", f'"{value[:120]}" {fault}', "use {*} for one segment and {**} for any number")
        return
    if not value.startswith(("/", "*")):
        yield here.note("W0170", f'"{value[:120]}": paths begin with /, so this never matches', f'write "/{value}"')
    if "?" in value or "#" in value:
        yield here.warning("W0170", f'"{value[:120]}": a path ends before its query, so this never matches')
    yield from _check_text(here, value)


def fault_in_template(template: str) -> str:
    """Why a text is no path template, "" if it is one (Istio: ``security.ValidatePathTemplate``)."""
    if not template.startswith("/"):
        return "is a template that does not begin with /"
    segments = template[1:].split("/")
    if "*" in template.replace("{*}", "").replace("{**}", ""):
        return "mixes a template with other wildcards"
    if any(("{" in one or "}" in one) and one not in ("{*}", "{**}") for one in segments):
        return "has a brace that is no segment of a template"
    if segments.count("{**}") > 1:
        return "has {**} more than once"
    if "{**}" in segments and "{*}" in segments[segments.index("{**}") + 1 :]:
        return "has {*} after {**}"
    return ""


_CHECKS: dict[Attribute, Callable[[Here, str], Findings]] = {
    Attribute.SOURCE_IP: _check_subnet,
    Attribute.REMOTE_IP: _check_subnet,
    Attribute.DESTINATION_IP: _check_subnet,
    Attribute.DESTINATION_PORT: _check_port,
    Attribute.PRINCIPAL: _check_principal,
    Attribute.ACCOUNT: _check_account,
    Attribute.TRUST_DOMAIN: _check_trust_domain,
    Attribute.METHOD: _check_method,
    Attribute.PATH: _check_path,
}
