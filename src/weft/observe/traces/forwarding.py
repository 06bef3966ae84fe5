"""Spans on to another backend that speaks OTLP over HTTP: Jaeger, Tempo, a collector.

What waits is bounded in number and in bytes, for one export may have megabytes.
"""

from weft.kit.errors import UserError
from weft.observe.shipping.collector import OtlpChannel, Signal
from weft.observe.shipping.destination import TRACES, destination_of
from weft.observe.shipping.shipper import Shipper

_WAITING = 2_000
_HELP = "write otlp+https://HOST:4318 or otlp+http://HOST:4318"
# Exports are messages of repeated fields alone: their bytes, one after the other, are one export of all.
_SIGNAL = Signal(name="traces", kind="application/x-protobuf", encode=b"".join)


def span_shipper(address: str) -> Shipper:
    """What takes exports as bytes and ships them. Raises ``UserError`` for an address that is none."""
    destination = destination_of(address, TRACES)
    if not destination.scheme.startswith("otlp"):
        raise UserError(f"{address} is no place to send spans to", help=_HELP)
    return Shipper(destination.told, OtlpChannel(destination, _SIGNAL), most=_WAITING, what="what was traced")
