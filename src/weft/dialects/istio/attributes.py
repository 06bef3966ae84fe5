"""The names of attributes in the conditions of an AuthorizationPolicy."""

import re

from weft.model.authorization import Attribute

_PLAIN = {
    one.value: one
    for one in (
        Attribute.SOURCE_IP,
        Attribute.REMOTE_IP,
        Attribute.NAMESPACE,
        Attribute.PRINCIPAL,
        Attribute.ACCOUNT,
        Attribute.TRUST_DOMAIN,
        Attribute.REQUEST_PRINCIPAL,
        Attribute.AUDIENCE,
        Attribute.PRESENTER,
        Attribute.DESTINATION_IP,
        Attribute.DESTINATION_PORT,
        Attribute.SERVER_NAME,
    )
}
_HEADER = re.compile(r"request\.headers\[([^\[\]]+)\]")
_CLAIMS = re.compile(r"request\.auth\.claims((?:\[[^\[\]]+\])+)")
_METADATA = re.compile(r"experimental\.(envoy\.filters\.[^\[\]]+?)\[([^\[\]]+)\]")


def attribute_of(key: str) -> tuple[Attribute, tuple[str, ...]] | None:
    """The attribute that a key names and what leads into it, ``None`` for a key that names none."""
    if key in _PLAIN:
        return _PLAIN[key], ()
    if found := _HEADER.fullmatch(key):
        return Attribute.HEADER, (found[1].lower(),)
    if found := _CLAIMS.fullmatch(key):
        return Attribute.CLAIM, tuple(found[1][1:-1].split("]["))
    if found := _METADATA.fullmatch(key):
        return Attribute.METADATA, (found[1], found[2])
    return None


ADVICE = "known are source.*, remote.ip, destination.*, connection.sni, request.headers[name], request.auth.*"
