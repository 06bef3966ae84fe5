"""Lines as log records of OpenTelemetry: OTLP over HTTP, as JSON (opentelemetry.io, "OTLP/HTTP").

``OTEL_EXPORTER_OTLP_LOGS_HEADERS`` and ``OTEL_EXPORTER_OTLP_HEADERS`` are sent with every request, so that keys stand
in no command line.
"""

import json
import os
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import httpx2

from weft.kit.clock import Clock
from weft.observe.shipping.destination import Destination
from weft.observe.shipping.shipper import Refused, Undelivered

_TIMEOUT = httpx2.Timeout(8.0)
_LATER = (408, 429, 502, 503, 504)
_INFO, _WARN = (9, "INFO"), (13, "WARN")
_FACTS = {
    "verb": "weft.audit.verb",
    "outcome": "weft.audit.outcome",
    "who": "enduser.id",
    "source": "client.address",
    "resource": "weft.audit.resource",
    "namespace": "weft.audit.namespace",
    "name": "weft.audit.name",
}


class OtlpChannel:
    """A client of a collector."""

    def __init__(self, destination: Destination, clock: Clock) -> None:
        self._clock = clock
        scheme = destination.scheme.removeprefix("otlp+")
        self._url = destination.told.replace(destination.scheme, scheme, 1)
        self._tls = destination.tls()
        self._http: httpx2.AsyncClient | None = None

    async def send(self, lines: tuple[bytes, ...]) -> None:
        """Deliver lines. Raises ``Undelivered`` and ``Refused``."""
        if self._http is None:
            self._http = httpx2.AsyncClient(
                verify=self._tls, timeout=_TIMEOUT, trust_env=False, headers=_headers(dict(os.environ))
            )
        try:
            answer = await self._http.post(self._url, json=request_of(lines, self._clock.now()))
        except httpx2.TransportError as wrong:
            raise Undelivered(str(wrong) or "the connection failed") from wrong
        if answer.status_code in _LATER:
            raise Undelivered(f"the collector answered {answer.status_code}")
        if not answer.is_success:
            raise Refused(f"the collector answered {answer.status_code}")

    async def close(self) -> None:
        """Let go of connections."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()


def request_of(lines: tuple[bytes, ...], now: float) -> dict[str, Any]:
    """An ``ExportLogsServiceRequest``."""
    resource = {"attributes": [_attribute("service.name", "weft")]}
    logs = {"scope": {"name": "weft.audit"}, "logRecords": [_record(line, now) for line in lines]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [logs]}]}


def _record(line: bytes, now: float) -> dict[str, Any]:
    entry = json.loads(line)
    number, text = _WARN if entry.get("outcome") == "denied" else _INFO
    at = datetime.fromisoformat(entry["time"]).timestamp()
    return {
        "timeUnixNano": str(int(at * 1_000_000_000)),
        "observedTimeUnixNano": str(int(now * 1_000_000_000)),
        "severityNumber": number,
        "severityText": text,
        "body": {"stringValue": line.decode().rstrip("\n")},
        "attributes": [_attribute(name, str(entry[key])) for key, name in _FACTS.items() if entry.get(key)],
    }


def _attribute(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}


def _headers(environment: dict[str, str]) -> dict[str, str]:
    """``key=value`` pairs with commas, values percent-encoded (OpenTelemetry, "Specifying headers")."""
    text = environment.get("OTEL_EXPORTER_OTLP_LOGS_HEADERS") or environment.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}
