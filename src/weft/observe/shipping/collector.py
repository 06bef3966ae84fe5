"""A collector of OpenTelemetry, over HTTP (opentelemetry.io, "OTLP/HTTP").

``OTEL_EXPORTER_OTLP_HEADERS``, or the variable of the signal (``OTEL_EXPORTER_OTLP_TRACES_HEADERS``), is sent with
every request, so that keys stand in no command line.
"""

import os
from collections.abc import Callable
from urllib.parse import unquote

import httpx2

from weft.kit.value import Value
from weft.observe.shipping.destination import Destination
from weft.observe.shipping.shipper import Refused, Undelivered

_TIMEOUT = httpx2.Timeout(8.0)
_LATER = (408, 429, 502, 503, 504)


class Signal(Value):
    """What is sent: ``name`` is ``logs`` or ``traces``, ``kind`` the content type of what ``encode`` makes of lines."""

    name: str
    kind: str
    encode: Callable[[tuple[bytes, ...]], bytes]


class OtlpChannel:
    """A client of a collector, for one signal."""

    def __init__(self, destination: Destination, signal: Signal) -> None:
        self._signal = signal
        scheme = destination.scheme.removeprefix("otlp+")
        self._url = destination.told.replace(destination.scheme, scheme, 1)
        self._tls = destination.tls()
        self._http: httpx2.AsyncClient | None = None

    async def send(self, lines: tuple[bytes, ...]) -> None:
        """Deliver lines. Raises ``Undelivered`` and ``Refused``."""
        if self._http is None:
            self._http = httpx2.AsyncClient(
                verify=self._tls,
                timeout=_TIMEOUT,
                trust_env=False,
                headers={**_headers(self._signal.name, dict(os.environ)), "Content-Type": self._signal.kind},
            )
        try:
            answer = await self._http.post(self._url, content=self._signal.encode(lines))
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


def _headers(signal: str, environment: dict[str, str]) -> dict[str, str]:
    """``key=value`` pairs with commas, values percent-encoded (OpenTelemetry, "Specifying headers")."""
    text = environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_HEADERS") or environment.get(
        "OTEL_EXPORTER_OTLP_HEADERS", ""
    )
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}
