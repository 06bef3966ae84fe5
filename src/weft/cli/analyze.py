"""``weft analyze``: what is wrong with documents and how they fit together, in files, in the mesh, or in both."""

import contextlib
from pathlib import Path
from typing import Any

import click
import msgspec

from weft.cli.check_files import Request, check_files
from weft.cli.client import Client
from weft.cli.connection import connection_of
from weft.cli.errors import Told, Usage
from weft.cli.kinds import Served
from weft.cli.listing import How, listing_as, repeat
from weft.cli.manifests import with_files
from weft.dialects.kinds import Kind
from weft.dialects.translate import KINDS
from weft.kit.value import labels_of
from weft.model.document import Document, Key


@click.command()
@with_files
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="For documents that name none.")
@click.option("--live", is_flag=True, help="Together with the documents of the mesh; without -f, those alone.")
@click.option("--strict", is_flag=True, help="End with 3 if there are warnings.")
@listing_as("text", "sarif")
@click.option("--server", envvar="WEFT_ADDR", metavar="URL", help="The control plane. [env: WEFT_ADDR]")
@click.option("--token-file", envvar="WEFT_TOKEN_FILE", type=click.Path(path_type=Path), help="File of the token.")
@click.option("--ca-file", envvar="WEFT_CA_FILE", type=click.Path(path_type=Path), help="Whom to trust, as PEM.")
def command(
    names: tuple[str, ...],
    recursive: bool,
    namespace: str,
    live: bool,
    strict: bool,
    how: How,
    **connection: Any,
) -> None:
    """Check files and how their documents fit together; with --live, also with what the mesh has."""
    if not names and not live:
        raise Usage("there is nothing to analyze", help="name files with -f, or ask for the mesh with --live")
    request = Request(
        names=names, recursive=recursive, namespace=namespace, strict=strict, output=how.output, together=True
    )

    def ask() -> tuple[Document, ...]:
        if not live:
            return ()
        with Client(connection_of(**connection)) as client:
            return documents(client)

    def once(stored: tuple[Document, ...]) -> None:
        with contextlib.suppress(Told) if how.watch else contextlib.nullcontext():
            check_files(request, stored)

    repeat(how, ask, once)


def documents(client: Client) -> tuple[Document, ...]:
    """Every document of the mesh, as its store has it."""
    return tuple(_document(kind, item) for kind in KINDS for item in _items(client, kind))


def _items(client: Client, kind: Kind) -> list[dict[str, Any]]:
    served = Served(group=kind.group, version=kind.versions[0], kind=kind.kind, plural=kind.plural)
    items: list[dict[str, Any]] = client.get(served.path(None))["items"]
    return items


def _document(kind: Kind, item: dict[str, Any]) -> Document:
    metadata: dict[str, Any] = item["metadata"]
    return Document(
        key=Key(group=kind.group, kind=kind.kind, namespace=metadata.get("namespace", ""), name=metadata["name"]),
        content=msgspec.json.encode({"apiVersion": kind.api_version(kind.versions[0]), "kind": kind.kind} | item),
        created=metadata.get("creationTimestamp", ""),
        labels=labels_of(metadata.get("labels") or {}),
    )
