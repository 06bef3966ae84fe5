"""``weft slo``: what services promise, how much of it is left, and writing a promise down as an OpenSLO document."""

from typing import Any

import click
import msgspec
import yaml
from msgspec.structs import replace

from weft.cli import live_names
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.errors import Usage
from weft.cli.listing import How, Item, Shown, Where, listing, namespace_of, placed, show
from weft.cli.selecting import SELECTOR, services_with
from weft.cli.talk import give

_NAMESPACE = click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The namespace.")


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
@click.argument("service", required=False, shell_complete=live_names.objects("services"))
@_NAMESPACE
@click.option("-A", "--all-namespaces", is_flag=True, help="Look in all of them.")
@SELECTOR
@listing
@connected
def listed(
    connection: Connection, service: str | None, namespace: str, all_namespaces: bool, selector: str, how: How
) -> None:
    """List objectives: the target, what it is now, how much budget is left, and how fast it is used."""
    asked = {"namespace": "" if all_namespaces else namespace, "service": service or ""}
    none = "there are no objectives" + ("" if all_namespaces else f" in {namespace}")
    with Client(connection) as client:

        def ask() -> Any:
            answer = client.get("/weft/v1/slos", **asked)
            if selector:
                chosen = services_with(client, selector, asked["namespace"])
                answer["items"] = [one for one in answer["items"] if (one["namespace"], one["service"]) in chosen]
            return answer

        show(how, ask, replace(_OBJECTIVES, none=none))


@command.command("alerts")
@click.option("--firing", is_flag=True, help="Only what goes on.")
@placed
@listing
@connected
def alerts(connection: Connection, firing: bool, where: Where, how: How) -> None:
    """List alerts of the last day, the newest first."""
    with Client(connection) as client:
        asked = {"firing": "true" if firing else ""}
        show(how, lambda: where.kept(client.get("/weft/v1/alerts", **asked), namespace_of), _ALERTS)


@command.command("create")
@click.argument("service", shell_complete=live_names.objects("services"))
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


def _full(item: Item) -> str:
    return f"{item['namespace']}/{item['name']}"


def _objective(one: Item) -> list[str]:
    burns = one["burnRates"]
    return [
        *(one["namespace"], one["name"], one["service"], _percent(one["target"]), one["window"]),
        *(_percent(one["sli"]), _percent(one["budgetLeft"], digits=1)),
        *(_times(burns.get(window)) for window in _BURNS),
        one["state"],
    ]


def _alert(one: Item) -> list[str]:
    return [
        *(one["startsAt"][:19].replace("T", " "), one["status"], one["severity"], one["kind"]),
        *(one["namespace"] or "-", one["service"] or "-", one["summary"]),
    ]


def _percent(share: float | None, digits: int = 3) -> str:
    if share is None:
        return "-"
    text = f"{share * 100:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def _times(burn: float | None) -> str:
    return "-" if burn is None else f"{burn:.2f}x"


_BURNS = ("5m", "1h", "6h", "3d")
_OBJECTIVES = Shown(
    name=_full,
    head=("namespace", "name", "service", "objective", "window", "now", "budget left", *_BURNS, "state"),
    cells=_objective,
    wide_head=("calls", "bad", "firing"),
    wide_cells=lambda one: [f"{one['calls']:.0f}", f"{one['bad']:.0f}", ",".join(one["firing"]) or "-"],
    colours={"met": "ok", "burning": "warning", "missed": "error", "no calls": "note"},
)
_ALERTS = Shown(
    name=_full,
    head=("began", "status", "severity", "kind", "namespace", "service", "summary"),
    cells=_alert,
    wide_head=("evidence",),
    wide_cells=lambda one: [", ".join(f"{name}: {value}" for name, value in one["evidence"].items())],
    none="there are no alerts",
)
