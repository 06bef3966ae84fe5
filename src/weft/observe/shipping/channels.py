"""Destinations as shippers: the one place that knows every way to ship."""

from weft.kit.clock import Clock
from weft.observe.shipping.destination import Destination
from weft.observe.shipping.shipper import Channel, Shipper


def shipper_of(destination: Destination, clock: Clock) -> Shipper:
    """A shipper for a destination. Raises ``UserError`` for files that cannot be used."""
    return Shipper(destination.told, _channel(destination, clock))


def _channel(destination: Destination, clock: Clock) -> Channel:
    if destination.scheme.startswith("otlp"):
        from weft.observe.shipping.collector import OtlpChannel
        from weft.observe.shipping.otlp import audit_signal

        return OtlpChannel(destination, audit_signal(clock))
    from weft.observe.shipping.syslog import SyslogChannel

    return SyslogChannel(destination, clock)
