"""Who calls: what the sidecar wrote into ``x-forwarded-client-cert`` after TLS proved it.

An application beside a sidecar listens on 127.0.0.1, so that only its own host can write that header without the
sidecar; the sidecar removes what callers write. Elsewhere the header is anybody's claim.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

HEADER = "x-forwarded-client-cert"
_LONGEST = 16_384
_SPIFFE = "spiffe://"


class Caller(NamedTuple):
    """A workload's identity: ``spiffe://<trust domain>/ns/<namespace>/sa/<account>``.

    Of an identity that is not made so, only ``uri`` and ``trust_domain`` are known.
    """

    uri: str
    trust_domain: str
    namespace: str = ""
    account: str = ""

    def __str__(self) -> str:
        return self.uri


def caller_in(headers: Mapping[str, str]) -> Caller | None:
    """The caller that a request's headers (by lower-case names) tell of; ``None`` for one that proved nothing."""
    return parse(headers.get(HEADER, ""))


def parse(header: str) -> Caller | None:
    """The last element's URI: the hop before this one. ``None`` where there is none, or more than one."""
    if not header or len(header) > _LONGEST:
        return None
    elements = list(_split(header, ","))
    pairs = [pair.partition("=") for pair in _split(elements[-1], ";")]
    uris = [_plain(value) for name, _, value in pairs if name.strip().lower() == "uri"]
    if len(uris) != 1 or not uris[0].startswith(_SPIFFE):
        return None
    domain, _, path = uris[0][len(_SPIFFE) :].partition("/")
    parts = path.split("/")
    if len(parts) == 4 and (parts[0], parts[2]) == ("ns", "sa") and parts[1] and parts[3]:
        return Caller(uris[0], domain, parts[1], parts[3])
    return Caller(uris[0], domain) if domain else None


def _split(text: str, separator: str) -> Iterator[str]:
    """The parts between separators that no quotes surround; a backslash makes the next character plain."""
    part, quoted, escaped = "", False, False
    for character in text:
        if character == separator and not quoted:
            yield part
            part = ""
            continue
        if character == '"' and not escaped:
            quoted = not quoted
        escaped = character == "\\" and not escaped
        part += character
    yield part


def _plain(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return value.replace('\\"', '"').replace("\\\\", "\\")
