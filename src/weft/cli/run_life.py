"""Options of ``weft run`` about a workload's life: when it is ready, how it drains, how its Envoy is replaced."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from weft.cli.durations import DURATION

_F = TypeVar("_F", bound=Callable[..., Any])
_PORT, _OVERLAP, _HOLD = click.IntRange(0, 65535), click.FloatRange(2, 3600), click.FloatRange(0, 60)


def life_options(function: _F) -> _F:
    """Add the options; the command gets a ``life``: fields of an ``AgentConfig``."""

    @click.option("--status-port", type=_PORT, default=0, help="Where /healthz/ready and /healthz/live are answered.")
    @click.option("--no-wait", is_flag=True, help="Start the application before its sidecar is ready.")
    @click.option(
        "--overlap-seconds", type=_OVERLAP, default=30.0, show_default=True,
        help="How long an Envoy lives on that was replaced.",
    )  # fmt: skip
    @click.option(
        "--flap-hold", type=_HOLD, default=5.0, show_default=True,
        help="How long an application that flaps is not believed, at first; 0: never.",
    )  # fmt: skip
    @click.option("--health-interval", type=DURATION, help="The time between two checks; default: 2s.")
    @click.option(
        "--health-timeout", type=DURATION,
        help="How long an answer to a check may take; default: 1s. Three in a row that take longer make it ill.",
    )  # fmt: skip
    @wraps(function)
    def command(**options: Any) -> Any:
        life = {
            "status_port": options.pop("status_port"),
            "wait": not options.pop("no_wait"),
            "overlap_seconds": options.pop("overlap_seconds"),
            "flap_seconds": options.pop("flap_hold"),
            "health_interval": options.pop("health_interval") or 0.0,
            "health_timeout": options.pop("health_timeout") or 0.0,
        }
        return function(life=life, **options)

    return command  # type: ignore[return-value]
