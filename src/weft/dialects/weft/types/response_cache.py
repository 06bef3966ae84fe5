"""Weft's ResponseCache."""

from typing import Annotated

from pydantic import Field

from weft.dialects.weft.types.targets import Selecting
from weft.dialects.wire import Many, items, needed, unset

Bytes = Annotated[int, Field(ge=1024, le=1 << 40)]


class ResponseCache(Selecting):
    """Keeps responses as their Cache-Control allows, and answers from them."""

    directory: str = needed(
        "Where on the proxies' hosts they are kept: a directory that is there and that they may write to.",
        max_length=1024,
    )
    vary_headers: Many[str] = items(
        "Request headers by which responses may vary; one that varies by another is not kept.", max_length=32
    )
    max_bytes: Bytes | None = unset("How much is kept; 268435456.")
    ignore_request_cache_control: bool | None = unset("Whether callers cannot ask for fresh responses; false.")
