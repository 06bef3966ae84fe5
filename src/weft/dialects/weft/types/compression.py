"""Weft's Compression."""

from typing import Annotated, Literal

from pydantic import Field

from weft.dialects.weft.types.targets import Selecting
from weft.dialects.wire import Many, items, unset


class Compression(Selecting):
    """Makes responses smaller for callers that accept it."""

    algorithms: Many[Literal["gzip", "brotli", "zstd"]] = items(
        "What may be used, the best first; gzip if left out.", max_length=3
    )
    content_types: Many[str] = items(
        "Media types that are worth it; texts, JSON, scripts and the like if left out.", max_length=64
    )
    min_bytes: Annotated[int, Field(ge=30, le=1_048_576)] | None = unset("Shorter responses stay as they are; 1024.")
    decompress_requests: bool | None = unset(
        "Whether requests that come compressed with gzip are passed on plain; false."
    )
