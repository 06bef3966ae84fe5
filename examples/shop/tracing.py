"""What one request carries from hop to hop, whatever the protocol of the hop.

A sidecar sees the requests that come in and those that go out, but only the application knows which
of them belong together. So it hands on the W3C trace headers (traceparent, tracestate, baggage), the
request id, and ``end-user``, which lets a route far down pick a version by who is asking. It makes no
spans of its own: the sidecars do.
"""

import re
import secrets
import uuid
from collections.abc import Mapping
from contextvars import ContextVar

FORWARDED = ("traceparent", "tracestate", "baggage", "x-request-id", "end-user")

# https://www.w3.org/TR/trace-context/#traceparent-header, without the all-zero ids it forbids.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

_carried: ContextVar[Mapping[str, str] | None] = ContextVar("carried", default=None)
_via: ContextVar[list[str] | None] = ContextVar("via", default=None)


def new_traceparent() -> str:
    """A sampled root of a new trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def begin(headers: Mapping[str, str]) -> None:
    """Take over what the incoming request carries, and start a trace where it carries none.

    A traceparent that does not parse starts a new trace, and its tracestate goes with it, as the
    specification asks. A request id with odd characters is replaced: the ledger's lines carry it.
    """
    carried = {name: headers[name] for name in FORWARDED if name in headers}
    if not _TRACEPARENT.fullmatch(carried.get("traceparent", "")):
        carried.pop("tracestate", None)
        carried["traceparent"] = new_traceparent()
    if not _REQUEST_ID.fullmatch(carried.get("x-request-id", "")):
        carried["x-request-id"] = str(uuid.uuid4())
    _carried.set(carried)
    _via.set([])


def outgoing() -> dict[str, str]:
    """The headers (or the gRPC metadata) for a call made on behalf of the current request."""
    return dict(_carried.get() or {})


def request_id() -> str:
    """The current request's id, or a fresh one outside of any request."""
    return outgoing().get("x-request-id") or str(uuid.uuid4())


def note_answer(headers: Mapping[str, str]) -> None:
    """Remember which instances took part in an answer that the current request waited for."""
    via = _via.get()
    if via is not None:
        via.extend(headers[name] for name in ("x-served-by", "x-served-via") if headers.get(name))


def served_via() -> str:
    """The instances that the current request went on to, joined by commas; empty if none."""
    return ", ".join(_via.get() or ())
