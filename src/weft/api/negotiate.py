"""What a client wants to read: ``Accept``, and the answers in JSON."""

from collections.abc import Iterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from weft.api.errors import ApiError
from weft.api.table import META, Shape
from weft.kit.value import Value

_JSON = ("application/json", "application/*", "*/*")

encode = msgspec.json.Encoder().encode


class Clause(Value):
    """One of the alternatives of an ``Accept`` header."""

    media_type: str
    parameters: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """A parameter, empty when it is not there."""
        return dict(self.parameters).get(name, "")


class Form(Value):
    """The form that an answer takes."""

    shape: Shape = Shape.OBJECT
    version: str = "v1"


def clauses(header: str) -> Iterator[Clause]:
    """The alternatives of an ``Accept`` header, in its order."""
    for part in header.split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        yield Clause(media_type=media_type.lower(), parameters=tuple((key, value) for key, _, value in pairs))


def form_of(request: Request) -> Form:
    """The first form of ``Accept`` that can be had. Raises ``ApiError`` 406."""
    for clause in clauses(request.headers.get("accept", "*/*")):
        wanted, version = clause.get("as"), clause.get("v") or "v1"
        if clause.media_type not in _JSON:
            continue
        if not wanted:
            return Form()
        if clause.get("g") == META and version in ("v1", "v1beta1") and wanted in (shape.value for shape in Shape):
            return Form(shape=Shape(wanted), version=version)
    raise not_acceptable("application/json")


def not_acceptable(*offered: str) -> ApiError:
    """406."""
    return ApiError(406, "NotAcceptable", f"only the following media types are accepted: {', '.join(offered)}")


def respond(
    content: Any, code: int = 200, warnings: tuple[str, ...] = (), media_type: str = "application/json"
) -> Response:
    """A JSON answer with its warnings (RFC 7234, 5.5)."""
    response = Response(encode(content), status_code=code, media_type=media_type)
    for warning in dict.fromkeys(warnings):
        response.headers.append("Warning", f'299 - "{_quoted(warning)}"')
    return response


def _quoted(text: str) -> str:
    line = "".join(character if character.isprintable() else " " for character in text)
    return line.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
