"""``weft explain``: what would happen to a request, in the configuration that the caller's sidecar has, and why."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import msgspec

from weft.cli import live_names
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.errors import Told, Usage
from weft.cli.listing import How, Shown, give_items, listing_as, repeat
from weft.cli.manifests import Manifest, manifests_of, with_files
from weft.cli.talk import coloured, give
from weft.model.document import Key, Place
from weft.model.finding import field_path

_MARK = {"ok": ("ok", "ok"), "failed": ("FAILED", "error"), "skipped": ("-", "note")}


class Step(msgspec.Struct):
    """One step, as ``/weft/v1/explain`` tells it."""

    name: str
    what: str
    state: str
    details: tuple[str, ...] = ()
    causes: tuple[Place, ...] = ()


@click.command()
@click.argument("caller", metavar="FROM", shell_complete=live_names.workloads())
@click.argument("method", shell_complete=live_names.METHODS)
@click.argument("url")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header of the request.")
@with_files
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="For documents that name none.")
@listing_as("text")
@connected
def command(
    connection: Connection,
    caller: str,
    method: str,
    url: str,
    headers: tuple[str, ...],
    names: tuple[str, ...],
    recursive: bool,
    namespace: str,
    how: How,
) -> None:
    """Show what would happen to a request, step by step, and why.

    FROM is a service, a workload or the beginning of a sidecar's name:
    `weft explain web GET http://reviews:9080/reviews/1`. Each step names the document that causes it; with -f, its
    file and line too. Ends with 1 if the request would fail.
    """
    asked = {"from": caller, "method": method.upper(), "url": url, "headers": [_header(text) for text in headers]}
    files = _by_key(manifests_of(names, recursive=recursive), namespace) if names else {}
    with Client(connection) as client:
        found = repeat(how, lambda: client.post("/weft/v1/explain", asked), lambda one: _tell(how, one, asked, files))
    if not found["ok"]:
        raise Told


def _tell(how: How, found: dict[str, Any], asked: dict[str, Any], files: Mapping[Key, Manifest]) -> None:
    if how.output != "text":
        give_items(how, _with_lines(found, files), _STEPS, found["steps"])
        return
    give(f"{asked['method']} {asked['url']} from {found['proxy']}")
    for step in msgspec.convert(found["steps"], list[Step]):
        _show(step, files)
    give(f"\n{found['outcome']}")


def _show(step: Step, files: Mapping[Key, Manifest]) -> None:
    mark, colour = _MARK[step.state]
    give(f"  {coloured(mark.ljust(6), colour)}  {step.name.ljust(13)}  {step.what}")
    for detail in step.details:
        give(f"{'':25}{detail}")
    for cause in step.causes:
        give(f"{'':25}{coloured('because of', 'note')} {_told(cause, files)}")


def _told(cause: Place, files: Mapping[Key, Manifest]) -> str:
    """The document and the field; the file and line where the file is given and has the field."""
    told = f"{cause.document} {field_path(cause.path)}".rstrip()
    line = _line(cause, files)
    return f"{told} ({line})" if line else told


def _line(cause: Place, files: Mapping[Key, Manifest]) -> str:
    manifest = files.get(cause.document)
    if manifest is None:
        return ""
    place = manifest.yaml.place((*manifest.root, *cause.path), at_key=True)
    return f"{manifest.source.name}:{place.line}"


def _with_lines(found: dict[str, Any], files: Mapping[Key, Manifest]) -> dict[str, Any]:
    for step in found["steps"]:
        for cause, place in zip(step["causes"], msgspec.convert(step["causes"], tuple[Place, ...]), strict=True):
            cause["line"] = _line(place, files)
    return found


def _by_key(manifests: Sequence[Manifest], namespace: str) -> dict[Key, Manifest]:
    return dict(_keyed(manifests, namespace))


def _keyed(manifests: Sequence[Manifest], namespace: str) -> Iterator[tuple[Key, Manifest]]:
    for manifest in manifests:
        group = manifest.api_version.rpartition("/")[0]
        place = manifest.namespace or namespace
        yield Key(group=group, kind=manifest.kind, namespace=place, name=manifest.name), manifest


def _header(text: str) -> list[str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise Usage(f"{text!r} is no header", help="write it as -H 'name: value'")
    return [name.strip().lower(), value.strip()]


_STEPS = Shown(
    name=lambda one: str(one["name"]),
    head=("step", "state", "what"),
    cells=lambda one: [one["name"], one["state"], one["what"]],
    wide_head=("details",),
    wide_cells=lambda one: ["; ".join(one["details"]) or "-"],
    colours={word: colour for word, (_, colour) in _MARK.items()},
)
