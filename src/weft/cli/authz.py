"""``weft authz``: who may call whom, and what policies would change of that, in files or in the mesh."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click
import msgspec

from weft.cli.analyze import documents
from weft.cli.authz_changes import Changes, Simulated, show_changes
from weft.cli.authz_verdicts import Places, show_verdicts
from weft.cli.check_files import stored_form
from weft.cli.client import Client
from weft.cli.connection import connection_of
from weft.cli.durations import DURATION, told
from weft.cli.errors import Told, Usage
from weft.cli.listing import How, listing_as, repeat
from weft.cli.live_names import METHODS, objects, workloads
from weft.cli.manifests import manifests_of, with_files
from weft.cli.recorded import present, recorded
from weft.dialects.link import link
from weft.dialects.mesh_settings import mesh_config_key, settings_of
from weft.dialects.translate import fragment_of
from weft.explain.access import Outcome
from weft.explain.reach import Reached, Wanted, reached
from weft.kit.errors import UserError
from weft.model.document import Document, Key
from weft.model.mesh import Mesh
from weft.model.settings import Settings

_HOUR = 3600.0
_PATH = click.Path(path_type=Path)
_COLOURS = {Outcome.ALLOWED: "ok", Outcome.DENIED: "error", Outcome.ASKED: "note"}


def _of_mesh(function: Any) -> Any:
    """Add the options of commands that ask the mesh where files do not say all."""
    for option in (
        listing_as("text"),
        click.option(
            "--ca-file", envvar="WEFT_CA_FILE", type=click.Path(path_type=Path), help="Whom to trust, as PEM."
        ),
        click.option(
            "--token-file", envvar="WEFT_TOKEN_FILE", type=click.Path(path_type=Path), help="File of the token."
        ),
        click.option("--server", envvar="WEFT_ADDR", metavar="URL", help="The control plane. [env: WEFT_ADDR]"),
        click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="For names without one."),
    ):
        function = option(function)
    return function


@click.group()
def command() -> None:
    """Ask who may call whom, and what policies would change."""


@command.command("check")
@click.argument("caller", metavar="FROM", shell_complete=workloads())
@click.argument("callee", metavar="TO", shell_complete=objects("services"))
@click.argument("method", default="GET", shell_complete=METHODS)
@click.argument("path", default="/")
@with_files
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header of the request.")
@click.option("--claims", default="", metavar="JSON", help="The payload of the request's token.")
@click.option("--source-ip", default="127.0.0.1", help="The address that the caller connects from.")
@click.option("--remote-ip", default="", help="The client's, where proxies stand before; else --source-ip.")
@_of_mesh
def check(
    caller: str,
    callee: str,
    method: str,
    path: str,
    names: tuple[str, ...],
    recursive: bool,
    headers: tuple[str, ...],
    claims: str,
    source_ip: str,
    remote_ip: str,
    namespace: str,
    how: How,
    **connection: Any,
) -> None:
    """Tell whether a request may pass, and which policy says so.

    FROM and TO are services or workloads (`web`, `reviews.shop:9080`); FROM may be an identity, or - for a caller
    without a certificate. TO may be a gateway, with the port of its document; `-H 'host: shop.example.com'` says what
    its client asks for. With -f, the files are all there is; otherwise the mesh is asked. Ends with 1 if denied.
    """
    wanted = Wanted(
        caller=caller,
        callee=callee,
        method=method.upper(),
        path=path,
        headers=tuple(_header(text) for text in headers),
        claims=claims,
        source_ip=_address(source_ip),
        remote_ip=_address(remote_ip) if remote_ip else "",
        namespace=namespace,
    )
    manifests = manifests_of(names, recursive=recursive) if names else ()

    def ask() -> tuple[Reached, ...]:
        stored = tuple(stored_form(manifests, namespace).values()) if names else _live(connection)
        return _ask(_mesh(stored), wanted)

    def once(found: tuple[Reached, ...]) -> None:
        show_verdicts(found, Places(manifests, namespace), how)

    answers = repeat(how, ask, once)
    if any(answer.verdict.outcome is Outcome.DENIED for answer in answers):
        raise Told


@command.command("simulate")
@with_files
@click.option("--requests", metavar="FILE", help="Requests, one JSON object in a line; else those that were recorded.")
@click.option("--since", type=DURATION, default="1h", show_default=True, help="How much of what was recorded.")
@click.option("--against", metavar="DIR", help="Compare with the documents of a directory, without a control plane.")
@_of_mesh
def simulate(
    names: tuple[str, ...],
    recursive: bool,
    requests: str | None,
    since: float,
    against: str | None,
    namespace: str,
    how: How,
    **connection: Any,
) -> None:
    """Tell which requests files would deny, or let pass, before they are applied.

    Without --requests, they are those that the mesh recorded in the last hour. A request in a file is
    {"from": ..., "to": ..., "method": ..., "path": ..., "headers": {...}, "claims": {...}, "sourceIp": ...,
    "remoteIp": ..., "count": 1}; all but from and to may be left out.
    """
    if not names:
        raise Usage("there is nothing to simulate", help="name files with -f")
    files = stored_form(manifests_of(names, recursive=recursive), namespace)
    period = "" if requests else f" in the last {'hour' if since == _HOUR else told(since)}"

    def ask() -> Simulated:
        before = (
            stored_form(manifests_of((against,), recursive=True), namespace) if against else _by_key(_live(connection))
        )
        old, new = _mesh(tuple(before.values())), _mesh(tuple((before | files).values()))
        asked = tuple(_requests(requests, namespace)) if requests else present(recorded(connection, since), old, new)
        rows = Changes(old, new, _ask).of(asked)
        return Simulated(rows=rows, total=sum(count for _, count in asked))

    repeat(how, ask, lambda found: show_changes(found, period, how))


def _ask(mesh: Mesh, wanted: Wanted) -> tuple[Reached, ...]:
    """The verdicts; a name that nothing has is a mistake and no denial."""
    try:
        return reached(mesh, wanted)
    except UserError as wrong:
        raise Usage(wrong.message, help=wrong.help) from None


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    caller: str = msgspec.field(name="from")
    callee: str = msgspec.field(name="to")
    method: str = "GET"
    path: str = "/"
    headers: dict[str, str] = {}
    claims: dict[str, Any] | None = None
    source_ip: str = msgspec.field(name="sourceIp", default="127.0.0.1")
    remote_ip: str = msgspec.field(name="remoteIp", default="")
    count: int = 1


def _requests(name: str, namespace: str) -> Iterator[tuple[Wanted, int]]:
    try:
        lines = Path(name).read_text().splitlines()
    except (OSError, UnicodeError) as wrong:
        raise Usage(f"{name} cannot be read: {wrong}", help="name a file with one JSON object in a line") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=_Row)
        except msgspec.MsgspecError as wrong:
            raise Usage(f"{name}:{number}: {wrong}", help="see `weft authz simulate --help`") from None
        wanted = Wanted(
            caller=row.caller,
            callee=row.callee,
            method=row.method.upper(),
            path=row.path,
            headers=tuple(row.headers.items()),
            claims="" if row.claims is None else msgspec.json.encode(row.claims).decode(),
            source_ip=_address(row.source_ip),
            remote_ip=_address(row.remote_ip) if row.remote_ip else "",
            namespace=namespace,
        )
        yield wanted, row.count


def _mesh(stored: Sequence[Document]) -> Mesh:
    base = Settings()
    known = _by_key(stored)
    settings = settings_of(known.get(mesh_config_key(base)), base, base).settings
    return link(tuple(fragment_of(document, settings) for document in stored), settings, 1)


def _by_key(stored: Sequence[Document]) -> dict[Key, Document]:
    return {document.key: document for document in stored}


def _live(connection: dict[str, Any]) -> tuple[Document, ...]:
    with Client(connection_of(**connection)) as client:
        return documents(client)


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise Usage(f"{text!r} is no address", help="write an IPv4 or IPv6 address") from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise Usage(f"{text!r} is no header", help="write it as -H 'name: value'")
    return name.strip().lower(), value.strip()
