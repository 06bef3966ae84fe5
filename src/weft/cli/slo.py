"""``weft slo``: what services promise, how much of it is left, and writing a promise down as an OpenSLO document."""

import sys
import time
from typing import Any

import click
import msgspec
import yaml

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.errors import Usage
from weft.cli.tables import table
from weft.cli.talk import coloured, give, say

_EVERY = 2.0
_CLEAR = "\x1b[H\x1b[2J"
_COLOURS = {"met": "ok", "burning": "warning", "missed": "error", "no calls": "note"}
_NAMESPACE = click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The namespace.")
_OUTPUT = click.option("-o", "--output", type=click.Choice(["table", "wide", "json", "yaml", "name"]), default="table")


class _Listing(click.Group):
    """A group whose list is meant when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Listing)
def command() -> None:
    """Show what services promise and how much of it is left.

    `weft slo [SERVICE]` lists.
    """


@command.command("list")
@click.argument("service", required=False)
@_NAMESPACE
@click.option("-A", "--all-namespaces", is_flag=True, help="Look in all of them.")
@_OUTPUT
@click.option("-w", "--watch", is_flag=True, help="Go on and show it anew, until Ctrl-C.")
@connected
def listed(
    connection: Connection, service: str | None, namespace: str, all_namespaces: bool, output: str, watch: bool
) -> None:
    """List objectives: the target, what it is now, how much budget is left, and how fast it is used."""
    asked = {"namespace": "" if all_namespaces else namespace, "service": service or ""}
    with Client(connection) as client:
        while True:
            items = client.get("/weft/v1/slos", **asked)["items"]
            if watch and sys.stdout.isatty():
                sys.stdout.write(_CLEAR)
            _show(items, output, "there are no objectives" + ("" if all_namespaces else f" in {namespace}"), _table)
            if not watch:
                return
            time.sleep(_EVERY)


@command.command("alerts")
@click.option("--firing", is_flag=True, help="Only what goes on.")
@_OUTPUT
@connected
def alerts(connection: Connection, firing: bool, output: str) -> None:
    """List alerts of the last day, the newest first."""
    with Client(connection) as client:
        items = client.get("/weft/v1/alerts", firing="true" if firing else "")["items"]
    _show(items, output, "there are no alerts", _alerts)


@command.command("create")
@click.argument("service")
@_NAMESPACE
@click.option("--availability", type=float, metavar="PERCENT", help="Percent of the calls that succeed: 99.9.")
@click.option("--latency", metavar="TIME:PERCENT", help="Percent of the calls that take at most a time: 250ms:99.")
@click.option(
    "--window", default="30d", show_default=True, help="For how long: a number with m, h, d or w, 30d at most."
)
@click.option("--alert", "policies", multiple=True, metavar="POLICY", help="An AlertPolicy; else four burn rates.")
@click.option("--dry-run", is_flag=True, help="Print the documents, and apply nothing.")
@connected
def create(
    connection: Connection,
    service: str,
    namespace: str,
    availability: float | None,
    latency: str | None,
    window: str,
    policies: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Write down what a service promises, as documents of OpenSLO."""
    if availability is None and latency is None:
        raise Usage("nothing is promised", help="say --availability 99.9, or --latency 250ms:99")
    promised = {"availability": _available(service, availability)} if availability is not None else {}
    promised |= {"latency": _fast(service, latency)} if latency is not None else {}
    documents = [
        _document(
            f"{_plain(service)}-{name}", said, service=service, namespace=namespace, window=window, policies=policies
        )
        for name, said in promised.items()
    ]
    if dry_run:
        give(yaml.safe_dump_all(documents, sort_keys=False).rstrip())
        return
    with Client(connection) as client:
        for document in documents:
            _apply(client, document)


def _apply(client: Client, document: dict[str, Any]) -> None:
    metadata = document["metadata"]
    path = f"/apis/openslo/v1/namespaces/{metadata['namespace']}/slos/{metadata['name']}?fieldManager=weft&force=true"
    headers = {"Content-Type": "application/apply-patch+yaml"}
    answer = client.ask("PATCH", path, content=msgspec.json.encode(document), headers=headers)
    done = "created" if answer.status_code == 201 else "configured"
    give(f"slo.openslo/{metadata['name']} {done}")


def _document(
    name: str,
    said: tuple[dict[str, Any], dict[str, Any]],
    *,
    service: str,
    namespace: str,
    window: str,
    policies: tuple[str, ...],
) -> dict[str, Any]:
    indicator, objective = said
    spec: dict[str, Any] = {
        "service": service,
        "indicator": {"metadata": {"name": name}, "spec": indicator},
        "timeWindow": [{"duration": window, "isRolling": True}],
        "budgetingMethod": "Occurrences",
        "objectives": [objective],
    }
    if policies:
        spec["alertPolicies"] = [{"alertPolicyRef": one} for one in policies]
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "openslo/v1", "kind": "SLO", "metadata": metadata, "spec": spec}


def _available(service: str, percent: float) -> tuple[dict[str, Any], dict[str, Any]]:
    def calls(which: str) -> dict[str, Any]:
        return {"metricSource": {"type": "weft", "spec": {"service": service, "calls": which}}}

    return {"ratioMetric": {"good": calls("good"), "total": calls("all")}}, {"targetPercent": percent}


def _fast(service: str, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    taken, colon, percent = text.partition(":")
    try:
        share = float(percent)
        seconds = DURATION.convert(taken, None, None)
    except (ValueError, click.BadParameter):
        colon = ""
    if not colon:
        raise Usage(f"--latency {text} is no promise", help="write it as 250ms:99")
    source = {"type": "weft", "spec": {"service": service, "measure": "latency"}}
    objective = {"op": "lte", "value": round(seconds * 1000, 3), "targetPercent": share}
    return {"thresholdMetric": {"metricSource": source}}, objective


def _plain(service: str) -> str:
    return service.lower().replace("_", "-").strip(".-")


def _show(items: list[dict[str, Any]], output: str, nothing: str, shown: Any) -> None:
    match output:
        case "json":
            give(msgspec.json.format(msgspec.json.encode({"items": items})).decode())
        case "yaml":
            give(yaml.safe_dump({"items": items}, sort_keys=False).rstrip())
        case "name":
            for name in dict.fromkeys(f"{one['namespace']}/{one['name']}" for one in items):
                give(name)
        case _ if not items:
            say(nothing)
        case _:
            give(shown(items, output == "wide"))


def _table(items: list[dict[str, Any]], wide: bool) -> str:
    head = [
        "namespace",
        "name",
        "service",
        "objective",
        "window",
        "now",
        "budget left",
        "5m",
        "1h",
        "6h",
        "3d",
        "state",
    ]
    rows = []
    for one in items:
        burns = one["burnRates"]
        rows.append(
            [
                *(one["namespace"], one["name"], one["service"], _percent(one["target"]), one["window"]),
                *(_percent(one["sli"]), _percent(one["budgetLeft"], digits=1)),
                *(_times(burns.get(window)) for window in ("5m", "1h", "6h", "3d")),
                one["state"],
                *((f"{one['calls']:.0f}", f"{one['bad']:.0f}", ",".join(one["firing"]) or "-") if wide else ()),
            ]
        )
    lines = table([*head, *(("calls", "bad", "firing") if wide else ())], rows).splitlines()
    shown = [_tinted(line, one["state"]) for line, one in zip(lines[1:], items, strict=True)]
    return "\n".join([lines[0], *shown])


def _tinted(line: str, state: str) -> str:
    """The state in its colour; the widths stay."""
    before, found, after = line.rpartition(state)
    return f"{before}{coloured(state, _COLOURS[state])}{after}" if found else line


def _alerts(items: list[dict[str, Any]], wide: bool) -> str:
    head = ["began", "status", "severity", "kind", "namespace", "service", "summary"]
    rows = [
        [
            *(one["startsAt"][:19].replace("T", " "), one["status"], one["severity"], one["kind"]),
            *(one["namespace"] or "-", one["service"] or "-", one["summary"]),
            *((", ".join(f"{name}: {value}" for name, value in one["evidence"].items()),) if wide else ()),
        ]
        for one in items
    ]
    return table([*head, *(("evidence",) if wide else ())], rows)


def _percent(share: float | None, digits: int = 3) -> str:
    if share is None:
        return "-"
    text = f"{share * 100:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def _times(burn: float | None) -> str:
    return "-" if burn is None else f"{burn:.2f}x"
