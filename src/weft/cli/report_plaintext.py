"""``weft report plaintext``: what is between a mesh that takes everybody and one that is STRICT."""

from collections.abc import Iterator
from typing import Any

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION, told
from weft.cli.listing import How, listing, repeat, written
from weft.cli.tables import table
from weft.cli.talk import give, say

_HEAD = ("service", "mtls", "calls", "plaintext", "strict would", "callers without a certificate")
_WORDS = {
    "strict": "be as it is",
    "ready": "break nobody",
    "breaks": "break them",
    "unknown": "-: no calls",
    "no sidecar": "do nothing",
}


@click.command()
@click.option("--since", type=DURATION, default="7d", show_default=True, help="How far back to count, 30d at most.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look in all of them.")
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The namespace to look in.")
@listing
@connected
def plaintext(connection: Connection, since: float, all_namespaces: bool, namespace: str, how: How) -> None:
    """Report who still calls in plaintext, and whom STRICT would turn away.

    Counts go back as far as --since; who it was, by address, is known for the last hour.
    """
    wanted = "" if all_namespaces else namespace
    params = {"sinceSeconds": f"{since:.3f}", **({"namespace": wanted} if wanted else {})}
    with Client(connection) as client:
        repeat(
            how, lambda: client.get("/weft/v1/reports/plaintext", **params), lambda one: _show(how, one, wanted, since)
        )


def _show(how: How, found: dict[str, Any], wanted: str, since: float) -> None:
    output = how.output
    items: list[dict[str, Any]] = found["items"]
    if output in ("json", "yaml"):
        give(written(found, output))
    elif output == "name":
        for one in items:
            give(_name(one))
    elif not items:
        say(f"no workloads{f' in namespace {wanted}' if wanted else ''}")
    else:
        give(table(_HEAD, [row for one in items for row in _rows(one, wide=output == "wide")]))
        _conclude(items, since)


def _name(one: dict[str, Any]) -> str:
    return f"{one['namespace']}/{one['service']}"


def _rows(one: dict[str, Any], *, wide: bool) -> Iterator[list[str]]:
    """A line for the service, and with ``wide`` one for each caller."""
    callers = one["callers"]
    first = [_name(one), one["mtls"], str(one["calls"]), str(one["plaintext"]), _WORDS[one["verdict"]]]
    if not wide:
        names = ", ".join(_caller(caller) for caller in callers[:3])
        more = f" and {len(callers) - 3} more" if len(callers) > 3 else ""
        yield [*first, (names + more) or ("not in the last hour" if one["plaintext"] else "-")]
        return
    lines = [_wide(caller) for caller in callers] or ["-"]
    yield [*first, lines[0]]
    for line in lines[1:]:
        yield ["", "", "", "", "", line]


def _caller(caller: dict[str, Any]) -> str:
    known = " or ".join(caller["workloads"])
    return f"{known} ({caller['address']})" if known else caller["address"]


def _wide(caller: dict[str, Any]) -> str:
    ports = ",".join(map(str, caller["ports"]))
    return f"{_caller(caller)}: {caller['calls']} calls of port {ports or '?'} {' '.join(caller['paths'])}".rstrip()


def _conclude(items: list[dict[str, Any]], since: float) -> None:
    ready = ", ".join(_name(one) for one in items if one["verdict"] == "ready")
    if ready:
        say(f"in the last {told(since)} nobody called {ready} in plaintext: PeerAuthentication may be STRICT")
    if any(one["verdict"] == "no sidecar" for one in items):
        say("workloads without a sidecar take plaintext whatever a PeerAuthentication says: start them by `weft run`")
