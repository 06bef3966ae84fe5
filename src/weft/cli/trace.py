"""``weft trace``: find traces, read one as a waterfall, and see what of it is unlike its peers."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.listing import How, Shown, listing, tell
from weft.cli.listing import show as show_list
from weft.cli.live_names import traces
from weft.cli.selecting import SELECTOR, services_with
from weft.cli.tables import table
from weft.cli.talk import say
from weft.cli.trace_demands import start, started, stop
from weft.kit.response_flags import words_of

_WIDTH = 40


@click.group()
def command() -> None:
    """Find and read traces."""


command.add_command(start)
command.add_command(stop)
command.add_command(started)


@command.command("list")
@click.option("--service", default="", help="Only traces that enter this service.")
@click.option("--operation", default="", help="Only traces that enter a service by this operation.")
@click.option("--since", type=DURATION, default="1h", show_default=True, help="Only what began in this time.")
@click.option("--min", "least", type=DURATION, help="Only what took at least so long somewhere.")
@click.option("--max", "most", type=DURATION, help="Only what took at most so long somewhere.")
@click.option("--error", is_flag=True, help="Only traces in which something failed.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Only traces with a span that has this.")
@click.option("-n", "--namespace", default="", help="Only traces in which a service of this namespace takes part.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Of all namespaces, as without -n.")
@SELECTOR
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many.")
@listing
@connected
def listed(
    connection: Connection,
    service: str,
    operation: str,
    since: float,
    least: float | None,
    most: float | None,
    error: bool,
    tags: tuple[str, ...],
    namespace: str,
    all_namespaces: bool,
    selector: str,
    limit: int,
    how: How,
) -> None:
    """List traces, the newest first; with -l those in which a service with such labels takes part."""
    namespace = "" if all_namespaces else namespace
    asked = {"service": service, "operation": operation, "sinceSeconds": f"{since:.3f}", "limit": str(limit)}
    asked |= {"minMilliseconds": f"{least * 1000:.3f}"} if least else {}
    asked |= {"maxMilliseconds": f"{most * 1000:.3f}"} if most else {}
    asked |= {"error": "true"} if error else {}
    asked |= {"namespace": namespace} if namespace else {}
    query = [*asked.items(), *(("tag", tag) for tag in tags)]
    with Client(connection) as client:

        def ask() -> Any:
            chosen = services_with(client, selector, namespace) if selector else frozenset()
            if selector and not chosen:
                return {"items": []}
            among = (("among", f"{name}.{place}") for place, name in sorted(chosen))
            return client.get(f"/weft/v1/traces?{urlencode([*query, *among])}")

        show_list(how, ask, _TRACES)


@command.command("show")
@click.argument("trace", shell_complete=traces())
@click.option("--tags", is_flag=True, help="Show what each span says of itself.")
@listing
@connected
def show(connection: Connection, trace: str, tags: bool, how: How) -> None:
    """Show a trace as a waterfall. `-o wide` has the tags, too."""
    with Client(connection) as client:
        tell(
            how,
            lambda: client.get(f"/weft/v1/traces/{trace}"),
            lambda found: waterfall(found["spans"], tags=tags or how.output == "wide"),
            _named,
        )


@command.command("compare")
@click.argument("trace", shell_complete=traces())
@listing
@connected
def compare(connection: Connection, trace: str, how: How) -> None:
    """Show each span of a trace beside the same operation in traces that began alike."""
    with Client(connection) as client:
        tell(how, lambda: client.get(f"/weft/v1/traces/{trace}/comparison"), _compared, _named)


def _named(found: dict[str, Any]) -> list[str]:
    return [f"{one['service']} {one['name']}" for one in found["spans"]]


def _compared(found: dict[str, Any]) -> str:
    rows = [
        [
            *(one["service"], one["name"], _took(one["duration"]), _took(one["own"])),
            *(_took(one["median"]), _took(one["p95"]), str(one["peers"]), "slow" if one["slow"] else ""),
        ]
        for one in found["spans"]
    ]
    return table(["service", "operation", "took", "alone", "median", "p95", "peers", ""], rows)


@command.command("dependencies")
@click.option("--since", type=DURATION, default="1h", show_default=True, help="By traces of this time.")
@listing
@connected
def dependencies(connection: Connection, since: float, how: How) -> None:
    """Show which services call which, by the newest traces."""
    with Client(connection) as client:

        def ask() -> Any:
            return client.get("/weft/v1/traces/dependencies", sinceSeconds=f"{since:.3f}")

        show_list(how, ask, _CALLS, lambda found: say(f"by {found['traces']} traces"))


def waterfall(spans: list[dict[str, Any]], *, tags: bool = False) -> str:
    """Spans below their parents, with bars where in the trace's time they were. ``spans`` as the API has them."""
    begin = min(span["start"] for span in spans)
    length = max(1, max(span["start"] + span["duration"] for span in spans) - begin)
    lines: list[list[str]] = []
    for depth, span in _tree(spans):
        first = round((span["start"] - begin) / length * _WIDTH)
        bar = max(1, round(span["duration"] / length * _WIDTH))
        name = f"{'  ' * depth}{span['service']} {span['name']}{' !' if span['error'] else ''}{_why(span)}"
        lines.append([name, _took(span["duration"]), (" " * min(first, _WIDTH - 1) + "━" * bar)[:_WIDTH]])
        if tags:
            lines += [[f"{'  ' * depth}    {key}={value}", "", ""] for key, value in sorted(span["attributes"].items())]
    return table(["span", "took", ""], lines)


def _why(span: dict[str, Any]) -> str:
    """What Envoy's flags say of a call, in words."""
    words = words_of(span["attributes"].get("response_flags", ""))
    return f" ({words})" if words else ""


def _tree(spans: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Depth first; a span whose parent is not there stands at the top, and circles are cut."""
    ids = {span["id"] for span in spans}
    children: dict[str, list[dict[str, Any]]] = {}
    for span in spans:
        parent = span["parent"] if span["parent"] in ids else ""
        children.setdefault(parent, []).append(span)
    ordered: list[tuple[int, dict[str, Any]]] = []
    stack = [(0, span) for span in reversed(children.pop("", []))]
    while stack or children:
        depth, span = stack.pop() if stack else (0, children.pop(next(iter(children)))[0])
        ordered.append((depth, span))
        stack += [(depth + 1, child) for child in reversed(children.pop(span["id"], []))]
    return ordered


def _row(one: dict[str, Any]) -> list[str]:
    began = datetime.fromtimestamp(one["start"] / 1e6).astimezone().strftime("%H:%M:%S.%f")[:-3]
    return [
        *(one["id"], began, one["service"], one["name"], _took(one["duration"])),
        *(str(one["spans"]), str(one["errors"])),
    ]


def _took(microseconds: float | None) -> str:
    if microseconds is None:
        return "-"
    if microseconds < 1000:
        return f"{microseconds:.0f}us"
    return f"{microseconds / 1000:.1f}ms" if microseconds < 1_000_000 else f"{microseconds / 1e6:.2f}s"


_TRACES = Shown(
    name=lambda one: _row(one)[0],
    head=("trace", "began", "service", "operation", "took", "spans", "errors"),
    cells=_row,
    none="there are no such traces",
)
_CALLS = Shown(
    name=lambda one: f"{one['caller']} -> {one['callee']}",
    head=("caller", "callee", "calls", "errors"),
    cells=lambda one: [one["caller"], one["callee"], str(one["calls"]), str(one["errors"])],
    none="no trace shows a call",
)
