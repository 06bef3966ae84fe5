"""The options of the resolver beside an application."""

from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address
from typing import Any, TypeVar

import click

from weft.agent.config import DnsConfig
from weft.cli.errors import Usage

_F = TypeVar("_F", bound=Callable[..., Any])
_PORT = 53


def dns_options(function: _F) -> _F:
    """Add the options; the command gets ``dns``: ``None`` where there is to be no resolver. It goes with capture."""

    @click.option("--dns/--no-dns", "wanted", default=None, help="Resolve names of the mesh; default: with --capture.")
    @click.option(
        "--dns-port", type=click.IntRange(0, 65535), default=0, help="Its port; default: 15053, or a free one."
    )
    @click.option("--dns-server", "servers", multiple=True, metavar="ADDRESS[:PORT]", help="Who knows other names.")
    @wraps(function)
    def command(*, wanted: bool | None, dns_port: int, servers: tuple[str, ...], **options: Any) -> Any:
        chosen = options.get("capture") is not None if wanted is None else wanted
        dns = DnsConfig(port=dns_port, servers=tuple(_server(text) for text in servers)) if chosen else None
        return function(dns=dns, **options)

    return command  # type: ignore[return-value]


def _server(text: str) -> tuple[str, int]:
    """Read ``192.0.2.1``, ``192.0.2.1:5353`` or ``[2001:db8::1]:53``. Raises ``Usage``."""
    address, port = text, str(_PORT)
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        ip_address(address)
        number = int(port)
    except ValueError:
        raise Usage(f"{text!r} is no resolver", help="write --dns-server ADDRESS[:PORT]") from None
    if not 0 < number < 65536:
        raise Usage(f"{text!r} has no port number", help="write --dns-server ADDRESS[:PORT]")
    return address, number
