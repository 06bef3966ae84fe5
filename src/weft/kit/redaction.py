"""What must not be shown of calls: values of headers, of query parameters and of fields of bodies, by their names.

Names are compared without regard to case, and ``-`` and ``_`` are alike: ``x-api-key`` hides ``X_API_Key`` too.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from weft.kit.globs import parts_fit, parts_of

HIDDEN = "[redacted]"
"""Stands where something was."""

SECRETS = (
    *("authorization", "proxy-authorization", "www-authenticate", "authentication-info", "cookie", "set-cookie"),
    *("*token", "*tokens", "token-*", "*secret", "*secret-*", "*password", "*password-*", "passwd", "pwd"),
    *("*api-key", "*apikey", "*access-key", "*private-key", "*signature", "sig", "*credential", "*credentials"),
    *("*session-id", "*sessionid", "session", "sid", "assertion", "client-assertion", "code-verifier", "*jwt"),
    *("card-number", "cvv", "cvc", "pin", "otp", "iban", "ssn"),
)
"""The names whose values are never shown. What a control plane is told to hide comes on top."""

_URL_HEADERS = frozenset(
    {"location", "content-location", "referer", "x-envoy-original-path", "x-original-url", "refresh", "link"}
)
_QUERY = re.compile(r"([^?&;=#\s\"'<>,]+)=([^&;#\s\"'<>,]*)")
_USERINFO = re.compile(r"(//)[^/?#@\s]+@")
_JSON_FIELD = re.compile(r'"((?:[^"\\]|\\.){1,128})"(\s*:\s*)')
_JSON_END = re.compile(r"[,}\]\s]|$")


class Redactor:
    """Hides by names; made once for a set of patterns."""

    def __init__(self, more: tuple[str, ...] = ()) -> None:
        self.patterns = tuple(dict.fromkeys((*SECRETS, *(plain(one) for one in more))))
        self._parts = tuple(parts_of(one) for one in self.patterns)
        self.hides = lru_cache(maxsize=4096)(self._hides)
        """Whether the value of a name is hidden."""

    def _hides(self, name: str) -> bool:
        told = plain(name)
        return any(parts_fit(parts, told) for parts in self._parts)

    def header(self, name: str, value: str) -> str:
        """The value of a header as it may be shown."""
        if self.hides(name):
            return HIDDEN
        return self.url(value) if name.lower() in _URL_HEADERS else value

    def url(self, text: str) -> str:
        """A path or URL without the values of such query parameters, and without names and passwords before a host."""
        head, mark, rest = text.partition("?")
        head = _USERINFO.sub(rf"\1{HIDDEN}@", head)
        return f"{head}{mark}{self.form(rest)}" if mark else head

    def form(self, text: str) -> str:
        """A query or a form."""
        return _QUERY.sub(self._pair, text)

    def body(self, text: str, content_type: str) -> str:
        """A body of text, whole or cut off, as it may be shown; what kind it is decides how it is read."""
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "application/x-www-form-urlencoded":
            return self.form(text)
        hidden = self._json(text) if '"' in text else text
        return hidden if kind.endswith("json") else self.form(hidden)

    def _pair(self, found: re.Match[str]) -> str:
        return f"{found[1]}={HIDDEN}" if self.hides(_decoded(found[1])) and found[2] else found[0]

    def _json(self, text: str) -> str:
        """Fields of JSON by their names, wherever they stand; also of JSON that ends in the middle."""
        pieces: list[str] = []
        at = 0
        while (found := _JSON_FIELD.search(text, at)) is not None:
            pieces.append(text[at : found.end()])
            at = found.end()
            if self.hides(_unescaped(found[1])):
                at = _value_end(text, at)
                pieces.append(f'"{HIDDEN}"')
        pieces.append(text[at:])
        return "".join(pieces)


def plain(name: str) -> str:
    """A name as it is compared."""
    return name.strip().lower().replace("_", "-")


def _decoded(name: str) -> str:
    """A parameter's name without percent signs, and without what says that it is one of several."""
    return unquote(name).removesuffix("[]")


def _unescaped(name: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda one: chr(int(one[1], 16)), name) if "\\" in name else name


def _value_end(text: str, at: int) -> int:
    """Where the value that begins here ends; the end of the text for one that was cut off."""
    if at >= len(text):
        return at
    if text[at] == '"':
        return _string_end(text, at)
    if text[at] in "{[":
        return _group_end(text, at)
    found = _JSON_END.search(text, at)
    return found.start() if found else len(text)


def _string_end(text: str, at: int) -> int:
    place = at + 1
    while place < len(text):
        if text[place] == "\\":
            place += 2
            continue
        if text[place] == '"':
            return place + 1
        place += 1
    return len(text)


def _group_end(text: str, at: int) -> int:
    depth, place = 0, at
    while place < len(text):
        sign = text[place]
        if sign == '"':
            place = _string_end(text, place)
            continue
        depth += (sign in "{[") - (sign in "}]")
        place += 1
        if depth == 0:
            return place
    return len(text)
