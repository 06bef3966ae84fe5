"""A CircuitBreaker in the model's words, with the defaults where nothing is said."""

from zlib import crc32

from weft.dialects.fragment import Fragment, Reference
from weft.dialects.grpc_status import GRPC_STATUS
from weft.dialects.served import Subject
from weft.dialects.syntax import milliseconds, qualify
from weft.dialects.weft.checks.statuses import status_range
from weft.dialects.weft.translate.targets import attachment_of
from weft.dialects.weft.types import circuit_breaker as wire
from weft.dialects.weft.types.answers import Answer
from weft.kit.value import labels_of
from weft.model.breaker import Breaker, CircuitBreaker, Fallback, Forced
from weft.model.route import Destination

_GRPC_FAILURES = ("UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
_THRESHOLD = 5
_VOLUME = 20
_WINDOW = 10_000
_OPEN = 30_000
_LONGEST = 300_000
_SLOW_RATE = 50.0


def translate(spec: wire.CircuitBreaker, subject: Subject) -> Fragment:
    """One breaker."""
    breaker = _breaker(spec, subject)
    found = CircuitBreaker(attachment=attachment_of(spec, subject), breaker=breaker)
    references = tuple(_reference(one) for one in (breaker.fallback,) if one is not None)
    return Fragment(key=subject.key, breakers=(found,), references=references)


def _reference(fallback: Fallback) -> Reference:
    destination = Destination(host=fallback.host, subset=fallback.subset, port=fallback.port)
    return Reference(destination=destination, path=("spec", "fallback"))


def _fallback(spec: wire.Fallback | None, subject: Subject) -> Fallback | None:
    if spec is None:
        return None
    host = qualify(spec.host, subject.namespace, subject.settings.domain_suffix)
    return Fallback(host=host, subset=spec.subset or "", port=spec.port.number if spec.port else None)


def _breaker(spec: wire.CircuitBreaker, subject: Subject) -> Breaker:
    answer = spec.response or Answer()
    slow = milliseconds(spec.slow_call_duration) or 0
    slow_rate = (spec.slow_call_rate or _SLOW_RATE) if slow else 0.0
    rated = bool(spec.failure_rate or slow_rate)
    opened = milliseconds(spec.open_duration) or _OPEN
    longest = milliseconds(spec.max_open_duration) or _LONGEST
    probes = spec.half_open_requests or 1
    return Breaker(
        name=f"{subject.key.namespace}/{subject.key.name}",
        failure_threshold=spec.failure_threshold or (0 if rated else _THRESHOLD),
        failure_rate=spec.failure_rate or 0.0,
        request_volume=spec.request_volume or _VOLUME,
        window=milliseconds(spec.window) or (_WINDOW if rated else 0),
        open_duration=opened,
        backoff=spec.backoff_factor or 2.0,
        max_open_duration=max(longest, opened),
        half_open_requests=probes,
        success_threshold=spec.success_threshold or probes,
        trial_timeout=milliseconds(spec.trial_timeout) or opened,
        statuses=tuple(status_range(text) for text in spec.failure_statuses) or ((500, 599),),
        grpc_statuses=tuple(sorted(GRPC_STATUS[name] for name in spec.failure_grpc_statuses or _GRPC_FAILURES)),
        slow_call=slow,
        slow_rate=slow_rate,
        forced=Forced(spec.force or ""),
        reset=crc32((spec.reset_at or "").encode()),
        fallback=_fallback(spec.fallback, subject),
        answer_status=answer.status or 503,
        answer_body=answer.body or "",
        answer_headers=labels_of(answer.headers),
    )
