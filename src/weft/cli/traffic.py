"""What ``weft stat`` and ``weft edges`` have in common: their options and how numbers are written."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

import click
from msgspec.structs import replace

from weft.cli.client import Client
from weft.cli.connection import Connection
from weft.cli.durations import DURATION, told
from weft.cli.listing import How, Item, Shown, show
from weft.cli.moments import MOMENT
from weft.cli.selecting import SELECTOR, services_with
from weft.kit.value import Value

_F = TypeVar("_F", bound=Callable[..., Any])


class Asked(Value):
    """What the user asked for; ``namespace`` "" is all. ``at`` is in seconds since the epoch."""

    namespace: str
    window: float
    at: float | None
    output: str
    watch: bool
    selector: str = ""

    @property
    def params(self) -> dict[str, str]:
        """The question."""
        said = {
            "window": f"{self.window:g}",
            "namespace": self.namespace,
            "at": "" if self.at is None else f"{self.at}",
        }
        return {key: value for key, value in said.items() if value}

    @property
    def period(self) -> str:
        """The time that is looked at, in words."""
        if self.at is None:
            return f"in the last {told(self.window)}"
        end = datetime.fromtimestamp(self.at).astimezone().isoformat(sep=" ", timespec="seconds")
        return f"in the {told(self.window)} before {end}"


_PERIOD = (
    click.option(
        "--since", "--window", "window", type=DURATION, default="1m", show_default=True,
        help="How far back to look, 30d at most.",
    ),
    click.option("--at", type=MOMENT, help="The end of what is looked at: 2h (ago), 14:30, 2026-01-31T14:30:00Z. Now."),
    click.option("-A", "--all-namespaces", is_flag=True, help="Look in all of them."),
    click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The namespace to look in."),
)  # fmt: skip


def asking(outputs: Sequence[str], *, listed: bool = True) -> Callable[[_F], _F]:
    """The options of a command about traffic, which it gets as one ``asked``; by default it gives the first output.

    All can be watched; lists can be narrowed by labels, too, a picture cannot.
    """
    said = click.option("-o", "--output", type=click.Choice(outputs), default=outputs[0], show_default=True)
    watching = click.option("-w", "--watch", is_flag=True, help="Go on and show it anew, until Ctrl-C.")

    def wrap(command: _F) -> _F:
        @wraps(command)
        def asked(
            *arguments: Any,
            namespace: str,
            all_namespaces: bool,
            window: float,
            at: float | None,
            output: str,
            selector: str = "",
            watch: bool = False,
            **more: Any,
        ) -> Any:
            place = "" if all_namespaces else namespace
            question = Asked(namespace=place, window=window, at=at, output=output, watch=watch, selector=selector)
            return command(*arguments, asked=question, **more)

        for option in (watching, *([SELECTOR] if listed else []), said, *_PERIOD):
            asked = option(asked)
        return asked  # type: ignore[return-value]

    return wrap


Place = Callable[[Item], tuple[str, str]]
"""The namespace and name of the service that an item is about."""


def show_traffic(connection: Connection, path: str, asked: Asked, shown: Shown, of: Place, **more: str) -> None:
    """Ask and show, once or again and again; with a selector only what is about services with those labels."""
    where = f" in namespace {asked.namespace}" if asked.namespace else ""
    with Client(connection) as client:

        def ask() -> Any:
            answer = client.get(path, **asked.params, **more)
            if asked.selector:
                chosen = services_with(client, asked.selector, asked.namespace)
                answer["items"] = [one for one in answer["items"] if of(one) in chosen]
            return answer

        none = f"no traffic{where} {asked.period}"
        show(How(output=asked.output, watch=asked.watch), ask, replace(shown, none=none))


def percent(share: float | None) -> str:
    """A share as people read it."""
    return "-" if share is None else f"{share * 100:.2f}%"


def rate(calls: float) -> str:
    """Calls a second."""
    return f"{calls:.1f}rps" if calls < 1000 else f"{calls:.0f}rps"


def milliseconds(amount: float | None) -> str:
    """A latency."""
    if amount is None:
        return "-"
    return f"{amount:.1f}ms" if amount < 100 else f"{amount:.0f}ms" if amount < 10_000 else f"{amount / 1000:.1f}s"


def size(amount: int) -> str:
    """Bytes."""
    number = float(amount)
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f}{unit}" if unit == "B" else f"{number:.1f}{unit}"
        number /= 1024
    return f"{number:.1f}GiB"
