"""``weft explain``: what would happen to a request, in the configuration that the caller's sidecar has."""

import click
import msgspec

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.errors import Told, Usage
from weft.cli.talk import coloured, give

_MARK = {"ok": ("ok", "ok"), "failed": ("FAILED", "error"), "skipped": ("-", "note")}


@click.command()
@click.argument("caller", metavar="FROM")
@click.argument("method")
@click.argument("url")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header of the request.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@connected
def command(connection: Connection, caller: str, method: str, url: str, headers: tuple[str, ...], output: str) -> None:
    """Show what would happen to a request, step by step, and why.

    FROM is a service, a workload or the beginning of a sidecar's name:
    `weft explain web GET http://reviews:9080/reviews/1`. Ends with 1 if the request would fail.
    """
    asked = {"from": caller, "method": method.upper(), "url": url, "headers": [_header(text) for text in headers]}
    with Client(connection) as client:
        found = client.post("/weft/v1/explain", asked)
    if output == "json":
        give(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        give(f"{method.upper()} {url} from {found['proxy']}")
        for step in found["steps"]:
            _show(step)
        give(f"\n{found['outcome']}")
    if not found["ok"]:
        raise Told


def _show(step: dict[str, str | list[str]]) -> None:
    mark, colour = _MARK[str(step["state"])]
    give(f"  {coloured(mark.ljust(6), colour)}  {str(step['name']).ljust(13)}  {step['what']}")
    for detail in step["details"]:
        give(f"{'':25}{detail}")


def _header(text: str) -> list[str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise Usage(f"{text!r} is no header", help="write it as -H 'name: value'")
    return [name.strip().lower(), value.strip()]
