"""Changes to headers as Envoy writes them: all removals, then what is set, then what is added."""

import re

from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from weft.kit.value import first
from weft.model.route import HeaderOperations, Headers

_AUTHORITY = ("host", ":authority")
# Envoy's substitutions that Istio's users write into header values; every other % is meant as itself.
_SUBSTITUTION = re.compile(
    r"%%|%(?:(?:REQ|RESP|START_TIME|DYNAMIC_METADATA|UPSTREAM_METADATA|FILTER_STATE|ENVIRONMENT|QUERY_PARAM)"
    r"\([^()%]*\)(?::\d+)?|PROTOCOL|HOSTNAME|REQ_WITHOUT_QUERY|RESPONSE_CODE|RESPONSE_FLAGS|ROUTE_NAME"
    r"|REQUEST_DURATION|UPSTREAM_HOST|UPSTREAM_CLUSTER"
    r"|DOWNSTREAM_(?:REMOTE|LOCAL)_(?:ADDRESS(?:_WITHOUT_PORT)?|PORT)"
    r"|DOWNSTREAM_(?:PEER_URI_SAN|LOCAL_URI_SAN|PEER_SUBJECT|LOCAL_SUBJECT|TLS_VERSION|TLS_CIPHER))%"
)


def added(*operations: HeaderOperations) -> list[HeaderValueOption]:
    """What some operations set and add, the first one's first. Pseudo headers cannot be changed so."""
    found: list[HeaderValueOption] = []
    for one in operations:
        found += [_option(*pair, HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD) for pair in one.set if _plain(pair[0])]
        found += [_option(*pair, HeaderValueOption.APPEND_IF_EXISTS_OR_ADD) for pair in one.add if _plain(pair[0])]
    return found


def removed(*operations: HeaderOperations) -> list[str]:
    """What some operations remove."""
    return list(dict.fromkeys(name for one in operations for name in one.remove if _plain(name)))


def authority(*headers: Headers) -> str:
    """The authority that some operations set, the first one's (Istio: the route's before a destination's)."""
    return first(value for one in headers for name, value in one.request.set if name.lower() in _AUTHORITY) or ""


def _plain(name: str) -> bool:
    return not name.startswith(":") and name.lower() not in _AUTHORITY


def _option(name: str, value: str, action: HeaderValueOption.HeaderAppendAction) -> HeaderValueOption:
    return HeaderValueOption(
        header=HeaderValue(key=name, value=escaped(value)), append_action=action, keep_empty_value=not value
    )


def escaped(value: str) -> str:
    """A header value for Envoy: known substitutions stay, any other ``%`` is doubled, lest the listener refuse it."""
    parts, end = [], 0
    for found in _SUBSTITUTION.finditer(value):
        parts += [value[end : found.start()].replace("%", "%%"), found.group()]
        end = found.end()
    return "".join(parts) + value[end:].replace("%", "%%")
