"""The options that say which connections of an application are captured."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from weft.agent.capture.config import CaptureConfig, Mechanism, Scope, parse_cidrs, parse_ports
from weft.cli.errors import Usage

_F = TypeVar("_F", bound=Callable[..., Any])
_MECHANISMS = tuple(one.value for one in Mechanism)
_PORTS = ("include_outbound_ports", "exclude_outbound_ports", "exclude_inbound_ports")
_CIDRS = ("include_outbound_cidrs", "exclude_outbound_cidrs")


def capture_options(function: _F) -> _F:
    """Add the options; the command gets ``run_as`` and ``capture``, the latter ``None`` where it is not asked for."""
    return _options(None)(function)


def plan_options(function: _F) -> _F:
    """Add the same options for a command that is about capture anyway."""
    return _options(Scope.AUTO)(function)


def _options(default: Scope | None) -> Callable[[_F], _F]:
    """``default`` is meant where ``--capture`` is not given."""
    capture = click.option(
        "--capture",
        type=click.Choice([one.value for one in Scope]),
        is_flag=False,
        flag_value=Scope.AUTO.value,
        default=default.value if default else None,
        help="Turn its connections to the sidecar, known by this: the application needs no change.",
    )

    def decorate(function: _F) -> _F:
        @capture
        @click.option("--run-as", default="", metavar="USER", help="The user that the application runs as.")
        @click.option("--include-outbound-ports", default="", metavar="PORTS", help="Capture only calls to these.")
        @click.option("--exclude-outbound-ports", default="", metavar="PORTS", help="Capture none to these (and 22).")
        @click.option("--include-outbound-cidrs", default="", metavar="CIDRS", help="Capture only calls to these.")
        @click.option("--exclude-outbound-cidrs", default="", metavar="CIDRS", help="Capture no calls to these.")
        @click.option("--include-inbound-ports", default="", metavar="PORTS|*", help="Of its own; default: all --port.")
        @click.option("--exclude-inbound-ports", default="", metavar="PORTS", help="Of its own, not these (nor 22).")
        @click.option("--capture-at", "at", multiple=True, metavar="ADDRESS", help="Only calls to this own address.")
        @click.option(
            "--capture-with", "mechanism", type=click.Choice([one.value for one in Mechanism]), default="auto"
        )
        @wraps(function)
        def command(**options: Any) -> Any:
            names = (*_PORTS, *_CIDRS, "include_inbound_ports", "at", "mechanism", "capture")
            return function(capture=_capture({name: options.pop(name) for name in names}), **options)

        return command  # type: ignore[return-value]

    return decorate


def _capture(options: dict[str, Any]) -> CaptureConfig | None:
    scope, mechanism = options.pop("capture"), options.pop("mechanism")
    if scope is None:
        given = [name for name, value in options.items() if value]
        if given:
            option = "--capture-at" if given[0] == "at" else f"--{given[0].replace('_', '-')}"
            raise Usage(f"{option} says nothing without --capture", help="add --capture, or leave it out")
        return None
    inbound = options["include_inbound_ports"]
    return CaptureConfig(
        scope=Scope(scope),
        mechanism=Mechanism(mechanism),
        include_inbound_ports=() if inbound == "*" else parse_ports(inbound, "--include-inbound-ports"),
        every_inbound=inbound == "*",
        at=tuple(_address(one) for one in options["at"]),
        include_outbound_ports=parse_ports(options["include_outbound_ports"], "--include-outbound-ports"),
        exclude_outbound_ports=parse_ports(options["exclude_outbound_ports"], "--exclude-outbound-ports"),
        include_outbound_cidrs=parse_cidrs(options["include_outbound_cidrs"], "--include-outbound-cidrs"),
        exclude_outbound_cidrs=parse_cidrs(options["exclude_outbound_cidrs"], "--exclude-outbound-cidrs"),
        exclude_inbound_ports=parse_ports(options["exclude_inbound_ports"], "--exclude-inbound-ports"),
    )


def _address(text: str) -> str:
    (found,) = parse_cidrs(text, "--capture-at") or ("",)
    address, _, width = found.partition("/")
    if width not in ("32", "128"):
        raise Usage(f"{text!r} is no address", help="--capture-at takes an address of this host")
    return address
