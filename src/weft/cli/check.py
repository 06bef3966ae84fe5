"""``weft check``: is the mesh well; each line one thing, and what to do about those that are not."""

from typing import Any

import click
import msgspec

from weft.cli.apply import FindingList
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import told
from weft.cli.errors import Told
from weft.cli.talk import coloured, give
from weft.kit.value import Value
from weft.model.finding import Severity

_TROUBLE = "see the control plane's log, and `weft audit shipping`"


class Result(Value):
    """One thing that was looked at: ``ok``, ``warning`` or ``error``."""

    state: str
    what: str
    help: str = ""


@click.command()
@click.option("--strict", is_flag=True, help="End with 3 if there are warnings.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@connected
def command(connection: Connection, strict: bool, output: str) -> None:
    """Check the control plane, the sidecars and the certificates."""
    with Client(connection) as client:
        results = [*_control_plane(client), *_proxies(client), *_documents(client)]
    if output == "json":
        give(msgspec.json.format(msgspec.json.encode(results), indent=2).decode())
    else:
        for result in results:
            _show(result)
    states = {result.state for result in results}
    if "error" in states or ("warning" in states and strict):
        raise Told(1 if "error" in states else 3)


def _show(result: Result) -> None:
    give(f"{coloured(result.state.ljust(7), result.state)}  {result.what}")
    if result.help:
        give(f"{'':9}{coloured('help')}: {result.help}")


def _control_plane(client: Client) -> list[Result]:
    status = client.get("/weft/v1/status")
    results = [
        Result(state="ok", what=f"the control plane answers: weft {status['version']}, revision {status['revision']}")
    ]
    if status["ready"]:
        results.append(
            Result(state="ok", what=f"it serves {status['services']} services, {status['workloads']} workloads")
        )
    else:
        results.append(Result(state="error", what="it is not ready", help="look at its log"))
    results += [Result(state="warning", what=trouble, help=_TROUBLE) for trouble in status.get("troubles", ())]
    return [*results, *(_certificate(one) for one in status["certificates"])]


def _certificate(one: dict[str, Any]) -> Result:
    what = f"the {one['kind']} {one['name']}" if one["kind"] != "server" else f"the certificate of {one['name']}"
    left = one["expiresIn"]
    if left <= 0:
        return Result(state="error", what=f"{what} has expired", help="see `weft ca status`")
    if one["worrying"]:
        return Result(state="warning", what=f"{what} ends in {told(left)}", help="see `weft ca status`")
    return Result(state="ok", what=f"{what} is good for {told(left)}")


def _proxies(client: Client) -> list[Result]:
    proxies = client.get("/weft/v1/proxies")["items"]
    if not proxies:
        return [Result(state="ok", what="no sidecar is connected")]
    results = []
    for proxy in proxies:
        states = {name: one["state"] for name, one in proxy["types"].items()}
        refused = [f"{name}: {proxy['types'][name]['message']}" for name, state in states.items() if state == "NACK"]
        late = [name for name, state in states.items() if state == "STALE"]
        if refused:
            help_ = f"see `weft proxy config {refused[0].partition(':')[0]} {proxy['name']}`"
            results.append(Result(state="error", what=f"{proxy['name']} refused its {'; '.join(refused)}", help=help_))
        elif late:
            results.append(Result(state="warning", what=f"{proxy['name']} has not accepted its {', '.join(late)} yet"))
    synced = len(proxies) - len(results)
    return [Result(state="ok", what=f"{synced} of {len(proxies)} sidecars have what they should"), *results]


def _documents(client: Client) -> list[Result]:
    found = msgspec.convert(client.get("/weft/v1/findings"), FindingList).findings
    told_ = [finding for finding in found if finding.severity is not Severity.NOTE]
    if not told_:
        return [Result(state="ok", what="nothing is wrong with the documents")]
    results = []
    for finding in told_:
        where = f" in {finding.document}" if finding.document else ""
        what = f"[{finding.code}] {finding.message}{where}"
        results.append(Result(state=finding.severity.value, what=what, help=finding.help))
    return results
