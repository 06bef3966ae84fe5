"""What a client has sent: bodies as JSON values, capped in size and depth."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request

from weft.api.errors import ApiError, bad_request
from weft.api.protobuf import MEDIA_TYPE, from_protobuf
from weft.kit.errors import UserError
from weft.kit.yaml import parse_yaml

MAX_BODY = 3 * 1024 * 1024
_MAX_DEPTH = 100
_MOST_VALUES = 100_000
_MOST_DOCUMENTS = 16
"""One that is none (`---` alone, comments) may stand beside the one that counts."""

_decode = msgspec.json.Decoder().decode


def content_type(request: Request) -> str:
    """The media type of the body, without its parameters."""
    return request.headers.get("content-type", "application/json").split(";")[0].strip().lower()


async def read_object(request: Request) -> Any:
    """The body as JSON values, ``None`` when it is empty. Raises ``ApiError`` 400, 413 and 415."""
    read = _READERS.get(content_type(request))
    if read is None:
        raise unsupported_media(*_READERS)
    body = await request.body()
    return await asyncio.to_thread(read, body) if body.strip() else None


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
        documents = parse_yaml(body.decode(), "body", most=_MOST_DOCUMENTS)
    except UnicodeDecodeError:
        raise bad_request("the body is no UTF-8 text") from None
    except UserError as failure:
        raise bad_request(f"the body is no valid YAML: {failure.message}") from None
    if len(documents) != 1:
        raise bad_request(f"the body must be one YAML document, not {len(documents)}")
    return _refuse_deep(documents[0].content)


def _refuse_deep(content: Any) -> Any:
    level = [content]
    values = 0
    for _ in range(_MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        values += len(level)
        if values > _MOST_VALUES:
            raise bad_request(f"the body has more than {_MOST_VALUES} values")
        if not level:
            return content
    raise _too_deep()


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> ApiError:
    return bad_request(f"the body is nested more than {_MAX_DEPTH} levels deep")


_READERS: dict[str, Callable[[bytes], Any]] = {
    "application/json": from_json,
    "application/yaml": from_yaml,
    MEDIA_TYPE: from_protobuf,
}
