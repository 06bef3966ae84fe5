"""``weft tap``: live requests of a service, a workload, a namespace or an edge."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from weft.cli import live_names
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.errors import Usage
from weft.cli.listing import LISTED
from weft.cli.talk import say
from weft.cli.tapped import Item, Output, output_of
from weft.kit.value import Value

_UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}
_KINDS = {"svc": "service", "service": "service", "workload": "workload", "wl": "workload", "gateway": "workload"}
_LONGEST = 3600.0


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        digits = str(value).lower().removesuffix("b")
        unit = digits[-1:] if digits[-1:] in "km" else ""
        number = digits.removesuffix(unit) if unit else digits
        if not number.isdigit():
            self.fail(f"{value!r} is no size such as 500, 2k or 64k", param, ctx)
        return int(number) * _UNITS[unit]


@click.command()
@click.argument("target", required=False, default="", shell_complete=live_names.objects("services"))
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The namespace of the target.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Watch all of them; there is no target then.")
@click.option("--to", metavar="SERVICE", help="Watch what the target calls there, at the caller's side.")
@click.option("--from", "source", metavar="[NS/]NAME", help="Only calls of this workload or service.")
@click.option("--side", type=click.Choice(["in", "out"]), help="Where to watch: calls that arrive, or that leave.")
@click.option("--method", multiple=True, help="GET, POST, ...")
@click.option("--path", help="A path without its query; * stands for anything.")
@click.option("--host", help="The host that is asked for.")
@click.option("--status", multiple=True, help="404, 5xx or 500-503.")
@click.option("--header", "header", multiple=True, metavar="NAME[=VALUE]", help="A header that requests have.")
@click.option("--slower-than", type=DURATION, help="Only what took longer, such as 200ms.")
@click.option("--identity", metavar="SPIFFE_ID", help="The caller's; * stands for anything.")
@click.option("--route", help="The name of the route that was taken.")
@click.option("--headers", multiple=True, metavar="NAMES", help="Show these headers too: 'x-*,user-agent'.")
@click.option("--body", type=_Size(), default=0, metavar="SIZE", help="Show so much of bodies too: 2k; 64k at most.")
@click.option("-o", "--output", type=click.Choice([*LISTED, "har", "curl"]), default="table", show_default=True)
@click.option("--max", "most", type=click.IntRange(1), help="End after so many requests.")
@click.option("--for", "seconds", type=DURATION, help="End after so long; an hour if not said.")
@click.option("--record", type=click.Path(path_type=Path, dir_okay=False), help="Write what is seen to a file, too.")
@connected
def command(
    connection: Connection,
    target: str,
    namespace: str,
    all_namespaces: bool,
    output: str,
    record: Path | None,
    **said: Any,
) -> None:
    """Show live requests, as they pass.

    TARGET is a service (reviews), a workload (workload/reviews-v1), or nothing for the whole namespace. Sidecars look
    for requests only while somebody watches. Secrets are never shown, headers and bodies only when asked for.
    """
    if all_namespaces and target:
        raise Usage("a target is of a namespace", help="leave out -A, or the target")
    whole = record is not None or output in ("har", "curl")
    pairs = [*_place(target, "" if all_namespaces else namespace), *_filters(said, whole=whole)]
    shown = output_of(output, across=all_namespaces)
    with Client(connection) as client:
        lines = client.lines_of("/weft/v1/tap", pairs, accept="application/x-ndjson")
        try:
            _follow(_Recording(record, pairs) if record else None, shown, lines)
        finally:
            shown.end()


def _place(target: str, namespace: str) -> list[tuple[str, str]]:
    kind, _, name = target.rpartition("/")
    if kind and kind not in _KINDS:
        raise Usage(f"there is no {kind} to watch", help="write svc/NAME or workload/NAME")
    named = [(_KINDS[kind or "svc"], name)] if name else []
    return [("namespace", namespace), *named]


def _filters(said: dict[str, Any], *, whole: bool) -> list[tuple[str, str]]:
    """The parameters of the question. What is to be sent again needs all headers, if nothing else was said."""
    slower, seconds = said["slower_than"], said["seconds"]
    single = {
        "to": said["to"],
        "from": said["source"],
        "side": said["side"],
        "path": said["path"],
        "host": said["host"],
        "identity": said["identity"],
        "route": said["route"],
        "slowerThan": f"{slower * 1000:g}" if slower else None,
        "body": str(said["body"]) if said["body"] else None,
        "max": str(said["most"]) if said["most"] else None,
        "seconds": f"{min(seconds or _LONGEST, _LONGEST):g}",
    }
    several: dict[str, Sequence[str]] = {name: said[name] for name in ("method", "status", "header", "headers")}
    if whole and not several["headers"]:
        several["headers"] = ("*",)
    found = [(name, str(value)) for name, value in single.items() if value]
    return [*found, *((name, value) for name, values in several.items() for value in values)]


class _State(Value):
    """What is known of how it goes."""

    proxies: int = -1
    left_out: int = 0


def _follow(recording: "_Recording | None", output: Output, lines: Iterator[str]) -> None:
    state = _State()
    with recording or _Nowhere() as kept:
        for line in lines:
            item: Item = msgspec.json.decode(line)
            match item["type"]:
                case "state":
                    state = _told(state, item)
                case "end":
                    _told(state, item)
                    _ended(item["reason"])
                case _:
                    kept.write(line)
                    output.show(item)
                    sys.stdout.flush()


def _told(before: _State, item: Item) -> _State:
    """Say what is new: how many sidecars are watched, and that requests were left out."""
    now = _State(proxies=len(item["proxies"]), left_out=item["dropped"] + item["lost"])
    if now.proxies != before.proxies:
        many = "" if now.proxies == 1 else "s"
        say(
            f"watching {now.proxies} sidecar{many}"
            if now.proxies
            else "no sidecar of this is connected; waiting for one"
        )
    if now.left_out > before.left_out:
        say(f"{now.left_out - before.left_out} requests are left out: there are more than can be shown")
    return now


def _ended(reason: str) -> None:
    if reason == "no longer allowed":
        say("this is no longer allowed")
    elif reason == "time":
        say("the time is up")


class _Nowhere:
    """Keeps nothing."""

    def __enter__(self) -> "_Nowhere":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def write(self, line: str) -> None:
        """Forget a line."""


class _Recording(_Nowhere):
    """A file of what was seen: a head, then a line for each request; readable by its owner alone."""

    def __init__(self, path: Path, pairs: list[tuple[str, str]]) -> None:
        self._path = path
        self._head = {"type": "recording", "version": 1, "question": [list(pair) for pair in pairs]}

    def __enter__(self) -> "_Recording":
        self._path.touch(mode=0o600)
        self._file = self._path.open("wb")
        self._file.write(msgspec.json.encode(self._head) + b"\n")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, line: str) -> None:
        """Append a line."""
        self._file.write(line.encode() + b"\n")
