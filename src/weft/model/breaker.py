"""Circuit breakers: when calls of a destination are refused at once, and how it is tried again."""

from enum import Enum

from weft.kit.value import Value
from weft.model.attachment import Attachment


class Forced(Enum):
    """What somebody decided instead of the breaker."""

    NO = ""
    OPEN = "Open"
    CLOSED = "Closed"


class Fallback(Value):
    """Who is called instead: a service's host (fully qualified), a subset, a port (``None``: its only one, or the one
    that was called)."""

    host: str
    subset: str = ""
    port: int | None = None


class Breaker(Value):
    """A breaker's rules. Times are milliseconds, rates percent; 0 switches a rule off.

    With a ``window`` failures are counted in it, without one in a row. ``statuses`` are ranges of HTTP statuses that
    are failures, ``grpc_statuses`` codes. An open breaker waits ``open_duration``, times ``backoff`` for each time it
    opened again, at most ``max_open_duration``; then ``half_open_requests`` calls are tried at once, and
    ``success_threshold`` of them close it. One that is not answered within ``trial_timeout`` makes room for another.
    Where there is a ``fallback``, refused calls go there; elsewhere callers get the answer.
    ``reset``: a number that changes when somebody wants it closed and forgetful.
    """

    name: str
    failure_threshold: int = 5
    failure_rate: float = 0
    request_volume: int = 20
    window: int = 0
    open_duration: int = 30_000
    backoff: float = 2.0
    max_open_duration: int = 300_000
    half_open_requests: int = 1
    success_threshold: int = 1
    trial_timeout: int = 30_000
    statuses: tuple[tuple[int, int], ...] = ((500, 599),)
    grpc_statuses: tuple[int, ...] = ()
    slow_call: int = 0
    slow_rate: float = 0
    forced: Forced = Forced.NO
    reset: int = 0
    fallback: Fallback | None = None
    answer_status: int = 503
    answer_body: str = ""
    answer_headers: tuple[tuple[str, str], ...] = ()


class CircuitBreaker(Value):
    """A breaker and the destinations, or the rules of routes, that it guards."""

    attachment: Attachment
    breaker: Breaker
