"""An exchange as one watcher may see it: with what was asked for, and without what is hidden."""

import zlib

from msgspec.structs import replace

from weft.kit.globs import fits
from weft.kit.redaction import Redactor
from weft.model.tap import Content, Exchange, Message, Showing

_LARGEST_INFLATED = 262_144
_INFLATED = {"gzip": 47, "x-gzip": 47, "deflate": 47}
_ANY = ("content-type", "content-encoding")


def shown(seen: Exchange, showing: Showing, redactor: Redactor) -> Exchange:
    """The exchange with headers and bodies as far as they are wanted, and nothing that is hidden in any of it."""
    return replace(
        seen,
        path=redactor.url(seen.path),
        request=_message(seen.request, showing, redactor),
        response=_message(seen.response, showing, redactor),
    )


def needed(showing: Showing) -> Showing:
    """What a proxy must tell for that: of a body that is read, also what it is."""
    if not showing.body:
        return showing
    return replace(showing, headers=tuple(dict.fromkeys((*showing.headers, *_ANY))))


def _message(message: Message, showing: Showing, redactor: Redactor) -> Message:
    headers = tuple(
        (name, redactor.header(name, value))
        for name, value in message.headers
        if any(fits(glob.lower(), name) for glob in showing.headers) or (showing.body and name == "content-type")
    )
    body = _body(message, showing.body, redactor) if showing.body else None
    return Message(headers=headers, body=body, size=message.size)


def _body(message: Message, most: int, redactor: Redactor) -> Content | None:
    """The body as text without what is hidden; what is no text stays as it is, what cannot be read is left out."""
    if message.body is None:
        return None
    encoding = message.header("content-encoding").strip().lower()
    data, cut = message.body.data, message.body.cut
    if encoding not in ("", "identity"):
        if encoding not in _INFLATED:
            return Content(cut=True)
        data, cut = _inflated(data, cut)
    try:
        text = data.decode("utf-8", "strict" if not cut else "ignore")
    except UnicodeDecodeError:
        return _clipped(data, most, cut)
    return _clipped(redactor.body(text, message.header("content-type")).encode(), most, cut)


def _clipped(data: bytes, most: int, cut: bool) -> Content:
    return Content(data=data[:most], cut=cut or len(data) > most)


def _inflated(data: bytes, cut: bool) -> tuple[bytes, bool]:
    """A compressed body, or its beginning."""
    machine = zlib.decompressobj(47)
    try:
        found = machine.decompress(data, _LARGEST_INFLATED)
    except zlib.error:
        return b"", True
    return found, cut or bool(machine.unconsumed_tail) or not machine.eof
