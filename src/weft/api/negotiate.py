"""What a client wants to read and what it has sent: ``Accept``, ``Content-Type`` and the body itself."""

from collections.abc import Iterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from weft.api.errors import ApiError, bad_request
from weft.api.table import META, Shape
from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.kit.yaml import parse_yaml

MAX_BODY = 3 * 1024 * 1024
_MAX_DEPTH = 100
_JSON = ("application/json", "application/*", "*/*")

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


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


def content_type(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "application/json").split(";")[0].strip().lower()


async def read_object(request: Request, accepted: tuple[str, ...] = ("application/json", "application/yaml")) -> Any:
    """The body as JSON values, ``None`` when it is empty. Raises ``ApiError`` 400, 413 and 415."""
    media_type = content_type(request)
    if media_type not in accepted:
        raise unsupported_media(*accepted)
    body = await request.body()
    if not body.strip():
        return None
    return from_yaml(body) if media_type.endswith("yaml") else from_json(body)


def unsupported_media(*accepted: str) -> ApiError:
    """415."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return ApiError(415, "UnsupportedMediaType", message)


def too_large() -> ApiError:
    """413."""
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY}")


def from_json(body: bytes) -> Any:
    """JSON values. Raises ``ApiError`` 400."""
    try:
        content = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        raise bad_request(f"the body is no valid JSON: {failure}") from None
    except RecursionError:
        raise _too_deep() from None
    return _refuse_deep(content)


def from_yaml(body: bytes) -> Any:
    """The one document of a YAML text, or JSON, which is YAML too. Raises ``ApiError`` 400."""
    if body.lstrip()[:1] == b"{":
        return from_json(body)
    try:
        documents = parse_yaml(body.decode(), "body")
    except UnicodeDecodeError:
        raise bad_request("the body is no UTF-8 text") from None
    except UserError as failure:
        raise bad_request(f"the body is no valid YAML: {failure.message}") from None
    if len(documents) != 1:
        raise bad_request(f"the body must be one YAML document, not {len(documents)}")
    return _refuse_deep(documents[0].content)


def _refuse_deep(content: Any) -> Any:
    level = [content]
    for _ in range(_MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return content
    raise _too_deep()


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> ApiError:
    return bad_request(f"the body is nested more than {_MAX_DEPTH} levels deep")
