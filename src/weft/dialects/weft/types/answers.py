"""What a caller gets instead of the answer that it asked for."""

from typing import Annotated

from pydantic import Field

from weft.dialects.wire import Strings, Wire, mapping, unset

Status = Annotated[int, Field(ge=400, le=599)]


class Answer(Wire):
    """An answer of the proxy's own."""

    status: Status | None = unset("Its HTTP status; gRPC callers get the status that stands for it.")
    body: str | None = unset("Its text.", max_length=4096)
    headers: Strings = mapping("Headers that it has.")
