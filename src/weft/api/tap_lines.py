"""Exchanges as lines of JSON: what ``/weft/v1/tap`` answers, and what recordings are made of."""

from typing import Any

import msgspec

from weft.kit.response_flags import words_of
from weft.model.tap import Content, End, Exchange, Message


def exchange_json(seen: Exchange) -> dict[str, Any]:
    """A request and its answer, or a connection; what is not known is left out. Times are milliseconds."""
    shared: dict[str, Any] = {
        "type": "request" if seen.method else "connection",
        "at": seen.at,
        "proxy": seen.proxy,
        "side": seen.side.value,
        "source": _end(seen.source),
        "destination": _end(seen.destination),
        "service": seen.service,
        "protocol": seen.protocol,
        "milliseconds": round(seen.duration, 3),
        "flags": list(seen.flags),
        "reason": "; ".join(words_of(flag) for flag in seen.flags),
        "detail": seen.detail,
        "mutualTls": seen.mutual,
        "tlsVersion": seen.tls,
        "requestBytes": seen.request.size,
        "responseBytes": seen.response.size,
    }
    if not seen.method:
        return shared | {"phase": seen.phase}
    asked: dict[str, Any] = {
        "method": seen.method,
        "scheme": seen.scheme,
        "authority": seen.authority,
        "path": seen.path,
        "status": seen.status,
        "grpcStatus": seen.grpc,
        "route": seen.route,
        "attempts": seen.attempts,
        "verdicts": list(seen.verdicts),
        "requestId": seen.request_id,
        "traceId": seen.trace_id,
    }
    return shared | asked | _message("request", seen.request) | _message("response", seen.response)


def _end(end: End) -> dict[str, str]:
    return {
        "workload": end.workload,
        "namespace": end.namespace,
        "service": end.service,
        "identity": end.identity,
        "address": end.address,
    }


def _message(which: str, message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if message.headers:
        found[f"{which}Headers"] = [list(pair) for pair in message.headers]
    if message.body is not None:
        found[f"{which}Body"] = _body(message.body)
    return found


def _body(body: Content) -> dict[str, Any]:
    """Text where it is text, else base64."""
    try:
        text = body.data.decode("utf-8", "ignore" if body.cut else "strict")
    except UnicodeDecodeError:
        return {"base64": msgspec.json.decode(msgspec.json.encode(body.data)), "cut": body.cut}
    return {"text": text, "cut": body.cut}
