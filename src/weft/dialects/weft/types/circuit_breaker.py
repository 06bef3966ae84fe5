"""Weft's CircuitBreaker."""

from typing import Annotated, Literal

from pydantic import Field

from weft.dialects.weft.types.answers import Answer
from weft.dialects.weft.types.targets import Attached
from weft.dialects.wire import Duration, Many, Wire, items, needed, unset

Percent = Annotated[float, Field(gt=0, le=100)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Refusal(Answer):
    """An answer of the proxy's own while the breaker is open: an error, or something to go on with."""

    status: Annotated[int, Field(ge=200, le=599)] | None = unset("Its HTTP status; 503.")


class FallbackPort(Wire):
    """A port of a service."""

    number: Annotated[int, Field(ge=1, le=65535)] = needed("Its number.")


class Fallback(Wire):
    """Who is called while the breaker is open (the shape of Istio's ``Destination``)."""

    host: str = needed("A service; a short name is one of the breaker's namespace.")
    subset: str | None = unset("A subset that a DestinationRule defines.")
    port: FallbackPort | None = unset("Its port; the only one, or the one that was called.")


class CircuitBreaker(Attached):
    """Refuses the calls of a destination that keeps failing, and tries it again later."""

    failure_threshold: Count | None = unset(
        "Failures that open it: in a row, or with a window within it. 5 when no rate is set."
    )
    failure_rate: Percent | None = unset("Percent of the calls within the window that fail.")
    request_volume: Count | None = unset("Calls within the window below which no rate opens it; 20.")
    window: Duration | None = unset("How far back calls count; 10s with a rate, without one failures count in a row.")
    open_duration: Duration | None = unset("How long it stays open; 30s.")
    backoff_factor: Annotated[float, Field(ge=1, le=10)] | None = unset(
        "What openDuration is multiplied by each time it opens again without having closed; 2."
    )
    max_open_duration: Duration | None = unset("The longest that it stays open; 5m.")
    half_open_requests: Count | None = unset("Calls that are tried at once when the time is over; 1.")
    success_threshold: Count | None = unset("Successes among them that close it; as many as halfOpenRequests.")
    trial_timeout: Duration | None = unset(
        "After it a tried call that is not answered makes room for another; openDuration."
    )
    failure_statuses: Many[str] = items(
        'HTTP statuses that are failures, "503" or "500-599"; the latter.', max_length=64
    )
    failure_grpc_statuses: Many[str] = items(
        "gRPC statuses that are failures, by name; UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE and DATA_LOSS.",
        max_length=17,
    )
    slow_call_duration: Duration | None = unset("A call whose answer begins later is slow.")
    slow_call_rate: Percent | None = unset("Percent of the calls within the window that are slow; 50.")
    force: Literal["Open", "Closed"] | None = unset("Refuses every call, or none, whatever happens.")
    reset_at: str | None = unset("Any text; when it changes, the breaker is closed and forgets what it counted.")
    response: Refusal | None = unset("What callers get while it is open; 503.")
    fallback: Fallback | None = unset("Who is called while it is open, by callers that see that service.")
