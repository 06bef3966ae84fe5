"""What an HTTP rule does: redirects, answers, rewrites, retries, faults, CORS."""

import base64
import binascii
import re

from weft.dialects.findings import Findings, Here
from weft.dialects.grpc_status import GRPC_STATUS
from weft.dialects.istio.checks.common import check_duration, check_percent
from weft.dialects.istio.checks.headers import check_header_name
from weft.dialects.istio.types import http_route as wire
from weft.dialects.regex import check_regex
from weft.dialects.syntax import nanoseconds

_MAX_BODY = 2**20
_REDIRECT_CODES = (301, 302, 303, 307, 308)
_RETRY_ON = (
    "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx",
    "refused-stream", "retriable-status-codes", "retriable-headers", "http3-post-connect-failure",
    "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
)  # fmt: skip
_STATUS = frozenset(
    (*range(100, 104), *range(200, 209), 226, *range(300, 306), 307, 308, *range(400, 419), *range(421, 427), 428, 429,
     431, 451, *range(500, 509), 510, 511)
)  # fmt: skip
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")
_SECOND = 10**9
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")


def check_status(here: Here, status: int) -> Findings:
    """Istio's ``validateHTTPStatus``, which lets 600 pass."""
    if not 200 <= status <= 600:
        yield here.error("W0124", f"{status} cannot be answered", "use 200 to 599")


def check_redirect(here: Here, redirect: wire.HttpRedirect, matches: tuple[wire.HttpMatchRequest, ...]) -> Findings:
    """Istio's ``validateHTTPRedirect``."""
    goes = (redirect.uri, redirect.authority, redirect.scheme, redirect.prefix_rewrite)
    if not any(goes) and redirect.port is None and redirect.derive_port is None:
        yield here.error("W0105", "the redirect leads nowhere", "set uri, prefixRewrite, authority, scheme or port")
    if redirect.uri and redirect.prefix_rewrite:
        yield here.at("prefixRewrite").error("W0106", "only one of uri and prefixRewrite can be set", at_key=True)
    if redirect.port is not None and redirect.derive_port is not None:
        yield here.at("derivePort").error("W0106", "only one of port and derivePort can be set", at_key=True)
    if redirect.scheme and redirect.scheme not in ("http", "https"):
        yield here.at("scheme").error("W0102", f'"{redirect.scheme[:80]}" is no scheme', "use http or https")
    if redirect.prefix_rewrite and any(match.uri is not None and match.uri.prefix is None for match in matches):
        advice = "match the path with prefix"
        yield here.at("prefixRewrite").error(
            "W0122", "prefixRewrite needs a prefix in every match", advice, at_key=True
        )
    yield from _check_redirect_code(here.at("redirectCode"), redirect.redirect_code)


def _check_redirect_code(here: Here, code: int | None) -> Findings:
    if code is None or code == 0:
        return
    if not 300 <= code <= 399:
        yield here.error("W0124", f"{code} is no redirect", "use 301, 302, 303, 307 or 308")
    elif code not in _REDIRECT_CODES:
        yield here.unserved(f"a redirect with {code}", "use 301, 302, 303, 307 or 308")


def check_direct_response(here: Here, response: wire.HttpDirectResponse) -> Findings:
    """Istio's ``validateHTTPDirectResponse``."""
    yield from check_status(here.at("status"), response.status)
    body = response.body
    if body is None:
        return
    if body.string is not None and body.bytes is not None:
        yield here.at("body").error("W0106", "only one of string and bytes can be set")
    if body.string is not None and len(body.string.encode(errors="replace")) > _MAX_BODY:
        yield here.at("body", "string").error("W0111", "the body is larger than 1 MiB")
    if body.bytes is not None:
        try:
            decoded = base64.b64decode(body.bytes, validate=True)
        except (binascii.Error, ValueError):
            yield here.at("body", "bytes").error("W0102", "the body is not base64")
            return
        if len(decoded) > _MAX_BODY:
            yield here.at("body", "bytes").error("W0111", "the body is larger than 1 MiB")


def check_rewrite(here: Here, rewrite: wire.HttpRewrite | None) -> Findings:
    """Istio's ``validateHTTPRewrite``."""
    if rewrite is None:
        return
    pattern = rewrite.uri_regex_rewrite
    if not rewrite.uri and not rewrite.authority and pattern is None:
        yield here.error("W0105", "the rewrite changes nothing", "set uri, uriRegexRewrite or authority")
    if pattern is None:
        return
    if rewrite.uri:
        yield here.at("uriRegexRewrite").error("W0106", "only one of uri and uriRegexRewrite can be set", at_key=True)
    if not pattern.match or not pattern.rewrite:
        yield here.at("uriRegexRewrite").error("W0105", "uriRegexRewrite needs both match and rewrite")
    if pattern.match:
        yield from check_regex(here.at("uriRegexRewrite", "match"), pattern.match)


def check_retries(here: Here, retries: wire.HttpRetry | None) -> Findings:
    """Istio's ``validateHTTPRetry``."""
    if retries is None:
        return
    attempts = retries.attempts or 0
    if attempts < 0:
        yield here.at("attempts").error("W0120", "there cannot be less than 0 attempts")
    others = retries.model_fields_set - {"attempts"}
    if attempts == 0 and others:
        yield here.error("W0120", "retries are switched off by 0 attempts, and configured", "set attempts to 1 or more")
    yield from check_duration(here.at("perTryTimeout"), retries.per_try_timeout)
    yield from check_duration(here.at("backoff"), retries.backoff)
    for word in retries.retry_on.split(",") if retries.retry_on else ():
        if word not in _RETRY_ON and not (_NUMBER.fullmatch(word) and int(word) in _STATUS):
            advice = "use conditions of Envoy or status codes, separated by commas without spaces"
            yield here.at("retryOn").error("W0120", f'"{word[:80]}" is no condition for a retry', advice)


def check_fault(here: Here, fault: wire.HttpFaultInjection | None) -> Findings:
    """Istio's ``validateHTTPFaultInjection``."""
    if fault is None:
        return
    if fault.delay is None and fault.abort is None:
        yield here.error("W0105", "the fault does nothing", "set delay or abort")
    if fault.delay is not None:
        yield from _check_delay(here.at("delay"), fault.delay)
    if fault.abort is not None:
        yield from _check_abort(here.at("abort"), fault.abort)


def _check_delay(here: Here, delay: wire.Delay) -> Findings:
    yield from check_percent(here.at("percentage"), delay.percentage)
    yield from check_duration(here.at("fixedDelay"), delay.fixed_delay)
    if delay.fixed_delay is not None and delay.exponential_delay is not None:
        yield here.at("exponentialDelay").error("W0106", "only one kind of delay can be set", at_key=True)
    if delay.exponential_delay is not None:
        yield here.at("exponentialDelay").unserved("exponentialDelay", "use fixedDelay")
    if delay.percent is not None:
        if not 0 <= delay.percent <= 100:
            yield here.at("percent").error("W0111", f"{delay.percent} is not a percentage", "use 0 to 100")
        yield here.at("percent").warning("W0119", "percent is deprecated", "use percentage.value", at_key=True)


def _check_abort(here: Here, abort: wire.Abort) -> Findings:
    yield from check_percent(here.at("percentage"), abort.percentage)
    kinds = [kind for kind in (abort.http_status, abort.grpc_status, abort.http2_error) if kind is not None]
    if len(kinds) > 1:
        yield here.error("W0106", "only one kind of error can be set")
    if abort.http_status is not None:
        yield from check_status(here.at("httpStatus"), abort.http_status)
    if abort.grpc_status is not None and abort.grpc_status not in GRPC_STATUS:
        advice = f"use one of {', '.join(GRPC_STATUS)}"
        yield here.at("grpcStatus").error("W0124", f'"{abort.grpc_status[:80]}" is no status of gRPC', advice)
    if abort.http2_error is not None:
        yield here.at("http2Error").unserved("http2Error", "use httpStatus or grpcStatus")


def check_cors(here: Here, cors: wire.CorsPolicy | None) -> Findings:
    """Istio's ``validateCORSPolicy``."""
    if cors is None:
        return
    for index, origin in enumerate(cors.allow_origins):
        if not any((origin.exact, origin.prefix, origin.regex)):
            yield here.at("allowOrigins", index).error("W0122", "the origin is empty")
        if origin.regex:
            yield from check_regex(here.at("allowOrigins", index, "regex"), origin.regex)
    for index, method in enumerate(cors.allow_methods):
        if method not in _METHODS:
            yield here.at("allowMethods", index).error("W0102", f'"{method[:80]}" is no method of HTTP')
    for field, names in (("allowHeaders", cors.allow_headers), ("exposeHeaders", cors.expose_headers)):
        for index, name in enumerate(names):
            yield from check_header_name(here.at(field, index), name)
    yield from check_duration(here.at("maxAge"), cors.max_age)
    if cors.max_age is not None and nanoseconds(cors.max_age) % _SECOND:
        yield here.at("maxAge").error("W0108", "maxAge is more precise than 1s", "use whole seconds")
