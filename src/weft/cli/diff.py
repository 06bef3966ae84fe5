"""``weft diff``: which sidecars, listeners, routes, clusters and endpoints files would change, before they do."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from weft.cli.apply import APPLY, told_refusal
from weft.cli.check_files import stored_form
from weft.cli.client import Client, Refused
from weft.cli.connection import Connection, connection_of
from weft.cli.errors import Told
from weft.cli.findings import tell
from weft.cli.kinds import Kinds
from weft.cli.listing import How, Item, Shown, give_items, listing_as
from weft.cli.located import Located, located
from weft.cli.manifests import Manifest, manifests_of, with_files
from weft.cli.talk import give, say
from weft.kit.errors import UserError
from weft.model.finding import Finding

_FAILED = 2
_MARKS = {"added": "+", "removed": "-", "changed": "~"}


class Change(msgspec.Struct, frozen=True):
    """One resource of a sidecar, as ``/weft/v1/diff`` tells it."""

    kind: str
    name: str
    change: str
    parts: tuple[str, ...] = ()
    text: str = ""


class Proxy(msgspec.Struct, frozen=True):
    """A sidecar and what would change of it."""

    name: str
    changes: tuple[Change, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """All sidecars, and what the mesh would say of the change."""

    proxies: tuple[Proxy, ...] = ()
    findings: tuple[Finding, ...] = ()


@click.command()
@with_files
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="For documents that name none.")
@click.option("--show", is_flag=True, help="Also the resources themselves, as unified diffs.")
@click.option("--against", metavar="DIR", help="Compare with the documents of a directory, without a control plane.")
@listing_as("text", watched=False)
@click.option("--server", envvar="WEFT_ADDR", metavar="URL", help="The control plane. [env: WEFT_ADDR]")
@click.option("--token-file", envvar="WEFT_TOKEN_FILE", type=click.Path(path_type=Path), help="File of the token.")
@click.option("--ca-file", envvar="WEFT_CA_FILE", type=click.Path(path_type=Path), help="Whom to trust, as PEM.")
def command(
    names: tuple[str, ...],
    recursive: bool,
    namespace: str,
    show: bool,
    against: str | None,
    how: How,
    **connection: Any,
) -> None:
    """Show what files would change of every sidecar's configuration.

    Nothing is written. Ends with 0 if nothing would change, with 1 if something would, and higher if it cannot be told.
    """
    try:
        manifests = manifests_of(names, recursive=recursive)
        if against is not None:
            answer = _offline(manifests, against, namespace, show=show)
        else:
            answer = _online(manifests, connection_of(**connection), namespace, show=show)
    except UserError as error:
        error.exit_code = max(error.exit_code, _FAILED)
        raise
    if how.output != "text":
        give_items(how, msgspec.to_builtins(answer), _SHOWN, _items(answer))
    else:
        _show(answer, {one.name: one for one in answer.proxies})
    if any(proxy.changes for proxy in answer.proxies):
        raise Told(1)


def _online(manifests: Sequence[Manifest], connection: Connection, namespace: str, *, show: bool) -> Answer:
    with Client(connection) as client:
        documents = located(manifests, Kinds(client), namespace)
        would = [_would_be(client, document) for document in documents]
        answer = client.post("/weft/v1/diff", {"documents": would, "show": show})
    found = msgspec.convert(answer, Answer)
    places = {document.key: document.manifest for document in documents}
    tell((finding, places.get(finding.document) if finding.document else None) for finding in found.findings)
    return found


def _would_be(client: Client, document: Located) -> dict[str, Any]:
    """The document as applying it would leave it."""
    params = {"fieldManager": "weft", "force": "true", "dryRun": "All"}
    content = msgspec.json.encode(document.content)
    try:
        would: dict[str, Any] = client.ask("PATCH", document.path, content=content, headers=APPLY, params=params).json()
    except Refused as refusal:
        told_refusal(refusal, document.manifest)
        raise Told(_FAILED) from None
    return would


def _offline(manifests: Sequence[Manifest], against: str, namespace: str, *, show: bool) -> Answer:
    """Without a mesh: the compiler is part of weft, and the proxies are those that the documents speak of."""
    from weft.cli.imagined import imagined
    from weft.explain.difference import differences

    known = stored_form(manifests_of((against,), recursive=True), namespace)
    changed = stored_form(manifests, namespace)
    seen = imagined(tuple(known.values()), tuple({**known, **changed}.values()))
    proxies = []
    for one in seen:
        changes = msgspec.convert(
            msgspec.to_builtins(differences(one.before, one.after, texts=show)), tuple[Change, ...]
        )
        proxies.append(Proxy(name=one.name, changes=changes))
    return Answer(proxies=tuple(proxies))


def _items(answer: Answer) -> list[Item]:
    return [{"proxy": one.name, **msgspec.to_builtins(change)} for one in answer.proxies for change in one.changes]


def _show(answer: Answer, proxies: dict[str, Proxy]) -> None:
    """Sidecars of which the same changes are told together."""
    alike: dict[tuple[Change, ...], list[str]] = {}
    for name, proxy in proxies.items():
        if proxy.changes:
            alike.setdefault(tuple(proxy.changes), []).append(name)
    for changes, names in alike.items():
        give(", ".join(names))
        for line in _lines(changes):
            give(line)
    touched = sum(len(names) for names in alike.values())
    say(f"{touched} of {len(answer.proxies)} proxies would change" if answer.proxies else "no proxy is connected")


def _lines(changes: Sequence[Change]) -> Iterator[str]:
    for change in changes:
        yield f"  {_MARKS[change.change]} {change.kind} {change.name}"
        yield from (f"      {part}" for part in change.parts)
        yield from (f"    {line}" for line in change.text.splitlines())


_SHOWN = Shown(
    name=lambda one: str(one["proxy"]),
    head=("proxy", "change", "kind", "name"),
    cells=lambda one: [one["proxy"], one["change"], one["kind"], one["name"]],
    wide_head=("parts",),
    wide_cells=lambda one: ["; ".join(one["parts"]) or "-"],
    none="nothing would change",
)
